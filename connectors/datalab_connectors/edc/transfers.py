"""Having one file brought: pulled under a reference of EDC's, or pushed to an HTTP landing point or into a bucket of ours."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from datalab.errors import SourceError
from datalab.ports.connector import Progress
from datalab.ports.http import Limits
from datalab.ports.landing import Landed, Landing
from datalab_connectors.edc.client import EdcRefused, peer_error
from datalab_connectors.edc.management import Management
from datalab_connectors.landing.granted import GrantedClient
from datalab_connectors.landing.transfers import Order, Transfers, started
from datalab_connectors.objects import check_size
from datalab_connectors.records import Records
from datalab_connectors.waiting import waits

TYPES = {"pull": "HttpData-PULL", "push": "HttpData-PUSH", "bucket": "AmazonS3-PUSH"}
"""Our transports, in the order of preference, and EDC's transfer types for them."""
_TRIES = 3
"""How often a refused token is replaced without a byte coming in between."""
_DESTINATIONS = {
    "push": ("HttpData", {"baseUrl": "baseUrl"}),
    "bucket": (
        "AmazonS3",
        {
            "region": "region", "bucketName": "bucketName", "objectName": "objectName", "accessKey": "accessKeyId",
            "secretKey": "secretAccessKey", "endpoint": "endpointOverride", "storage": "endpointOverride",
        },
    ),
}  # fmt: skip
"""EDC's type of a destination, and its names for what is known of it."""


class EdcTransfers(Transfers[Order]):
    """The transfers of one connector: what is under way is kept, so that a process that was killed leaves none behind."""

    speaker = "EDC"

    def __init__(
        self, management: Management, records: Records, patience: float, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        super().__init__(patience, Limits(), sleep)
        self._management = management
        self._records = records

    def alone(self, order: Order) -> contextlib.AbstractContextManager[None]:
        """Hold the agreement of an order: one transfer at a time."""
        return self._records.alone(_record(order))

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

    def begin(self, order: Order, way: str, known: Mapping[str, str]) -> str:
        """Begin a transfer; one that a killed process left behind is ended first."""
        self.end(order, "The consumer restarted.")
        kind, names = _DESTINATIONS.get(way, ("", {}))
        filled = {"type": kind, **{names[key]: value for key, value in known.items() if key in names}}
        transfer = self._management.order(order.agreement, order.dataset, TYPES[way], filled if kind else None)
        self._records.put(_record(order), {"transfer": transfer})
        return transfer

    def look(self, transfer: str) -> Mapping[str, Any]:
        """Return a transfer as it stands."""
        return self._management.transfer(transfer)

    def why(self, told: Mapping[str, Any]) -> str:
        """Return why a transfer stands as it does; the other connector's error, unpacked."""
        code, words = peer_error(str(told.get("errorDetail") or ""))
        return (f"{code}: {words}" if code else words)[:300]

    def end(self, order: Order, reason: str) -> None:
        """End the transfer that is under way, so that its token opens nothing any more; EDC may be past hearing it."""
        transfer = str(self._records.get(_record(order)).get("transfer", ""))
        if transfer:
            with contextlib.suppress(SourceError):
                self._management.terminate(transfer, reason)
            self._records.put(_record(order), {})

    @contextlib.contextmanager
    def _under_way(self, order: Order, *secrets: str) -> Iterator[None]:
        try:
            with super()._under_way(order, *secrets):
                yield
        except SourceError:
            self.end(order, "It was not completed.")
            raise
        self._records.put(_record(order), {})

    def reference(self, transfer: str) -> tuple[str, str]:
        """Return address and token of a pull, which EDC keeps a moment later than it tells the start."""
        for _ in waits(self._patience, self._sleep):
            try:
                return self._management.reference(transfer)
            except EdcRefused as error:
                if error.status != 404:
                    raise
        raise SourceError("the transfer started, and EDC has no reference to it", where=transfer, next="fetch it again")


class _Pulling:
    """One pull: its transfer, its reference, and what to try when the data plane no longer takes the token.

    EDC's data plane wants the token as it is; others want it after ``Bearer``.
    """

    def __init__(self, transfers: EdcTransfers, order: Order, progress: Progress) -> None:
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
        self._transfers.wait(self._transfer, started)
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
        transfer = self._transfers.begin(self._order, "pull", {})
        self._transfers.wait(transfer, started)
        return transfer, self._transfers.reference(transfer)


def _record(order: Order) -> str:
    """Return the name of what is kept of an order."""
    return hashlib.sha256(order.agreement.encode()).hexdigest()
