"""The connector under test: the product's provider and consumer, decided for by scripts, with the triggers the kit needs."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import threading
import time
from pathlib import Path
from typing import Any

import uvicorn
from datalab_connectors.dsp.callers import Caller
from datalab_connectors.dsp.endpoints import process_routes
from datalab_connectors.dsp.exchange import Exchange, Turn
from datalab_connectors.dsp.holdings import File, Holding
from datalab_connectors.dsp.post import Post
from datalab_connectors.dsp.provider import Provider
from datalab_connectors.dsp.service import provider_routes
from datalab_connectors.dsp.session import open_process
from datalab_connectors.dsp.store import Process, Store
from datalab_connectors.dsp.transitions import CONSUMER, PROVIDER
from datalab_connectors.dsp.versions import V2025_1
from datalab_connectors.dsp.wishes import Wishes
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from datalab.ports.http import HttpClient, Limits, Reach

sys.path.insert(0, str(Path(__file__).parent))
from scripts import (  # type: ignore[import-not-found]
    NEGOTIATED_HERE,
    NEGOTIATED_THERE,
    TRANSFERRED_FROM_HERE,
    TRANSFERRED_FROM_THERE,
    offer_id,
)

_PAUSE = 0.25
"""Before each move: the kit listens for one message at a time, and not before it has noted the answer to its own."""
_HERE = {**NEGOTIATED_HERE, **TRANSFERRED_FROM_HERE}
_THERE = {**NEGOTIATED_THERE, **TRANSFERRED_FROM_THERE}
_TERMS: dict[str, Any] = {"permission": [{"action": "use"}]}
_ANYBODY = Caller("urn:tck")


class ScriptedProvider(Provider):
    """The product's provider, but for what it decides."""

    def opened(self, process: Process, said: Any, caller: Caller) -> Process:
        """Take a first message."""
        opened = super().opened(process, said, caller)
        key = opened.data["holding"] if opened.kind == "negotiation" else opened.subject
        data = {**opened.data, "script": key, "reasons": ["scripted"]}
        return dataclasses.replace(opened, due=_HERE[key].get("request", ""), data=data)

    def heard(self, process: Process, move: str, said: Any, text: str) -> Process:
        """Take a later message."""
        heard = super().heard(process, move, said, text)
        word = "request again" if move == "request" else move
        return dataclasses.replace(heard, due=_HERE[process.data["script"]].get(word, ""))

    def turn(self, process: Process) -> Turn | None:
        """Make the first of the moves that are due."""
        return _first_of(process, super().turn)


class ScriptedWishes(Wishes):
    """The product's consumer, but for what it decides."""

    def heard(self, process: Process, move: str, said: Any, text: str) -> Process:
        """Take a message of the provider's."""
        heard = super().heard(process, move, said, text)
        return dataclasses.replace(heard, due=_THERE[process.data["script"]].get(move, ""))

    def turn(self, process: Process) -> Turn | None:
        """Make the first of the moves that are due."""
        return _first_of(process, super().turn)


def _first_of(process: Process, turn: Any) -> Turn | None:
    word, _, rest = process.due.partition(" ")
    time.sleep(_PAUSE)
    others = {
        "complete": Turn("completion"),
        "suspend": Turn("suspension", {"code": "scripted", "reason": ["scripted"]}),
    }
    made = others.get(word) or turn(dataclasses.replace(process, due=word))
    if word == "start" and isinstance(process.data.get("ours"), bool):
        made = Turn("start")
    return dataclasses.replace(made, due=rest) if made else None


def build(state: Path, base: str, client: HttpClient) -> tuple[Starlette, list[Post]]:
    """Return the application, and the posts of both roles."""
    reach = Reach(frozenset({"127.0.0.1", "localhost"}), loopback=True)
    provider_store, consumer_store = Store(state / "provider.sqlite"), Store(state / "consumer.sqlite")
    provider = ScriptedProvider(_shelf(), provider_store, reach, f"{base}/2025-1", 60.0, "urn:connector-under-test")
    providing = Exchange(PROVIDER, provider_store, provider, f"{base}/2024-1")
    consuming = Exchange(CONSUMER, consumer_store, ScriptedWishes(), f"{base}/callbacks")
    for agreement in TRANSFERRED_FROM_HERE:
        kept = {"version": "2025-1", "holding": "CAT0101", "agreement": {"@id": agreement, **_TERMS}}
        provider_store.save(
            Process(f"n:{agreement}", "negotiation", agreement, _ANYBODY.participant, "FINALIZED", agreement, data=kept)
        )
    posts = [Post(store, client, side.act) for store, side in ((provider_store, providing), (consumer_store, consuming))]
    for side, post in zip((providing, consuming), posts, strict=True):
        side.wake = post.wake

    async def negotiate(request: Request) -> Response:
        asked = await request.json()
        offer = {"@id": asked["offerId"], "@type": "Offer", "target": asked["datasetId"], **_TERMS}
        return _trigger("negotiation", asked["datasetId"], asked, {"offer": offer})

    async def transfer(request: Request) -> Response:
        asked = await request.json()
        return _trigger(
            "transfer", asked["agreementId"], asked, {"agreementId": asked["agreementId"], "format": asked["format"]}
        )

    def _trigger(kind: str, subject: str, asked: dict[str, str], says: dict[str, Any]) -> Response:
        kept = {"script": subject, "rounds": 1, "ours": True, **({"offer": says["offer"]} if "offer" in says else {})}

        def go() -> None:
            process = consuming.begin(kind, subject, asked["connectorAddress"].rstrip("/"), V2025_1, **kept)
            open_process(consuming, client, process, says, "", 10)
            if due := _THERE[subject].get(""):
                time.sleep(_PAUSE)
                now = consumer_store.get(kind, process.pid)
                made = ScriptedWishes().turn(dataclasses.replace(now, due=due)) if now else None
                if now and made:
                    consuming.make(now, made)

        threading.Thread(target=go, daemon=True).start()
        return JSONResponse({})

    application = Starlette(
        routes=[
            *provider_routes(provider, providing, lambda _: _ANYBODY, base=base),
            *process_routes(consuming, lambda _: None, None, "/callbacks"),
            Route("/trigger/negotiations", negotiate, methods=["POST"]),
            Route("/trigger/transfers", transfer, methods=["POST"]),
        ]
    )
    return application, posts


def _shelf() -> dict[str, Holding]:
    file = File("file", Path(__file__), "txt", "text/plain", "", Path(__file__).stat().st_size, "0" * 64)
    return {
        name: Holding(name, offer_id(name), name, name, "nobody", _TERMS, (file,))
        for name in ("CAT0101", "CAT0102", *NEGOTIATED_HERE)
    }


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    client = HttpClient(Reach(frozenset({"127.0.0.1", "localhost"}), loopback=True), Limits(connect=2, seconds=10, attempts=1))
    application, posts = build(options.state, f"http://127.0.0.1:{options.port}", client)
    for post in posts:
        post.start()
    uvicorn.run(application, host="127.0.0.1", port=options.port, log_level="warning", ws="none", lifespan="off")


if __name__ == "__main__":
    main()
