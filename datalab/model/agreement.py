"""What was agreed for an offer, for which purpose, and the objects that were fetched under it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from datalab.model.policy import Policy


@dataclass(frozen=True, slots=True)
class Intent:
    """What the lab wants to do with a dataset: the request that terms are measured against.

    ``purpose`` is a coded IRI (W3C DPV or ODRL vocabulary), ``territory`` the ISO 3166-1 country of the filesystem that
    will hold the data, ``recipient`` who will receive it ("" while nobody but the lab does).
    """

    purpose: str
    purpose_text: str
    legal_basis: str = ""
    territory: str = ""
    recipient: str = ""
    commercial: bool = False


@dataclass(frozen=True, slots=True)
class Agreement:
    """A concluded contract (or the licence that stands in for one), with its terms kept verbatim.

    ``kind`` is ``contract`` (negotiated), ``licence`` (open data) or ``attestation`` (a steward's own file).
    ``agreed_at`` and ``valid_until`` are UTC timestamps, RFC 3339; ``valid_until`` is "" where the terms set no end.
    """

    id: str
    kind: str
    connector: str
    dataset_id: str
    offer_id: str
    provider: str
    consumer: str
    intent: Intent
    policy: Policy
    agreed_at: str
    valid_until: str = ""
    verbatim: str = ""
    """The agreement message exactly as received (JSON text)."""


@dataclass(frozen=True, slots=True)
class SourceObject:
    """One file in the landing folder. ``ordinal`` is its number in the run: the first half of every row's identity.

    ``name`` is the file's name at its holder, or the distribution's id where the catalogue tells none.
    """

    ordinal: int
    name: str
    path: Path
    format: str
    bytes: int
    sha256: str
    dataset_id: str
    agreement_id: str
    reference: str = ""
    """Name of the reference table this object feeds, "" for the main source."""
    connector: str = ""
    """Name of the connector that fetched it: dataset ids are only unique within one."""

    @property
    def dataset(self) -> str:
        """The dataset as a pipeline names it: ``connector:id``."""
        return f"{self.connector}:{self.dataset_id}"

    @property
    def title(self) -> str:
        """How people are shown it: ``connector:dataset, file name``."""
        return f"{self.dataset}, {self.name}"
