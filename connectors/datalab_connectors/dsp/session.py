"""What a consumer needs while it waits: callbacks, a post and the store, for the time of one call."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from datalab.errors import ProtocolError, StorageFailed
from datalab.policy import parse
from datalab.ports.http import HttpClient, Limits
from datalab.ports.reach import Reach
from datalab_connectors.dsp.callbacks import Callbacks
from datalab_connectors.dsp.messages import message, received
from datalab_connectors.dsp.post import Post
from datalab_connectors.dsp.store import Process, Store
from datalab_connectors.dsp.transitions import CONSUMER, NEGOTIATION, PROVIDER, TRANSFER, after


class NotYet(Exception):
    """What was waited for has not happened."""


class Session:
    """Callbacks, post and store for the time of one call."""

    def __init__(self, path: Path, reach: Reach, token: str, port: int) -> None:
        self.store = Store(path)
        self.client = HttpClient(reach, Limits(connect=2, idle=10, seconds=20, attempts=2))
        self._changed = threading.Condition()
        self._hindrance: StorageFailed | None = None
        self._post = Post(self.store, self.client, self._act, token, self._hinder)
        self._callbacks = Callbacks(self, port, self.store.close)
        self.port = self._callbacks.port
        self.address = self._callbacks.address
        self._post.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._post.stop()
        self._callbacks.close()
        self.client.close()

    def look(self, kind: str, pid: str) -> Process | None:
        """Return a process."""
        return self.store.get(kind, pid)

    def hear(self, kind: str, pid: str, move: str, body: Any, text: str) -> None:
        """Take a message of the provider's: its effect is saved before it is answered."""
        try:
            with self._changed:
                with self.store.change():
                    process = self.store.get(kind, pid)
                    assert process is not None
                    negotiating = kind == "negotiation"
                    changed = _negotiated(process, move, body, text) if negotiating else _transferred(process, move, body)
                    if changed is not None:
                        self.store.save(changed)
                self._changed.notify_all()
        except StorageFailed as error:
            self._hinder(error)
            raise
        self._post.wake()

    def _hinder(self, error: StorageFailed) -> None:
        """Let whoever waits hear that nothing can be kept any more."""
        with self._changed:
            self._hindrance = error
            self._changed.notify_all()

    def learn_peer(self, process: Process, peer: str) -> None:
        """Keep the provider's id; a callback may have told it, and more, before the answer was read."""
        with self.store.change():
            now = self.store.get(process.kind, process.pid) or process
            if now.peer and now.peer != peer:
                raise ProtocolError("the provider answered with two process ids")
            self.store.save(replace(now, peer=peer))

    def end(self, process: Process, reasons: list[str]) -> None:
        """End a process from this side."""
        with self.store.change():
            now = self.store.get(process.kind, process.pid) or process
            self.store.save(replace(now, state="TERMINATED", due="", data={**now.data, "reasons": reasons, "ours": True}))

    def wait(self, process: Process, reached: Callable[[Process], bool], seconds: float) -> Process:
        """Return a process once it is where it should be; raise ``NotYet`` after ``seconds``.

        Raise ``StorageFailed`` where what was heard meanwhile could not be kept: nothing would come of waiting.
        """
        deadline = time.monotonic() + seconds
        with self._changed:
            while True:
                now = self.store.get(process.kind, process.pid) or process
                if reached(now):
                    return now
                if self._hindrance is not None:
                    raise self._hindrance
                left = deadline - time.monotonic()
                if left <= 0:
                    raise NotYet
                self._changed.wait(left)

    def _act(self, process: Process) -> None:
        """Do what is due in a negotiation: its new state and the message about it are written together."""
        ids = {"providerPid": process.peer, "consumerPid": process.pid}
        url = f"{process.party}/negotiations/{process.peer}"
        data = dict(process.data)
        match process.due:
            case "verify":
                move, path, said = (
                    "verification",
                    "agreement/verification",
                    message("ContractAgreementVerificationMessage", **ids),
                )
            case "accept":
                move, path = "accepted", "events"
                said = message("ContractNegotiationEventMessage", **ids, eventType="ACCEPTED")
            case _:
                move, path = "termination", "termination"
                data |= {"reasons": ["The provider wants other terms than those that were decided on."], "ours": True}
                said = message("ContractNegotiationTerminationMessage", **ids, code="terms", reason=data["reasons"])
        with self._changed:
            with self.store.change():
                now = self.store.get(process.kind, process.pid)
                if now is None or (now.state, now.due) != (process.state, process.due):
                    return
                state = after(NEGOTIATION, process.state, move, CONSUMER)
                self.store.save(replace(process, state=state, due="", data=data))
                self.store.post(process.pid, f"{url}/{path}", said)
            self._changed.notify_all()


def _negotiated(process: Process, move: str, body: Any, text: str) -> Process | None:
    """Return a negotiation after a message of the provider's; None for one that was sent again."""
    kinds = {
        "offers": "ContractOfferMessage",
        "agreement": "ContractAgreementMessage",
        "events": "ContractNegotiationEventMessage",
        "termination": "ContractNegotiationTerminationMessage",
    }
    process, said = _from_peer(process, move, kinds, body)
    if move == "offers":
        due = "accept" if _same_terms(process, said["offer"]) else "terminate"
        return replace(process, state=after(NEGOTIATION, process.state, "offer", PROVIDER), due=due)
    if move == "agreement":
        if process.state in {"AGREED", "VERIFIED", "FINALIZED"} and json.loads(process.data["message"]) == body:
            return None
        due = "verify" if _same_terms(process, said["agreement"]) else "terminate"
        state = after(NEGOTIATION, process.state, "agreement", PROVIDER)
        return replace(process, state=state, due=due, data={**process.data, "message": text})
    if move == "events":
        if said["eventType"] != "FINALIZED":
            raise ProtocolError("a provider cannot accept")
        if process.state == "FINALIZED":
            return None
        return replace(process, state=after(NEGOTIATION, process.state, "finalized", PROVIDER))
    state = after(NEGOTIATION, process.state, "termination", PROVIDER)
    return replace(process, state=state, due="", data={**process.data, "reasons": said.get("reason", [])})


def _transferred(process: Process, move: str, body: Any) -> Process | None:
    """Return a transfer after a message of the provider's; None for one that was sent again."""
    kinds = {name: f"Transfer{name.capitalize()}Message" for name in ("start", "completion", "suspension", "termination")}
    process, said = _from_peer(process, move, kinds, body)
    if move == "start" and process.state == "STARTED" and process.data.get("address") == said.get("dataAddress"):
        return None
    data = dict(process.data)
    if "dataAddress" in said:
        data["address"] = said["dataAddress"]
    if move in {"termination", "suspension"}:
        data["reasons"] = said.get("reason", [])
    return replace(process, state=after(TRANSFER, process.state, move, PROVIDER), data=data)


def _from_peer(process: Process, move: str, kinds: Mapping[str, str], body: Any) -> tuple[Process, dict[str, Any]]:
    """Return the message and the process with its peer's id, which may be learnt here first."""
    if move not in kinds:
        raise ProtocolError(f"no such callback: {move[:40]!r}")
    said = received(body, kinds[move])
    if said.get("consumerPid") != process.pid or (process.peer and said["providerPid"] != process.peer):
        raise ProtocolError("the message names other process ids")
    return replace(process, peer=said["providerPid"]), said


def _same_terms(process: Process, offered: Mapping[str, Any]) -> bool:
    """Whether the terms are those that were decided on, for the same dataset."""
    asked = parse(json.dumps(process.data["offer"]))
    now = parse(json.dumps(offered))
    return offered.get("target") == process.data["offer"]["target"] and (
        (asked.permissions, asked.prohibitions, asked.obligations, asked.unknown)
        == (now.permissions, now.prohibitions, now.obligations, now.unknown)
    )
