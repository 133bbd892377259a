"""What a consumer needs while it waits: callbacks, a post and the store, for the time of one call."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datalab.errors import ProtocolError, SourceError
from datalab.ports.http import HttpClient, HttpRefused, Limits
from datalab.ports.reach import Reach
from datalab_connectors.doorstep import Doorstep
from datalab_connectors.dsp.callbacks import Deliveries, serve_callbacks
from datalab_connectors.dsp.exchange import Exchange, NotYet, version_of
from datalab_connectors.dsp.post import Post
from datalab_connectors.dsp.store import Process, Store
from datalab_connectors.dsp.transitions import CONSUMER
from datalab_connectors.dsp.wishes import Wishes

_PATIENCE = 10.0
__all__ = ["NotYet", "Session", "open_process"]


class Session:
    """Callbacks, post and store, until it is closed. What is owed from before is said at once, under ``token``."""

    def __init__(self, path: Path, reach: Reach, door: Doorstep, token: str) -> None:
        self.store = Store(path)
        self.client = HttpClient(reach, Limits(connect=2, idle=10, seconds=20, attempts=2))
        self.exchange = Exchange(CONSUMER, self.store, Wishes())
        self.deliveries: Deliveries = {}
        self._post = Post(self.store, self.client, self.exchange.act, token, self.exchange.hinder)
        self.exchange.wake = self._post.wake
        self._callbacks = serve_callbacks(self.exchange, self.deliveries, door, self.store.close)
        self.port = self._callbacks.port
        self.address = self.exchange.address = door.reached(self.port)
        self._post.start()

    def speak_as(self, token: str) -> None:
        """Send what is owed under ``token`` from now on."""
        self._post.token = token

    def deliver(self) -> None:
        """Wait until what this side owes was said, or has to be said later."""
        deadline = time.monotonic() + _PATIENCE
        while self.store.letters(time.time()) and time.monotonic() < deadline:
            time.sleep(0.001)

    def close(self) -> None:
        """Stop, after one last try to deliver what is owed."""
        self._post.stop()
        self._callbacks.close()
        self.client.close()


def open_process(
    exchange: Exchange, client: HttpClient, process: Process, says: Mapping[str, Any], token: str, patience: float
) -> None:
    """Send a first message until it is answered; its id makes the same request again the same process."""
    kind = "ContractNegotiation" if process.kind == "negotiation" else "TransferProcess"
    url, wire = exchange.letter(process, "request", {**says, "callbackAddress": exchange.address})
    deadline = time.monotonic() + patience
    while True:
        try:
            told = version_of(process).read(client.post(url, wire, token=token, repeat=True).body, kind)
            break
        except HttpRefused as error:
            exchange.end(process, [error.what])
            raise
        except ProtocolError:
            raise
        except SourceError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    exchange.learn_peer(process, told["providerPid"])
