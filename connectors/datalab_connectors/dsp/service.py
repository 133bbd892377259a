"""A provider's endpoints: versions, catalogue, negotiations, transfers and the data itself, in every version spoken here."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from datalab.errors import PolicyRefusal, ProtocolError
from datalab_connectors.dsp.endpoints import Handler, Identify, guarded, process_routes, read_body
from datalab_connectors.dsp.exchange import Exchange, Unknown
from datalab_connectors.dsp.holdings import catalogue_of, dataset_of
from datalab_connectors.dsp.messages import message
from datalab_connectors.dsp.provider import Expired, Provider
from datalab_connectors.dsp.versions import SPOKEN, WELL_KNOWN, Version, announced

_EDC = "https://w3id.org/edc/v0.0.1/ns/"
_MOST = 1000
"""Datasets in one answer."""


def provider_routes(
    provider: Provider, exchange: Exchange, identify: Identify, *, base: str, page_size: int = 50
) -> list[Route]:
    """Return all routes of a provider that is reached at ``base``."""
    data = _data(provider, exchange)
    return [
        Route(WELL_KNOWN, _versions),
        *(route for version in SPOKEN for route in _routes(provider, exchange, identify, base, page_size, version)),
        Route(f"/{SPOKEN[0].name}/data/{{pid}}/{{name:path}}", guarded("data", data), methods=["GET"]),
        Route(f"/{SPOKEN[0].name}/data/{{pid}}", guarded("data", data), methods=["GET"]),
    ]


def _routes(
    provider: Provider, exchange: Exchange, identify: Identify, base: str, page_size: int, version: Version
) -> list[Route]:
    prefix = f"/{version.name}"
    endpoint = base + prefix

    async def catalogue(request: Request) -> Response:
        identify(request)
        asked = version.read(await read_body(request), "CatalogRequestMessage")
        window = _window(asked.get("filter"))
        if window is not None:
            picked = list(provider.shelf.values())[window[0] : sum(window)]
            return JSONResponse(version.write(catalogue_of(picked, provider.participant, endpoint)))
        page = request.query_params.get("page", "1")
        number = int(page) if page.isascii() and page.isdigit() and len(page) < 9 else 1
        holdings = list(provider.shelf.values())
        start = (max(number, 1) - 1) * page_size
        links = [
            f'<{endpoint}/catalog/request?page={other}>; rel="{name}"'
            for name, other, there in (
                ("previous", number - 1, number > 1),
                ("next", number + 1, start + page_size < len(holdings)),
            )
            if there
        ]
        body = catalogue_of(holdings[start : start + page_size], provider.participant, endpoint)
        answer = JSONResponse(version.write(body))
        if links:
            answer.headers["link"] = ", ".join(links)
        return answer

    async def dataset(request: Request) -> Response:
        identify(request)
        holding = provider.shelf.get(request.path_params["id"])
        if holding is None:
            raise Unknown("no such dataset")
        body = dataset_of(holding, provider.participant, endpoint)
        return JSONResponse(version.write(message("Dataset", **{key: value for key, value in body.items() if key != "@type"})))

    return [
        Route(f"{prefix}/catalog/request", guarded("catalog", catalogue, version), methods=["POST"]),
        Route(f"{prefix}/catalog/datasets/{{id:path}}", guarded("catalog", dataset, version), methods=["GET"]),
        *process_routes(exchange, identify, version, prefix),
    ]


def _window(asked: Any) -> tuple[int, int] | None:
    """Return start and number of the datasets in the query that an Eclipse EDC connector sends as a filter, whatever it wants.

    One that picks datasets by their properties is refused, and so is any other filter. None: there is none.
    """
    if not asked:
        return None
    queries = [
        {str(key).removeprefix("edc:").removeprefix(_EDC): value for key, value in query.items()}
        for query in (asked if isinstance(asked, list) else [asked])
        if isinstance(query, Mapping)
    ]
    query = queries[0] if len(queries) == 1 else {}
    known = str(query.get("@type", "")).endswith("QuerySpec") and not query.get("filterExpression")
    start, size = query.get("offset", 0), query.get("limit", 50)
    if not (known and all(isinstance(number, int | float) and 0 <= number < 2**31 for number in (start, size))):
        raise ProtocolError("this catalogue does not filter")
    return int(start), min(int(size), _MOST)


def _data(provider: Provider, exchange: Exchange) -> Handler:
    async def data(request: Request) -> Response:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        pid = request.path_params["pid"]
        try:
            file = provider.file(pid, request.path_params.get("name", ""), token)
        except Expired as error:
            exchange.make(error.process, provider.ending(error.process, ["The token has expired."]))
            return JSONResponse({"reason": [error.what]}, status_code=403)
        except PolicyRefusal as error:
            return JSONResponse({"reason": [error.what]}, status_code=403)
        answer = _File(file.path, media_type=file.media_type, headers={"etag": f'"{file.sha256}"'})
        answer.wanted = lambda: provider.flowing(pid, token)
        return answer

    return data


class _File(FileResponse):
    """A file in blocks large enough that the disk, not Python, is the limit; cut off where it is no longer to flow."""

    chunk_size: ClassVar[int] = 1 << 20  # type: ignore[misc]
    wanted: Callable[[], bool] = staticmethod(lambda: True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file; before each block, ask whether to go on."""

        async def guarded(event: Message) -> None:
            if event["type"] == "http.response.body" and not self.wanted():
                raise _CutOff
            await send(event)

        with contextlib.suppress(_CutOff):
            await super().__call__(scope, receive, guarded)


class _CutOff(Exception):
    """The transfer was suspended or ended while its file was on the way."""


async def _versions(_: Request) -> Response:
    return JSONResponse(announced())
