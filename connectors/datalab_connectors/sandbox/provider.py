"""The sandbox's provider: the one of the Dataspace Protocol, offering holdings to whoever asks."""

from __future__ import annotations

from collections.abc import Mapping

from datalab.ports.http import HttpClient
from datalab.ports.reach import Reach
from datalab_connectors.dsp.holdings import Holding
from datalab_connectors.dsp.messages import HTTP_ENDPOINT
from datalab_connectors.dsp.provider import Provider, push_by_http
from datalab_connectors.dsp.store import Store
from datalab_connectors.sandbox.catalogue import PARTICIPANT


def sandbox_provider(
    shelf: Mapping[str, Holding], store: Store, reach: Reach, endpoint: str, token_seconds: float, client: HttpClient
) -> Provider:
    """Return the provider of one sandbox."""
    pushers = {HTTP_ENDPOINT: push_by_http(client)}
    return Provider(shelf, store, reach, endpoint, token_seconds, PARTICIPANT, pushers=pushers)
