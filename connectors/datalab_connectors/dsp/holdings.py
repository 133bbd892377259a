"""What a provider offers: datasets with their terms, as files or whatever else can be streamed from a path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datalab_connectors.dsp.messages import PULL, PUSH, message
from datalab_connectors.dsp.terms import typed


@dataclass(frozen=True, slots=True)
class File:
    """One distribution of a holding."""

    id: str
    path: Path
    format: str
    media_type: str
    title: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Holding:
    """One dataset on offer, with its terms as JSON and the id of the offer, which changes when the terms do."""

    id: str
    offer_id: str
    title: str
    description: str
    holder: str
    policy: dict[str, Any]
    files: tuple[File, ...]
    licence: str = ""
    keywords: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    personal_data: bool = False
    issued: str = ""
    columns: tuple[tuple[str, str], ...] = ()


def offer_of(holding: Holding, participant: str, *, target: bool = False) -> dict[str, Any]:
    """Return the offer of a holding; with its target in a message, without it in a catalogue."""
    aimed = {"target": holding.id} if target else {}
    return {"@id": holding.offer_id, "@type": "Offer", "assigner": participant, **aimed, **typed(holding.policy)}


def dataset_of(holding: Holding, participant: str, endpoint: str) -> dict[str, Any]:
    """Return a holding as a dataset with its offer and distributions; ``endpoint`` is where it is negotiated."""
    return {
        "@id": holding.id,
        "@type": "Dataset",
        "title": holding.title,
        "description": holding.description,
        "publisher": holding.holder,
        "license": holding.licence,
        "keyword": list(holding.keywords),
        "language": list(holding.languages),
        "issued": holding.issued,
        "personalData": holding.personal_data,
        "columns": [{"name": name, "description": words} for name, words in holding.columns],
        "hasPolicy": [offer_of(holding, participant)],
        "distribution": [
            _distribution(file, participant, endpoint, transport) for transport in (PULL, PUSH) for file in holding.files
        ],
    }


def catalogue_of(holdings: Sequence[Holding], participant: str, endpoint: str) -> dict[str, Any]:
    """Return one page of the catalogue."""
    datasets = [dataset_of(holding, participant, endpoint) for holding in holdings]
    return message(
        "Catalog",
        **{"@id": f"{participant}#catalogue"},
        participantId=participant,
        service=[_service(participant, endpoint)],
        **({"dataset": datasets} if datasets else {}),
    )


def find(shelf: Mapping[str, Holding], holding_id: str, name: str) -> File | None:
    """Return a file of a holding by its id, or without one the only file; None where there is no such."""
    files = shelf[holding_id].files if holding_id in shelf else ()
    if not name and len(files) == 1:
        return files[0]
    return next((file for file in files if file.id == name), None)


def _service(participant: str, endpoint: str) -> dict[str, Any]:
    return {"@id": f"{participant}#connector", "@type": "DataService", "endpointURL": endpoint}


def _distribution(file: File, participant: str, endpoint: str, transport: str) -> dict[str, Any]:
    return {
        "@id": file.id if transport == PULL else f"{file.id}#push",
        "@type": "Distribution",
        "title": file.title,
        "format": transport,
        "mediaType": file.media_type,
        "fileFormat": file.format,
        "fileName": file.path.name,
        "byteSize": file.bytes,
        "checksum": {"algorithm": "sha256", "checksumValue": file.sha256},
        "accessService": _service(participant, endpoint),
    }
