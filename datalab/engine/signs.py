"""Signs of life and claims: what the members of a crew tell each other through files, without locks and without clocks.

A member rewrites its sign every few seconds. Another takes it for gone when the sign says so, or when its content has not changed
for some time by the onlooker's own clock: clocks of machines are never compared. A claim is a file that is created exclusively,
which NFS (RFC 1813 section 3.3.8, mode GUARDED/EXCLUSIVE) and Lustre do atomically; it holds as long as its holder is alive. Claims
save work and decide nothing: a part that is worked twice gives the same bytes twice.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from datalab.engine.folder import RunFolder
from datalab.errors import DatalabError, UsageError

_FOLDER = "crew"
_MEMBER = re.compile(r"([0-9]{1,5})/([0-9]{1,5})")
_LONGEST_BEAT = 10.0


@dataclass(frozen=True, slots=True)
class Member:
    """One of the ``count`` processes that share a plan; ``index`` counts from 0. Part ``p`` is the one's with ``p % count == index``."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Member:
        """Read ``index/count``, for example ``0/4``."""
        found = _MEMBER.fullmatch(text)
        if not found or int(found[1]) >= int(found[2]):
            raise UsageError(
                f"{text!r} is not a share of a run", where="--shard", next="write number/count, from 0: 0/4, 1/4, 2/4, 3/4"
            )
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    @property
    def sign(self) -> str:
        """Path of the member's sign of life in the run folder."""
        return f"{_FOLDER}/{self.index:05d}-of-{self.count:05d}.json"

    def owns(self, part: int) -> bool:
        """Whether a part is this member's to begin with."""
        return part % self.count == self.index

    def owner(self, part: int) -> Member:
        """Return whose a part is to begin with."""
        return Member(part % self.count, self.count)


class Sign:
    """A member's own sign of life, kept up by a thread. Leaving it says how it ended, so that nobody waits in vain."""

    def __init__(self, folder: RunFolder, member: Member, patience: float) -> None:
        self.member = member
        self.life = secrets.token_hex(8)
        self._folder = folder
        self._pause = min(_LONGEST_BEAT, max(0.05, patience / 6))
        self._beats = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="datalab-sign", daemon=True)

    def __enter__(self) -> Self:
        self._write("at work")
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end.set()
        self._thread.join()
        with contextlib.suppress(DatalabError, OSError):  # the disk is full or gone: the others will find out by themselves
            self._write("done" if kind is None else "failed" if issubclass(kind, DatalabError) else "stopped")

    def _keep(self) -> None:
        while not self._end.wait(self._pause):
            with contextlib.suppress(DatalabError, OSError):
                self._write("at work")

    def _write(self, state: str) -> None:
        self._beats += 1
        body = {"life": self.life, "beat": self._beats, "state": state}
        self._folder.write(self.member.sign, json.dumps(body).encode())


def crew_at_work(folder: RunFolder, patience: float) -> bool:
    """Whether some member of a crew rewrote its sign within ``patience`` seconds, for one that cannot wait to see it change.

    Here alone clocks are compared: that of the filesystem's machine must not be further than ``patience`` from this one's.
    """
    for path in folder.path(_FOLDER).glob("*.json"):
        with contextlib.suppress(OSError):  # it is being replaced, or purged
            if _json(path.read_bytes()).get("state") == "at work" and abs(time.time() - path.stat().st_mtime) < patience:
                return True
    return False


@dataclass(slots=True)
class Lookout:
    """What one member has seen of the others. ``patience``: seconds without a change after which one is taken for gone."""

    folder: RunFolder
    patience: float
    _seen: dict[str, tuple[bytes, float]] = field(default_factory=dict)

    def state(self, member: Member) -> str:
        """Return ``at work``, ``not there`` (yet, or never seen), ``silent`` or what the member said at its end."""
        content, since = self._look(member.sign)
        silent = time.monotonic() - since >= self.patience
        if not content:
            return "silent" if silent else "not there"
        state = str(_json(content).get("state", ""))
        return "silent" if state == "at work" and silent else state

    def gone(self, member: Member) -> bool:
        """Whether nothing more is to be expected of a member."""
        return self.state(member) not in {"at work", "not there"}

    def may_take(self, sign: Sign, stage: int, part: int) -> bool:
        """Claim a part whose owner is gone; False where another member that is alive has claimed it."""
        name = f"{_FOLDER}/claims/{stage:02d}-{part:06d}"
        body = json.dumps({"index": sign.member.index, "count": sign.member.count, "life": sign.life}).encode()
        path = self.folder.path(name)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            if not self._free(name, sign):
                return False
            self.folder.write(name, body)
            return True
        with os.fdopen(handle, "wb") as stream:
            stream.write(body)
            os.fsync(stream.fileno())
        return True

    def taken(self, sign: Sign, stage: int, part: int) -> bool:
        """Whether another member that is alive has claimed a part."""
        name = f"{_FOLDER}/claims/{stage:02d}-{part:06d}"
        return self.folder.path(name).exists() and not self._free(name, sign)

    def _free(self, name: str, sign: Sign) -> bool:
        content, since = self._look(name)
        claim = _json(content)
        if claim.get("life") == sign.life:
            return True
        try:
            holder = Member(int(claim["index"]), int(claim["count"]))
        except (KeyError, TypeError, ValueError):  # it is being written, or was when its writer died
            return time.monotonic() - since >= self.patience
        current = _json(self._look(holder.sign)[0])
        return current.get("life") != claim["life"] or self.gone(holder)

    def _look(self, name: str) -> tuple[bytes, float]:
        """Return the content of a file, b"" without one, and since when it has been so, as far as this process saw."""
        try:
            content = self.folder.path(name).read_bytes()
        except OSError:
            content = b""
        before = self._seen.get(name)
        if before is None or before[0] != content:
            self._seen[name] = before = (content, time.monotonic())
        return before


def _json(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
