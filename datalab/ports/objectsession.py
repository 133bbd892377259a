"""The HTTP below an object store: it follows no redirect, and no listing or error that is read whole is longer than a message.

aiohttp follows redirects unless told otherwise, and an address written in numbers passes its resolver: a store could send the lab
anywhere, its session token along.
"""

from __future__ import annotations

from typing import Any

from datalab.errors import ProtocolError

_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_REGION = "x-amz-bucket-region"
_MESSAGE = 16 << 20
"""Bytes; a listing of 1000 keys at their longest has less than two million."""


def bounded_session() -> type[Any]:
    """Return the session class for aiobotocore (imported here: it is heavy)."""
    from aiobotocore.httpsession import AIOHTTPSession

    class Session(AIOHTTPSession):  # type: ignore[misc]  # it has no types
        async def _get_session(self, proxy_url: str | None) -> Any:
            return _Straight(await super()._get_session(proxy_url))

    return Session


class _Straight:
    """An aiohttp session that goes where it was sent and nowhere else."""

    def __init__(self, session: Any) -> None:
        self._session = session

    async def request(self, method: str, **options: Any) -> Any:
        response = await self._session.request(method, **options, allow_redirects=False)
        if response.status in _REDIRECTS and _REGION not in response.headers:
            # botocore takes it for the wrong region, asks for the right one, is redirected, asks …, until the stack overflows
            response.release()
            raise ProtocolError("the store answered with a redirect", where=response.url.host or "")

        async def read() -> bytes:
            kept, size = [], 0
            async for block in response.content.iter_any():
                size += len(block)
                if size > _MESSAGE:
                    if (transport := response.connection and response.connection.transport) is not None:
                        transport.abort()  # nothing of the rest is waited for
                    response.close()
                    raise ProtocolError(f"the answer is longer than {_MESSAGE} bytes", where=response.url.host or "")
                kept.append(block)
            return b"".join(kept)

        response.read = read  # what streams is read by `content` and counted by who asked
        return response
