"""One file that a connector of ours has brought: it begins a transfer, looks at it until it is over, and counts what came."""

from __future__ import annotations

import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from datalab.errors import SourceError
from datalab.model.offer import Distribution
from datalab.ports.connector import Progress
from datalab.ports.http import Limits
from datalab.ports.landing import Arrival, Landed, Landing
from datalab_connectors.doorstep import Doorstep
from datalab_connectors.landing.bucket import LandingBucket
from datalab_connectors.landing.point import LandingPoint
from datalab_connectors.objects import check_size
from datalab_connectors.waiting import waits

_OVER = frozenset(("COMPLETED", "DEPROVISIONING", "DEPROVISIONED"))
_FAILED = frozenset(("TERMINATED", "TERMINATING", "ERROR"))


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be brought, and under which agreement; at most ``limit`` bytes."""

    agreement: str
    dataset: str
    wanted: Distribution
    limit: int


AnyOrder = TypeVar("AnyOrder", bound=Order)


class Transfers(ABC, Generic[AnyOrder]):
    """The transfers of one connector. ``patience``: seconds without any progress; ``limits`` say how slowly a push may come."""

    speaker: ClassVar[str]
    """Who begins transfers for us, in words."""

    def __init__(self, patience: float, limits: Limits, sleep: Callable[[float], None] = time.sleep) -> None:
        self._patience = patience
        self._limits = limits
        self._sleep = sleep

    def push(self, order: AnyOrder, door: Doorstep, landing: Landing, progress: Progress) -> Landed:
        """Have it pushed to an HTTP landing point of ours."""
        with (
            landing.receive(order.wanted.name, limit=order.limit, sha256=order.wanted.sha256) as arrival,
            LandingPoint(door, arrival) as point,
        ):
            with self._under_way(order, point.secret):
                transfer = self.begin(order, "push", {"baseUrl": point.url, "objectName": order.wanted.id})
                self._await_arrival(transfer, point, arrival, progress)
            check_size(order.wanted, arrival.size, order.dataset)
        assert arrival.landed is not None
        return arrival.landed

    def collect(self, order: AnyOrder, bucket: LandingBucket, landing: Landing, progress: Progress) -> Landed:
        """Have it written into a landing bucket of ours, and bring it home."""
        name, sha256 = order.wanted.name, order.wanted.sha256
        lent = bucket.lend(name)
        with self._under_way(order, lent.get("accessKey", ""), lent.get("secretKey", "")):
            self.wait(self.begin(order, "bucket", lent), completed)
        landed = bucket.collect(name, landing, limit=order.limit, sha256=sha256, progress=progress)
        check_size(order.wanted, landed.bytes, order.dataset)
        return landed

    @abstractmethod
    def begin(self, order: AnyOrder, way: str, known: Mapping[str, str]) -> str:
        """Begin a transfer by push, bucket or pull; return its id. ``known`` is where to, by the field names of Simpl's templates."""

    @abstractmethod
    def look(self, transfer: str) -> Mapping[str, Any]:
        """Return a transfer as it stands: its ``state``, and what else is told."""

    def why(self, told: Mapping[str, Any]) -> str:
        """Return why a transfer stands as it does, in the provider's words."""
        return str(told.get("errorDetail") or "no reason given")[:300]

    def wait(self, transfer: str, reached: Callable[[Mapping[str, Any]], bool], grown: Callable[[], int] = lambda: 0) -> None:
        """Look at a transfer until it is where it should be; as long as bytes come, there is no hurry."""
        size = grown()
        while True:
            for _ in waits(self._patience, self._sleep, longest=2.0):
                told = self.look(transfer)
                before, size = size, grown()
                if reached(told):
                    return
                if _failed(told):
                    raise SourceError(f"the transfer was ended: {self.why(told)}", where=transfer, next="fetch it again")
                if size > before:
                    break
            else:
                raise self._late(told, transfer)

    @contextlib.contextmanager
    def _under_way(self, order: AnyOrder, *secrets: str) -> Iterator[None]:
        """Keep what was told to the connector alone out of every error."""
        try:
            yield
        except SourceError as error:
            for secret in filter(None, secrets):
                error.what, error.where = error.what.replace(secret, "•••"), error.where.replace(secret, "•••")
            raise

    def _await_arrival(self, transfer: str, point: LandingPoint, arrival: Arrival, progress: Progress) -> None:
        told, begun, limits = 0, 0.0, self._limits

        def grown() -> int:
            nonlocal told, begun
            if point.failure is not None and not point.arrived.is_set():
                raise point.failure
            if arrival.size > told:
                begun = begun or time.monotonic()
                told = arrival.size
                progress(arrival.name, told, None)
            elapsed = time.monotonic() - begun if begun and not point.arrived.is_set() else 0.0
            if (elapsed > limits.idle and told < elapsed * limits.slowest) or elapsed > limits.download_seconds:
                raise SourceError(f"the file is pushed slower than {limits.slowest:.0f} bytes a second", where=arrival.name)
            return told

        self.wait(transfer, completed, grown)
        if not point.arrived.wait(min(5.0, self._patience)):
            raise SourceError(
                f"{self.speaker} says that the transfer is completed, and nothing whole has arrived here",
                where=transfer,
                next="check that the address under listen and callback leads here",
            )
        grown()

    def _late(self, told: Mapping[str, Any], transfer: str) -> SourceError:
        state = str(told["state"])
        if state.startswith("SUSPEND"):
            return SourceError(
                f"the provider has suspended the transfer: {self.why(told)}",
                where=transfer,
                next="ask the provider what it waits for; fetch again when it has resumed",
            )
        return SourceError(f"the transfer was not completed in time: it is {state}", where=transfer, next="fetch it again")


def started(told: Mapping[str, Any]) -> bool:
    """Whether data can be pulled: a small transfer may be over already when it is first looked at."""
    return told["state"] == "STARTED" or told["state"] in _OVER


def completed(told: Mapping[str, Any]) -> bool:
    """Whether a transfer came to its end, and not to another one (``finalState``, of Simpl) before it was cleared away."""
    return told["state"] in _OVER and told.get("finalState") in {None, "", *_OVER}


def _failed(told: Mapping[str, Any]) -> bool:
    return told["state"] in _FAILED or (told["state"] in _OVER and told.get("finalState") in _FAILED)
