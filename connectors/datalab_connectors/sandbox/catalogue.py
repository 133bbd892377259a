"""The sandbox's catalogue in the words of DCAT, as the Dataspace Protocol carries it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from datalab_connectors.dsp.messages import PULL, message
from datalab_connectors.sandbox.shelf import File, Holding

PARTICIPANT = "did:web:sandbox.datalab.example"
PREFIX = "did:web:registry.sandbox.datalab.example:DataOffering:"
"""Of the ids of self-descriptions."""


def offer(holding: Holding, *, target: bool = False) -> dict[str, Any]:
    """Return the offer of a holding; with its target in a message, without it in a catalogue."""
    aimed = {"target": holding.id} if target else {}
    return {"@id": holding.offer_id, "@type": "Offer", "assigner": PARTICIPANT, **aimed, **holding.policy}


def dataset(holding: Holding, base: str) -> dict[str, Any]:
    """Return a holding as a dataset with its offer and distributions."""
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
        "hasPolicy": [offer(holding)],
        "distribution": [_distribution(file, base) for file in holding.files],
    }


def catalogue(holdings: Sequence[Holding], base: str) -> dict[str, Any]:
    """Return one page of the catalogue."""
    service = {"@id": f"{PARTICIPANT}#connector", "@type": "DataService", "endpointURL": base}
    datasets = [dataset(holding, base) for holding in holdings]
    return message(
        "Catalog",
        **{"@id": f"{PARTICIPANT}#catalogue"},
        participantId=PARTICIPANT,
        service=[service],
        **({"dataset": datasets} if datasets else {}),
    )


def _distribution(file: File, base: str) -> dict[str, Any]:
    return {
        "@id": file.id,
        "@type": "Distribution",
        "title": file.title,
        "format": PULL,
        "mediaType": file.media_type,
        "fileFormat": file.format,
        "fileName": file.path.name,
        "byteSize": file.bytes,
        "checksum": {"algorithm": "sha256", "checksumValue": file.sha256},
        "accessService": {"@id": f"{PARTICIPANT}#connector", "@type": "DataService", "endpointURL": base},
    }
