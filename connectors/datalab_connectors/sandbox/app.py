"""The sandbox as an ASGI application: Dataspace Protocol, data, the Simpl facade, and a health check."""

from __future__ import annotations

import os

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from datalab_connectors.dsp.callers import Caller, read_caller
from datalab_connectors.dsp.exchange import Exchange
from datalab_connectors.dsp.messages import VERSION
from datalab_connectors.dsp.provider import Provider
from datalab_connectors.dsp.service import provider_routes
from datalab_connectors.sandbox.consumption import ConsumerNode
from datalab_connectors.sandbox.facade import gateway_routes
from datalab_connectors.sandbox.facade import routes as facade_routes


def build(
    provider: Provider, exchange: Exchange, *, base: str, page_size: int = 50, node: ConsumerNode | None = None
) -> Starlette:
    """Return the application of a provider that is reached at ``base``, with a Simpl ``node`` before it."""
    return Starlette(
        routes=[
            Route("/health", _health),
            *provider_routes(provider, exchange, _caller, base=base, page_size=page_size),
            *facade_routes(provider.shelf, base, f"{base}/{VERSION}"),
            *(gateway_routes(provider.shelf, base, node) if node else ()),
        ]
    )


def _caller(request: Request) -> Caller:
    return read_caller(request.headers.get("authorization", ""))


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "up", "service": "datalab sandbox", "pid": os.getpid()})
