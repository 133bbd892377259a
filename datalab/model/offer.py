"""What a catalogue offers: datasets, their distributions and their terms."""

from __future__ import annotations

from dataclasses import dataclass, field

from datalab.errors import NotFound, SourceError
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

    @property
    def name(self) -> str:
        """What its file is called: as at its holder, or by the distribution's id."""
        return self.file or self.id


@dataclass(frozen=True, slots=True)
class Fitness:
    """What a catalogue tells about a dataset beside its terms: how fit it may be, how it is reached, what else it is called.

    ``access`` is a code of the EU's access rights (PUBLIC, RESTRICTED, NON_PUBLIC), ``modified`` an RFC 3339 date or moment, both ""
    where not stated. ``quality`` is the share (0 to 1) of what a good record holds that this one does, None where nobody looked;
    ``gaps`` are what it lacks and what in it is wrong, in words. ``names`` are what the dataset is called in any catalogue:
    identifiers and same-as links, globally unique; ``pages`` its landing pages.
    """

    themes: tuple[str, ...] = ()
    access: str = ""
    modified: str = ""
    frequency: str = ""
    route: str = ""
    """How the data is had, in words: download, by hand at a page, through a service, with a permit."""
    quality: float | None = None
    gaps: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    pages: tuple[str, ...] = ()


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
    fitness: Fitness = field(default=Fitness())

    @property
    def dataset(self) -> str:
        """The dataset as a pipeline names it: ``connector:id``."""
        return f"{self.connector}:{self.dataset_id}"

    def distribution(self, name: str) -> Distribution:
        """Return a distribution by its id, the first for ""; raise ``NotFound`` with the closest ids, ``SourceError`` where none are."""
        if not self.distributions:
            raise SourceError(
                "the offer has no distribution that can be fetched", where=self.dataset, next="ask the data holder"
            )
        for found in self.distributions:
            if name in {"", found.id}:
                return found
        raise NotFound.among("distribution", name, (item.id for item in self.distributions), where=self.dataset)
