"""The protocol's endpoints as ASGI routes, for either role: read, hand over, answer, and only then let follow what follows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from datalab.errors import DatalabError, ProtocolError, SourceError, StorageFailed
from datalab_connectors.dsp.callers import Caller
from datalab_connectors.dsp.exchange import Exchange, Unknown
from datalab_connectors.dsp.messages import message, read_json
from datalab_connectors.dsp.transitions import CONSUMER
from datalab_connectors.dsp.versions import V2025_1, Version

Handler = Callable[[Request], Awaitable[Response]]
Identify = Callable[[Request], Caller | None]
"""Who sends a request; None where a process id is proof enough. Raises ``Unknown`` for nobody known."""

_LARGEST = 1 << 20
_ERRORS = {"negotiations": "ContractNegotiationError", "transfers": "TransferError"}
_KINDS = {"negotiations": "negotiation", "transfers": "transfer"}


def process_routes(exchange: Exchange, identify: Identify, version: Version | None, prefix: str = "") -> list[Route]:
    """Return the routes of negotiations and transfers below ``prefix``.

    ``version`` is the one spoken there; None where each process knows its own.
    """
    first = "offers" if exchange.role == CONSUMER else "request"

    def party(request: Request) -> str | None:
        caller = identify(request)
        return caller.participant if caller else None

    def routes(area: str) -> list[Route]:
        kind = _KINDS[area]

        async def opened(request: Request) -> Response:
            process = exchange.open(kind, await read_body(request), identify(request) or Caller(), version or V2025_1)
            return _then(JSONResponse(exchange.state(process), status_code=201), exchange)

        async def look(request: Request) -> Response:
            return JSONResponse(exchange.state(exchange.find(kind, request.path_params["pid"], party(request), version)))

        async def heard(request: Request) -> Response:
            pid, path = request.path_params["pid"], request.path_params["path"].rstrip("/")
            sender = party(request)
            exchange.find(kind, pid, sender, version)
            body = await read_body(request)
            exchange.hear(kind, pid, path, body, request.state.raw.decode(), sender, version)
            return _then(JSONResponse({}, status_code=200), exchange)

        return [
            Route(f"{prefix}/{area}/{first}", guarded(area, opened, version), methods=["POST"]),
            Route(f"{prefix}/{area}/{{pid}}", guarded(area, look, version), methods=["GET"]),
            Route(f"{prefix}/{area}/{{pid}}/{{path:path}}", guarded(area, heard, version), methods=["POST"]),
        ]

    return [*routes("negotiations"), *routes("transfers")]


def guarded(area: str, handler: Handler, version: Version | None = None) -> Handler:
    """Turn errors into the protocol's error bodies: 404 for unknown or not allowed, 400 for everything that is wrong."""
    kind = _ERRORS.get(area, "CatalogError")

    async def guard(request: Request) -> Response:
        try:
            return await handler(request)
        except DatalabError as error:
            status, reason = _status(error), error.what
        except UnicodeDecodeError:
            status, reason = 400, "the message is not UTF-8"
        ids = {} if kind == "CatalogError" else await _ids(request)
        told = message(kind, **ids, code=str(status), reason=[reason])
        return JSONResponse((version or V2025_1).write(told), status_code=status)

    return guard


def _status(error: DatalabError) -> int:
    """Return what an error is in the protocol; 503 where the fault is ours and the message may be said again."""
    return 404 if isinstance(error, Unknown) else 503 if isinstance(error, StorageFailed) else 400


async def read_body(request: Request) -> Any:
    """Read a bounded JSON body; it is kept, so that an error can name the ids in it."""
    if not hasattr(request.state, "raw"):
        raw = b""
        async for block in request.stream():
            raw += block
            if len(raw) > _LARGEST:
                request.state.raw = b""
                raise ProtocolError("the message is too long")
        request.state.raw = raw
    return read_json(request.state.raw)


async def _ids(request: Request) -> dict[str, str]:
    """Return the process ids that an error body must carry, as far as the request names them."""
    body: Any = {}
    try:
        body = await read_body(request) if request.method == "POST" else {}
    except SourceError:
        body = {}
    known = {str(key).removeprefix("dspace:"): value for key, value in body.items()} if isinstance(body, dict) else {}
    found = {name: known.get(name) for name in ("providerPid", "consumerPid")}
    given = request.path_params.get("pid")
    return {name: value if isinstance(value, str) else given if isinstance(given, str) else "" for name, value in found.items()}


def _then(response: Response, exchange: Exchange) -> Response:
    """Answer first: the post is woken once the answer is on its way."""

    async def wake() -> None:
        exchange.wake()

    response.background = BackgroundTask(wake)
    return response
