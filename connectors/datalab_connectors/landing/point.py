"""Where a provider pushes to: an HTTP endpoint of ours, open for one file, at an address that nobody can guess.

Simpl's template for HTTP push names a ``baseUrl`` and nothing else, no header and no key: so the address itself is the secret. It is
good for one transfer, is told to the node only, and leads nowhere afterwards.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
from types import TracebackType
from typing import Any, Self

from datalab.errors import SourceError
from datalab.ports.landing import Arrival
from datalab_connectors.doorstep import Doorstep, Serving, listen

_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/[0-9*]{1,18}")


class LandingPoint:
    """Listens while it is open. ``arrived`` is set once a whole body came; ``failure`` says why one was refused.

    ``secret`` is the part of the address that nobody may see.
    """

    def __init__(self, door: Doorstep, arrival: Arrival) -> None:
        self.arrived = threading.Event()
        self.failure: SourceError | None = None
        self._arrival = arrival
        self._door = door
        self.secret = secrets.token_urlsafe(32)
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        listener = listen(self._door, "the landing address")
        self._serving = Serving(self._application(), listener, "landing", log_level="critical")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._serving.close(wait=5)

    @property
    def url(self) -> str:
        """The address to push to."""
        return f"{self._door.reached(self._serving.port)}/landing/{self.secret}"

    def _application(self) -> Any:
        from starlette.applications import Starlette
        from starlette.requests import ClientDisconnect, Request
        from starlette.responses import JSONResponse, Response
        from starlette.routing import Route

        async def land(request: Request) -> Response:
            if not secrets.compare_digest(request.path_params["secret"].encode(), self.secret.encode()):
                return JSONResponse({"reason": ["nothing is expected here"]}, status_code=404)
            if request.method == "GET":
                return JSONResponse({"bytes": self._arrival.size})
            if self.arrived.is_set():
                return JSONResponse({"reason": ["it has arrived already"]}, status_code=409)
            if not self._lock.acquire(blocking=False):
                return JSONResponse({"reason": ["another part is arriving"]}, status_code=409)
            try:
                span = _RANGE.fullmatch(request.headers.get("content-range", ""))
                start = int(span[1]) if span else 0
                if start not in {0, self._arrival.size}:
                    return JSONResponse({"bytes": self._arrival.size}, status_code=416)
                filling = _Filling(self._arrival, start)
                async for block in request.stream():
                    filling.write(block)
                filling.finish()
                self.arrived.set()
            except SourceError as error:
                self.failure = error
                return JSONResponse({"reason": [error.what]}, status_code=413)
            except ClientDisconnect:
                return Response(status_code=400)  # what came is kept; the next try goes on from it
            finally:
                self._lock.release()
            return JSONResponse({"bytes": self._arrival.size}, status_code=201)

        methods = ["GET", "POST", "PUT"]
        return Starlette(
            routes=[
                Route("/landing/{secret}", land, methods=methods),
                Route("/landing/{secret}/{rest:path}", land, methods=methods),
            ]
        )


class _Filling:
    """One body on its way in. One that begins again from the start must repeat what is there already."""

    def __init__(self, arrival: Arrival, start: int) -> None:
        self._arrival = arrival
        self._skipping = arrival.size - start
        self._again = hashlib.sha256()

    def write(self, block: bytes) -> None:
        if self._skipping:
            known, block = block[: self._skipping], block[self._skipping :]
            self._again.update(known)
            self._skipping -= len(known)
            if not self._skipping and self._again.digest() != self._arrival.digest():
                raise SourceError("the file changed while it was being pushed", next="fetch it again")
        if block:
            self._arrival.write(block)

    def finish(self) -> None:
        if self._skipping:
            raise SourceError("the second try was shorter than the first", next="fetch it again")
