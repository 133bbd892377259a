"""The sandbox as an ASGI application: Dataspace Protocol, data, the Simpl facade, and a health check."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from datalab.errors import DatalabError, PolicyRefusal, ProtocolError, StorageFailed
from datalab_connectors.dsp.messages import VERSION, message, read_json, received
from datalab_connectors.dsp.post import Post
from datalab_connectors.dsp.store import Process
from datalab_connectors.sandbox.catalogue import catalogue, dataset
from datalab_connectors.sandbox.facade import routes as facade_routes
from datalab_connectors.sandbox.identity import Caller, read_caller
from datalab_connectors.sandbox.provider import NEGOTIATIONS, TRANSFERS, Provider, Unknown

_LARGEST = 1 << 20
Handler = Callable[[Request], Awaitable[Response]]


def build(provider: Provider, post: Post, *, base: str, page_size: int = 50) -> Starlette:
    """Return the application of a provider that is reached at ``base``."""
    endpoint = f"{base}/{VERSION}"
    protocol = _Protocol(provider, post, endpoint, page_size)
    table: list[tuple[str, str, Handler]] = [
        ("POST", "/catalog/request", protocol.catalogue),
        ("GET", "/catalog/datasets/{id:path}", protocol.dataset),
        ("POST", "/negotiations/request", protocol.negotiation_request),
        ("GET", "/negotiations/{pid}", protocol.negotiation),
        ("POST", "/negotiations/{pid}/agreement/{move}", protocol.negotiation_step),
        ("POST", "/negotiations/{pid}/{move}", protocol.negotiation_step),
        ("POST", "/transfers/request", protocol.transfer_request),
        ("GET", "/transfers/{pid}", protocol.transfer),
        ("POST", "/transfers/{pid}/{move}", protocol.transfer_step),
        ("GET", "/data/{pid}/{name:path}", protocol.data),
    ]
    routes = [Route(f"/{VERSION}{path}", _guarded(path, handler), methods=[method]) for method, path, handler in table]
    return Starlette(
        routes=[
            Route("/.well-known/dspace-version", _versions),
            Route("/health", _health),
            *routes,
            *facade_routes(provider.shelf, base, endpoint),
        ]
    )


class _Protocol:
    """The endpoints of the provider, each a few lines: read, hand over, answer, wake the post."""

    def __init__(self, provider: Provider, post: Post, endpoint: str, page_size: int) -> None:
        self._provider = provider
        self._post = post
        self._endpoint = endpoint
        self._page_size = page_size

    async def catalogue(self, request: Request) -> Response:
        asked = received(await _body(request), "CatalogRequestMessage")
        if asked.get("filter"):
            raise ProtocolError("this catalogue does not filter")
        page = request.query_params.get("page", "1")
        number = int(page) if page.isascii() and page.isdigit() and len(page) < 9 else 1
        holdings = list(self._provider.shelf.values())
        start = (max(number, 1) - 1) * self._page_size
        links = [
            f'<{self._endpoint}/catalog/request?page={other}>; rel="{name}"'
            for name, other, there in (
                ("previous", number - 1, number > 1),
                ("next", number + 1, start + self._page_size < len(holdings)),
            )
            if there
        ]
        answer = JSONResponse(catalogue(holdings[start : start + self._page_size], self._endpoint))
        if links:
            answer.headers["link"] = ", ".join(links)
        return answer

    async def dataset(self, request: Request) -> Response:
        holding = self._provider.shelf.get(request.path_params["id"])
        if holding is None:
            raise Unknown("no such dataset")
        body = {key: value for key, value in dataset(holding, self._endpoint).items() if key != "@type"}
        return JSONResponse(message("Dataset", **body))

    async def negotiation_request(self, request: Request) -> Response:
        process = self._provider.request(await _body(request), _caller(request))
        return self._done(JSONResponse(_state("ContractNegotiation", process), status_code=201))

    async def negotiation(self, request: Request) -> Response:
        return JSONResponse(_state("ContractNegotiation", self._find(NEGOTIATIONS, request)))

    async def negotiation_step(self, request: Request) -> Response:
        move = request.path_params["move"]
        process = self._find(NEGOTIATIONS, request)
        nested = request.url.path.rsplit("/", 2)[1] == "agreement"
        if move not in {"request", "events", "verification", "termination"} or nested != (move == "verification"):
            raise Unknown("no such endpoint")
        self._provider.negotiate(process, move, await _body(request))
        return self._done(Response(status_code=200))

    async def transfer_request(self, request: Request) -> Response:
        process = self._provider.transfer(await _body(request), _caller(request))
        return self._done(JSONResponse(_state("TransferProcess", process), status_code=201))

    async def transfer(self, request: Request) -> Response:
        return JSONResponse(_state("TransferProcess", self._find(TRANSFERS, request)))

    async def transfer_step(self, request: Request) -> Response:
        process = self._find(TRANSFERS, request)
        if request.path_params["move"] not in {"start", "completion", "suspension", "termination"}:
            raise Unknown("no such endpoint")
        self._provider.steer(process, request.path_params["move"], await _body(request))
        return self._done(Response(status_code=200))

    async def data(self, request: Request) -> Response:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        try:
            file = self._provider.file(request.path_params["pid"], request.path_params["name"], token)
        except PolicyRefusal as error:
            return self._done(JSONResponse({"reason": [error.what]}, status_code=403))
        return FileResponse(file.path, media_type=file.media_type, headers={"etag": f'"{file.sha256}"'})

    def _find(self, kind: str, request: Request) -> Process:
        return self._provider.find(kind, request.path_params["pid"], _caller(request))

    def _done(self, response: Response) -> Response:
        """Answer first: the post is woken once the answer is on its way."""
        from starlette.background import BackgroundTask

        response.background = BackgroundTask(self._wake)
        return response

    async def _wake(self) -> None:
        self._post.wake()


def _guarded(path: str, handler: Handler) -> Handler:
    """Turn errors into the protocol's error bodies: 404 for unknown or not allowed, 400 for everything that is wrong."""
    area = path.split("/")[1]
    kind = {"negotiations": "ContractNegotiationError", "transfers": "TransferError"}.get(area, "CatalogError")

    async def guarded(request: Request) -> Response:
        try:
            return await handler(request)
        except DatalabError as error:
            status = 404 if isinstance(error, Unknown) else 503 if isinstance(error, StorageFailed) else 400
            ids = {} if kind == "CatalogError" else await _ids(request)
            return JSONResponse(message(kind, **ids, code=str(status), reason=[error.what]), status_code=status)

    return guarded


async def _ids(request: Request) -> dict[str, str]:
    """Return the process ids that an error body must carry, as far as the request names them."""
    body: Any = {}
    try:
        body = await _body(request) if request.method == "POST" else {}
    except ProtocolError:
        body = {}
    known = body if isinstance(body, dict) else {}
    provider = request.path_params.get("pid") or known.get("providerPid")
    consumer = known.get("consumerPid")
    return {
        "providerPid": provider if isinstance(provider, str) else "",
        "consumerPid": consumer if isinstance(consumer, str) else "",
    }


async def _body(request: Request) -> Any:
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


def _caller(request: Request) -> Caller:
    return read_caller(request.headers.get("authorization", ""))


def _state(kind: str, process: Process) -> dict[str, Any]:
    return message(kind, providerPid=process.pid, consumerPid=process.peer, state=process.state)


async def _versions(_: Request) -> Response:
    return JSONResponse({"protocolVersions": [{"version": VERSION, "path": f"/{VERSION}", "binding": "HTTPS"}]})


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "up", "service": "datalab sandbox", "pid": os.getpid()})
