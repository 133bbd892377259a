"""Having one file brought: pulled under a reference of EDC's, or pushed to an HTTP landing point or into a bucket of ours."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from datalab.errors import SourceError
from datalab.model.offer import Distribution
from datalab.ports.connector import Progress
from datalab.ports.landing import Arrival, Landed, Landing
from datalab_connectors.doorstep import Doorstep
from datalab_connectors.edc.client import EdcRefused, peer_error
from datalab_connectors.edc.management import Management
from datalab_connectors.objects import check_size
from datalab_connectors.simpl.bucket import LandingBucket
from datalab_connectors.simpl.client import GrantedClient
from datalab_connectors.simpl.contracts import waits
from datalab_connectors.simpl.landing_point import LandingPoint
from datalab_connectors.simpl.records import Records

TYPES = {"pull": "HttpData-PULL", "push": "HttpData-PUSH", "bucket": "AmazonS3-PUSH"}
"""Our transports, in the order of preference, and EDC's transfer types for them."""
_OVER = frozenset(("COMPLETED", "DEPROVISIONING", "DEPROVISIONED"))
_STARTED = frozenset(("STARTED", *_OVER))
_ENDED = frozenset(("TERMINATED", "TERMINATING"))
_TRIES = 3
"""How often a refused token is replaced without a byte coming in between."""
_BUCKET = {
    "region": "region", "bucketName": "bucketName", "objectName": "objectName", "accessKey": "accessKeyId",
    "secretKey": "secretAccessKey", "endpoint": "endpointOverride", "storage": "endpointOverride",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be brought, and under which agreement; ``record`` is the name of what is kept of it."""

    agreement: str
    dataset: str
    wanted: Distribution
    limit: int
    record: str


class Transfers:
    """The transfers of one connector. ``patience``: seconds without any progress."""

    def __init__(
        self, management: Management, records: Records, patience: float, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._management = management
        self._records = records
        self._patience = patience
        self._sleep = sleep

    def pull(self, order: Order, client: Callable[[], GrantedClient], landing: Landing, progress: Progress) -> Landed:
        """Pull it; where its token dies on the way, under a new one, from where it stopped."""
        try:
            pulling = _Pulling(self, order, progress)
            address, token = pulling.grant
            with client() as reader:
                landed = reader.download(
                    address,
                    landing,
                    order.wanted.name,
                    token=token,
                    limit=order.limit,
                    sha256=order.wanted.sha256,
                    renew=pulling.renew,
                    progress=pulling.moved,
                )
        except BaseException:
            self.end(order, "It was not completed.")
            raise
        self.end(order, "The data was fetched.")
        check_size(order.wanted, landed.bytes, order.dataset)
        return landed

    def push(self, order: Order, door: Doorstep, landing: Landing, progress: Progress) -> Landed:
        """Have it pushed to an HTTP landing point of ours."""
        with (
            landing.receive(order.wanted.name, limit=order.limit, sha256=order.wanted.sha256) as arrival,
            LandingPoint(door, arrival) as point,
        ):
            try:
                transfer = self.begin(order, TYPES["push"], {"type": "HttpData", "baseUrl": point.url})
                self._await_arrival(transfer, point, arrival, progress)
            except SourceError as error:
                error.what, error.where = (text.replace(point.secret, "…") for text in (error.what, error.where))
                self.end(order, "It was not completed.")
                raise
            self.forget(order)
            check_size(order.wanted, arrival.size, order.dataset)
        assert arrival.landed is not None
        return arrival.landed

    def collect(self, order: Order, bucket: LandingBucket, landing: Landing, progress: Progress) -> Landed:
        """Have it written into a landing bucket of ours, and bring it home."""
        lent = bucket.lend(order.wanted.name)
        known = {_BUCKET[key]: value for key, value in lent.items() if key in _BUCKET}
        try:
            transfer = self.begin(order, TYPES["bucket"], {"type": "AmazonS3", **known})
            self.wait(transfer, _OVER)
        except SourceError as error:
            for secret in filter(None, (lent.get("secretKey"), lent.get("accessKey"))):
                error.what = error.what.replace(secret, "•••")
            self.end(order, "It was not completed.")
            raise
        self.forget(order)
        landed = bucket.collect(order.wanted.name, landing, limit=order.limit, sha256=order.wanted.sha256, progress=progress)
        check_size(order.wanted, landed.bytes, order.dataset)
        return landed

    def begin(self, order: Order, transfer_type: str, destination: Mapping[str, Any] | None = None) -> str:
        """Begin a transfer; one that a killed process left behind is ended first."""
        self.end(order, "The consumer restarted.")
        transfer = self._management.order(order.agreement, order.dataset, transfer_type, destination)
        self._records.put(order.record, {"transfer": transfer})
        return transfer

    def end(self, order: Order, reason: str) -> None:
        """End the transfer that is under way, so that its token opens nothing any more; EDC may be past hearing it."""
        transfer = str(self._records.get(order.record).get("transfer", ""))
        if transfer:
            with contextlib.suppress(SourceError):
                self._management.terminate(transfer, reason)
            self.forget(order)

    def forget(self, order: Order) -> None:
        """Keep nothing more of a transfer."""
        self._records.put(order.record, {})

    def wait(self, transfer: str, reached: frozenset[str], grown: Callable[[], int] = lambda: 0) -> None:
        """Look at a transfer until it is where it should be; as long as bytes come, there is no hurry."""
        size, state = grown(), ""
        while True:
            for _ in waits(self._patience, self._sleep, longest=2.0):
                told = self._management.transfer(transfer)
                state = str(told["state"])
                before, size = size, grown()
                if state in reached:
                    return
                if state in _ENDED:
                    raise SourceError(f"the transfer was ended: {_why(told)}", where=transfer, next="fetch it again")
                if size > before:
                    break
            else:
                raise _late(state, told, transfer)

    def reference(self, transfer: str) -> tuple[str, str]:
        """Return address and token of a pull, which EDC keeps a moment later than it tells the start."""
        for _ in waits(self._patience, self._sleep):
            try:
                return self._management.reference(transfer)
            except EdcRefused as error:
                if error.status != 404:
                    raise
        raise SourceError("the transfer started, and EDC has no reference to it", where=transfer, next="fetch it again")

    def _await_arrival(self, transfer: str, point: LandingPoint, arrival: Arrival, progress: Progress) -> None:
        told = 0

        def grown() -> int:
            nonlocal told
            if point.failure is not None and not point.arrived.is_set():
                raise point.failure
            if arrival.size > told:
                told = arrival.size
                progress(arrival.name, told, None)
            return told

        self.wait(transfer, _OVER, grown)
        if not point.arrived.wait(min(5.0, self._patience)):
            raise SourceError(
                "EDC says that the transfer is completed, and nothing whole has arrived here",
                where=transfer,
                next="check that the address under listen and callback leads here",
            )
        grown()


class _Pulling:
    """One pull: its transfer, its reference, and what to try when the data plane no longer takes the token.

    EDC's data plane wants the token as it is; others want it after ``Bearer``.
    """

    def __init__(self, transfers: Transfers, order: Order, progress: Progress) -> None:
        self._transfers = transfers
        self._order = order
        self._progress = progress
        self._size, self._mark, self._tries = 0, 0, 0
        self._scheme = ""
        self._transfer, self._held = self._begin()

    @property
    def grant(self) -> tuple[str, str]:
        """The address and what to send as ``Authorization``."""
        address, token = self._held
        return address, token if token.startswith(self._scheme) else self._scheme + token

    def moved(self, what: str, done: int, total: int | None) -> None:
        """Note how far it came."""
        self._size = done
        self._progress(what, done, total)

    def renew(self) -> tuple[str, str] | None:
        """Return another grant: EDC may have renewed the token, else a new transfer gives one; None: it has been tried."""
        self._tries = 1 if self._size > self._mark else self._tries + 1
        self._mark = self._size
        if self._tries > _TRIES:
            return None
        self._transfers.wait(self._transfer, _STARTED)
        found = self._transfers.reference(self._transfer)
        if found != self._held:
            self._held = found
        elif not self._size and not self._scheme:
            self._scheme = "Bearer "
        else:
            self._scheme = "" if not self._size else self._scheme
            self._transfer, self._held = self._begin()
        return self.grant

    def _begin(self) -> tuple[str, tuple[str, str]]:
        transfer = self._transfers.begin(self._order, TYPES["pull"])
        self._transfers.wait(transfer, _STARTED)
        return transfer, self._transfers.reference(transfer)


def _why(told: Mapping[str, Any]) -> str:
    code, words = peer_error(str(told.get("errorDetail") or ""))
    return (f"{code}: {words}" if code else words)[:300]


def _late(state: str, told: Mapping[str, Any], transfer: str) -> SourceError:
    if state.startswith("SUSPEND"):
        return SourceError(
            f"the provider has suspended the transfer: {_why(told)}",
            where=transfer,
            next="ask the provider what it waits for; fetch again when it has resumed",
        )
    return SourceError(f"the transfer was not completed in time: it is {state}", where=transfer, next="fetch it again")
