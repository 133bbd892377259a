"""One side of the protocol, either side: hears the other's messages, keeps the processes, owes and makes its own moves.

Each message is checked, its effect saved, and only then answered; what follows from it is marked as due in the same
transaction and done by the post. What this side wants is decided by its strategy.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from datalab.errors import SourceError, StorageFailed
from datalab_connectors.dsp.callers import Caller
from datalab_connectors.dsp.messages import message
from datalab_connectors.dsp.store import Process, Store
from datalab_connectors.dsp.transitions import CONSUMER, ENDED, MOVES, PROVIDER, TABLES, IllegalMove, Move, after
from datalab_connectors.dsp.versions import Version, named

_FOLDERS = {"negotiation": "negotiations", "transfer": "transfers"}
_FIRST = {
    (PROVIDER, "negotiation"): "request",
    (CONSUMER, "negotiation"): "offer",
    (PROVIDER, "transfer"): "request",
}
_REMEMBERED = 16


class Unknown(SourceError):
    """Something that does not exist, or not for who asks: both are 404 in the protocol."""


class NotYet(Exception):
    """What was waited for has not happened."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A move that this side makes: what the message says besides the process ids, and what is kept of it."""

    move: str
    says: Mapping[str, Any] = field(default_factory=dict)
    keeps: Mapping[str, Any] = field(default_factory=dict)
    due: str = ""
    """What this side does after it."""


class Strategy(Protocol):
    """What one side decides. All three are called with the process as it is; none sends anything itself."""

    def opened(self, process: Process, said: Mapping[str, Any], caller: Caller) -> Process:
        """Take the other's first message: return the process with its subject and what is due, or raise ``Unknown``."""

    def heard(self, process: Process, move: str, said: Mapping[str, Any], text: str) -> Process:
        """Take a later message (``text`` to the letter); the process has its new state already."""

    def turn(self, process: Process) -> Turn | None:
        """Do what is due and return the move to make; None for nothing (any more)."""


class Exchange:
    """One participant in one role, with its processes in ``store``. ``address`` is where the other side reaches it."""

    def __init__(self, role: str, store: Store, strategy: Strategy, address: str = "") -> None:
        self.role = role
        self.store = store
        self.address = address
        self._strategy = strategy
        self._other = PROVIDER if role == CONSUMER else CONSUMER
        self._changed = threading.Condition()
        self._hindrance: StorageFailed | None = None
        self.wake: Callable[[], None] = _nobody
        """Called when something became due."""

    def find(self, kind: str, pid: str, party: str | None, version: Version | None = None) -> Process:
        """Return a process by its id; raise ``Unknown`` for one that is not there, or not ``party``'s."""
        process = self.store.get(kind, pid)
        if process is None or party not in {None, process.party} or version not in {None, version_of(process)}:
            raise Unknown(f"no {kind} with this id")
        return process

    def open(self, kind: str, body: Any, caller: Caller, version: Version) -> Process:
        """Take the first message of the other side. The same one sent again is the same process."""
        move = _FIRST.get((self.role, kind))
        if move is None:
            raise Unknown("no such endpoint")
        said = version.read(body, MOVES[kind][move].message)
        if "callbackAddress" not in said:
            raise IllegalMove("a first message needs a callbackAddress")
        peer = said[_pid_key(self._other)]
        process = Process(
            pid=f"urn:uuid:{uuid.uuid4()}",
            kind=kind,
            peer=peer,
            party=caller.participant,
            state=after(TABLES[kind], "", move, self._other),
            data={"callback": said["callbackAddress"].rstrip("/"), "version": version.name},
        )
        with self._change():
            known = self.store.with_peer(kind, peer, caller.participant)
            if known is not None:
                return known
            process = self._strategy.opened(process, said, caller)
            self.store.save(process)
        return process

    def hear(
        self, kind: str, pid: str, path: str, raw: Any, text: str, party: str | None, version: Version | None = None
    ) -> None:
        """Take a later message of the other side: its effect is saved when this returns."""
        with self._change():
            process = self.find(kind, pid, party, version)
            spoken = version_of(process)
            found = _moves(kind, path)
            said = spoken.read(raw, *{move.message for move in found.values()})
            move = _move(found, said)
            process = self._same_process(process, said)
            digest = hashlib.sha256(text.encode()).hexdigest()[:16]
            before = list(process.data.get("heard", ()))
            try:
                state = after(TABLES[kind], process.state, move, self._other)
            except IllegalMove:
                if digest in before:
                    return  # sent again because our answer was lost
                raise
            data = {**process.data, "heard": [*before[1 - _REMEMBERED :], digest]}
            if move in {"termination", "suspension"}:
                data["reasons"] = _reasons(said)
            changed = self._strategy.heard(replace(process, state=state, due="", data=data), move, said, text)
            self.store.save(changed)

    def begin(self, kind: str, subject: str, party: str, version: Version, **data: Any) -> Process:
        """Make a process of this side's own; nothing is sent yet."""
        move = {("negotiation", PROVIDER): "offer"}.get((kind, self.role), "request")
        state = after(TABLES[kind], "", move, self.role)
        kept = {"version": version.name, **data}
        process = Process(f"urn:uuid:{uuid.uuid4()}", kind, "", party, state, subject, data=kept)
        with self._change():
            self.store.save(process)
        return process

    def learn_peer(self, process: Process, peer: str) -> None:
        """Keep the other's id; a callback may have told it, and more, before the answer was read."""
        with self._change():
            now = self.store.get(process.kind, process.pid) or process
            if now.peer and now.peer != peer:
                raise IllegalMove("the other side answered with two process ids")
            self.store.save(replace(now, peer=peer))

    def act(self, process: Process) -> None:
        """Do what is due in a process."""
        turn = self._strategy.turn(process)
        if turn is not None:
            self.make(process, turn)

    def make(self, process: Process, turn: Turn) -> Process | None:
        """Make a move: the new state and the message about it are written together.

        Return None where the process was changed meanwhile: then the move is no longer due. Raise ``IllegalMove``.
        """
        with self._change():
            now = self.store.get(process.kind, process.pid)
            if now is None or (now.state, now.due) != (process.state, process.due):
                return None
            state = after(TABLES[now.kind], now.state, turn.move, self.role)
            kept = {key: value for key, value in {**now.data, **turn.keeps}.items() if value is not None}
            changed = replace(now, state=state, due=turn.due, data=kept)
            self.store.save(changed)
            self.store.post(now.pid, *self.letter(changed, turn.move, turn.says))
        self.wake()
        return changed

    def end(self, process: Process, reasons: list[str]) -> None:
        """Note a process as ended without a word to the other side, who ended it or is not there."""
        with self._change():
            now = self.store.get(process.kind, process.pid) or process
            if now.state not in ENDED:
                data = {**now.data, "reasons": reasons, "ours": True}
                self.store.save(replace(now, state="TERMINATED", due="", data=data))

    def note(self, process: Process, state: str, **data: Any) -> None:
        """Take over a state that the other side reports, unless the process moved on meanwhile."""
        with self._change():
            now = self.store.get(process.kind, process.pid)
            if now is not None and now.state == process.state:
                self.store.save(replace(now, state=state, due="", data={**now.data, **data}))

    def letter(self, process: Process, move: str, says: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Return the address and the message, as it goes over the wire, of a move of this side."""
        said = _said(self.role, process, MOVES[process.kind][move], says)
        version = version_of(process)
        wire = version.write(said)
        if version.older and move in {"request", "offer", "agreement"}:
            wire.setdefault("dspace:callbackAddress", self.address)
        base = f"{process.data.get('callback', process.party)}/{_FOLDERS[process.kind]}"
        return (f"{base}/{process.peer}/{MOVES[process.kind][move].path}" if process.peer else f"{base}/request"), wire

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

    def hinder(self, error: StorageFailed) -> None:
        """Let whoever waits hear that nothing can be kept any more."""
        with self._changed:
            self._hindrance = error
            self._changed.notify_all()

    def state(self, process: Process) -> dict[str, Any]:
        """Return the message that tells the state of a process."""
        kind = "ContractNegotiation" if process.kind == "negotiation" else "TransferProcess"
        return version_of(process).write(message(kind, **ids(self.role, process), state=process.state))

    def _same_process(self, process: Process, said: Mapping[str, Any]) -> Process:
        """Check that a message is about the process that it was sent to; the other's id may be learnt here first."""
        own, other = said.get(_pid_key(self.role), process.pid), said.get(_pid_key(self._other))
        if own != process.pid or not other or (process.peer and other != process.peer):
            raise IllegalMove("the message names other process ids")
        return replace(process, peer=other)

    @contextlib.contextmanager
    def _change(self) -> Iterator[None]:
        try:
            with self._changed:
                with self.store.change():
                    yield
                self._changed.notify_all()
        except StorageFailed as error:
            self.hinder(error)
            raise


def version_of(process: Process) -> Version:
    """Return the version that a process is spoken in."""
    return named(str(process.data.get("version", "2025-1")))


def ids(role: str, process: Process) -> dict[str, str]:
    """Return both process ids, by their names in messages."""
    return {_pid_key(role): process.pid, _pid_key(PROVIDER if role == CONSUMER else CONSUMER): process.peer}


def _said(role: str, process: Process, move: Move, says: Mapping[str, Any]) -> dict[str, Any]:
    both = {key: value for key, value in ids(role, process).items() if value}
    return message(move.message, **both, **({"eventType": move.event} if move.event else {}), **says)


def _moves(kind: str, path: str) -> dict[str, Move]:
    found = {name: move for name, move in MOVES[kind].items() if move.path == path}
    if not found:
        raise Unknown("no such endpoint")
    return found


def _move(found: Mapping[str, Move], said: Mapping[str, Any]) -> str:
    return next(name for name, move in found.items() if not move.event or said.get("eventType") == move.event)


def _reasons(said: Mapping[str, Any]) -> list[Any]:
    return list(said.get("reason", []))


def _pid_key(role: str) -> str:
    return "consumerPid" if role == CONSUMER else "providerPid"


def _nobody() -> None:
    """Wake nobody."""
