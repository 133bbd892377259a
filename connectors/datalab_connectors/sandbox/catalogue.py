"""The sandbox as a participant of a data space."""

from __future__ import annotations

from typing import Any

from datalab_connectors.dsp.holdings import Holding, dataset_of, offer_of

PARTICIPANT = "did:web:sandbox.datalab.example"
PREFIX = "did:web:registry.sandbox.datalab.example:DataOffering:"
"""Of the ids of self-descriptions."""


def offer(holding: Holding, *, target: bool = False) -> dict[str, Any]:
    """Return the offer of a holding; with its target in a message, without it in a catalogue."""
    return offer_of(holding, PARTICIPANT, target=target)


def dataset(holding: Holding, endpoint: str) -> dict[str, Any]:
    """Return a holding as a dataset with its offer and distributions."""
    return dataset_of(holding, PARTICIPANT, endpoint)
