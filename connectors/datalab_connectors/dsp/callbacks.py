"""The consumer's callback endpoint: a small ASGI application, in a thread, for as long as it is needed.

Data that a provider pushes lands here too: ``PUT /landing/<transfer>/<name>``, resumable, under the transfer's token.
"""

from __future__ import annotations

import hmac
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from datalab.errors import SourceError
from datalab.ports.landing import Arrival
from datalab_connectors.doorstep import Doorstep, Serving, listen
from datalab_connectors.dsp.exchange import Exchange

_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")


@dataclass(slots=True)
class Delivery:
    """A push that is expected: its token, and the file on its way in."""

    token: str
    arrival: Arrival
    lock: threading.Lock


Deliveries = dict[tuple[str, str], Delivery]


def serve_callbacks(exchange: Exchange, deliveries: Deliveries, door: Doorstep, ended: Callable[[], None]) -> Serving:
    """Serve callbacks on the port asked for if it is free, else any; behind a public address only the port asked for will do."""
    listener = listen(door, "the callback address", elsewhere=not door.address)
    return Serving(_application(exchange, deliveries), listener, "dsp-callbacks", ended=ended)


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
