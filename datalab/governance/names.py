"""The names under which a release and its parts are known to the world: IRIs made from the lab's own identifier."""

from __future__ import annotations

import re
import uuid
from urllib.parse import quote

from datalab.governance.evidence import Evidence
from datalab.model.agreement import Agreement, SourceObject
from datalab.model.offer import Offer

PRODUCER = "pkg:pypi/aif-datalab"
"""Package URL of the code that writes these files."""
_IRI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+")
_SPACE = uuid.UUID("7c1c3c0e-64a5-5d2b-9d0c-3f0f5a1c9e11")


def lab_iri(evidence: Evidence) -> str:
    """Return the IRI of the lab: its participant identifier, or a name made from it."""
    return as_iri(evidence.lab_id, "lab")


def release_iri(evidence: Evidence) -> str:
    """Return the IRI of the release, or of the candidate while it has no version."""
    place = f"releases/{evidence.pipeline.name}/{evidence.version}" if evidence.version else _candidate(evidence)
    return f"{lab_iri(evidence).rstrip('/')}/{place}"


def run_iri(evidence: Evidence) -> str:
    """Return the IRI of the run."""
    return f"{lab_iri(evidence).rstrip('/')}/runs/{evidence.plan}"


def run_uuid(evidence: Evidence, part: str = "") -> str:
    """Return the UUID of the run, or of a part of it: always the same for one start of one plan."""
    started = evidence.last("run.started")
    return str(uuid.uuid5(_SPACE, f"{evidence.plan}/{started.hash if started else ''}/{part}"))


def offer_iri(offer: Offer) -> str:
    """Return the IRI of a dataset in its catalogue."""
    return as_iri(offer.dataset_id, f"dataset:{offer.connector}")


def agreement_iri(agreement: Agreement) -> str:
    """Return the IRI of an agreement."""
    return as_iri(agreement.id, "agreement")


def object_iri(item: SourceObject) -> str:
    """Return the IRI of a landed object: its content names it (RFC 6920 in hexadecimal form)."""
    return f"urn:sha256:{item.sha256}"


def as_iri(name: str, kind: str) -> str:
    """Return ``name`` where it is an IRI already, else a URN of ``kind`` made from it."""
    return name if _IRI.fullmatch(name) else f"urn:x-datalab:{kind}:{quote(name, safe='')}"


def licence_iris(licence: str) -> list[str]:
    """Return the SPDX addresses of the licences that an SPDX expression names, in their order."""
    words = [word for word in re.split(r"[\s()]+", licence) if word and word.upper() not in {"AND", "OR", "WITH"}]
    return [f"https://spdx.org/licenses/{quote(word)}" for word in dict.fromkeys(words)]


def _candidate(evidence: Evidence) -> str:
    return f"candidates/{evidence.pipeline.name}/{evidence.digest[:16]}"
