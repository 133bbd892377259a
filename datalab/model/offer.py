"""What a catalogue offers: datasets, their distributions and their terms."""

from __future__ import annotations

from dataclasses import dataclass, field

from datalab.model.policy import Policy


@dataclass(frozen=True, slots=True)
class Query:
    """A catalogue search: words, and how many hits at the most."""

    text: str = ""
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Distribution:
    """One form in which a dataset can be fetched. ``format`` is a format name of `datalab.formats` (csv, jsonl, parquet …)."""

    id: str
    format: str
    media_type: str
    bytes: int | None = None
    sha256: str | None = None
    title: str = ""
    file: str = ""
    """Name of the file at its holder, "" where the catalogue tells none."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A dataset in a catalogue together with the terms under which it may be had.

    ``columns`` is the schema that the catalogue declares, name to type in words, empty where it declares none.
    """

    connector: str
    dataset_id: str
    offer_id: str
    title: str
    description: str
    holder: str
    policy: Policy
    distributions: tuple[Distribution, ...]
    licence: str = ""
    keywords: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    columns: tuple[tuple[str, str], ...] = ()
    personal_data: bool = False
    issued: str = ""
    catalogue_record: str = field(default="", repr=False)
    """The catalogue's own record, verbatim (JSON text)."""

    @property
    def dataset(self) -> str:
        """The dataset as a pipeline names it: ``connector:id``."""
        return f"{self.connector}:{self.dataset_id}"
