"""The consumer's callback endpoint: a small ASGI application, in a thread, for as long as it is needed.

Data that a provider pushes lands here too: ``PUT /landing/<transfer>/<name>``, resumable, under the transfer's token.
"""

from __future__ import annotations

import atexit
import hmac
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

from datalab.errors import SourceError, UsageError
from datalab.ports import listening
from datalab.ports.landing import Arrival
from datalab_connectors.doorstep import Doorstep
from datalab_connectors.dsp.exchange import Exchange

_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")


@dataclass(slots=True)
class Delivery:
    """A push that is expected: its token, and the file on its way in."""

    token: str
    arrival: Arrival
    lock: threading.Lock


Deliveries = dict[tuple[str, str], Delivery]
_threads: WeakSet[threading.Thread] = WeakSet()


@atexit.register
def _join() -> None:
    """Wait for the servers that are closing: one that still runs while the interpreter is taken down can crash it (SIGSEGV)."""
    for thread in list(_threads):
        thread.join(timeout=2)


class Callbacks:
    """Serves callbacks until ``close``; ``ended`` is called when no callback can come any more."""

    def __init__(self, exchange: Exchange, deliveries: Deliveries, door: Doorstep, ended: Callable[[], None]) -> None:
        self._socket = _bind(door)
        self.port: int = self._socket.getsockname()[1]
        self.address = door.address.rstrip("/") or f"http://{door.host}:{self.port}"
        application = _application(exchange, deliveries)
        self._server = listening.server(application, listening.FILES, log_level="warning", timeout_graceful_shutdown=1)
        self._ended = ended
        self._thread = threading.Thread(target=self._run, name="dsp-callbacks", daemon=True)
        self._thread.start()
        _threads.add(self._thread)

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._socket.close()
            self._ended()

    def close(self) -> None:
        """Stop listening; the thread ends by itself within a moment."""
        self._server.should_exit = True


def _bind(door: Doorstep) -> socket.socket:
    """Bind the port asked for if it is free, else any; behind a public address only the port asked for will do."""
    listener = socket.socket(socket.AF_INET6 if ":" in door.host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((door.host, door.port))
    except OSError:
        if door.address:
            listener.close()
            raise UsageError(f"the callback port {door.port} is taken", next="wait for the other run, or change it") from None
        listener.bind((door.host, 0))
    listener.listen(64)
    return listener


def _application(exchange: Exchange, deliveries: Deliveries) -> Any:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route

    from datalab_connectors.dsp.endpoints import process_routes

    def expected(request: Request) -> Delivery | None:
        found = deliveries.get((request.path_params["pid"], request.path_params["name"]))
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        return found if found and hmac.compare_digest(found.token.encode(), token.encode()) else None

    async def land(request: Request) -> Response:
        delivery = expected(request)
        if delivery is None:
            return JSONResponse({"reason": ["nothing is expected here"]}, status_code=404)
        if request.method == "GET":
            return JSONResponse({"bytes": delivery.arrival.size})
        span = _RANGE.fullmatch(request.headers.get("content-range", ""))
        start = int(span[1]) if span else 0
        if not delivery.lock.acquire(blocking=False):
            return JSONResponse({"reason": ["another part is arriving"]}, status_code=409)
        try:
            if start != delivery.arrival.size:
                return JSONResponse({"bytes": delivery.arrival.size}, status_code=416)
            async for block in request.stream():
                delivery.arrival.write(block)
        except SourceError as error:
            return JSONResponse({"reason": [error.what]}, status_code=413)
        finally:
            delivery.lock.release()
        return JSONResponse({"bytes": delivery.arrival.size}, status_code=201)

    return Starlette(
        routes=[
            Route("/landing/{pid}/{name:path}", land, methods=["GET", "PUT", "POST"]),
            *process_routes(exchange, lambda _: None, None),
        ]
    )
