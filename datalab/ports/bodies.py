"""Bodies of answers, read whole: never longer than allowed, packed or not, and JSON that no reader of it stumbles over."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator
from typing import Any

import httpcore
import httpx

from datalab.errors import ProtocolError
from datalab.ports.reach import Stream, shown

_AT_ONCE = 1 << 20
"""Bytes that are taken from a connection at a time: each time costs Python more than the bytes."""
_DEEPEST = 100
"""Nesting that is read. Messages and records need less than twenty, and much that reads them is recursive."""
_LENGTH = re.compile(r"[0-9]{1,18}")
_HALF = re.compile(r"\\u[dD][89a-fA-F]")


class Nested(ValueError):
    """JSON that is nested deeper than anything reads."""


def whole(response: httpx.Response, limit: int, url: str) -> bytes:
    """Return the body of an answer; raise ``ProtocolError`` beyond ``limit`` bytes, counted unpacked.

    Nothing packed is asked for. Some servers send gzip all the same; every other packing is refused: one block of it, or of gzip
    within gzip, can stand for gigabytes.
    """
    packing = response.headers.get("content-encoding", "").strip().lower()
    if packing not in {"", "identity", "gzip", "x-gzip"}:
        raise ProtocolError("the answer came in a content encoding that was not asked for", where=shown(url))
    unpacking = zlib.decompressobj(wbits=31) if packing.endswith("gzip") else None
    kept, size, came = [], 0, False
    for received in response.iter_raw():
        came = came or bool(received)
        try:
            block = unpacking.decompress(received, limit - size + 1) if unpacking else received
        except zlib.error:
            raise ProtocolError("the answer is not in the encoding it claims", where=shown(url)) from None
        size += len(block)
        if size > limit:
            raise ProtocolError(f"the answer is longer than {limit} bytes", where=shown(url))
        kept.append(block)
    if unpacking is not None and came and not unpacking.eof:
        raise ProtocolError("the answer is not in the encoding it claims", where=shown(url))
    return b"".join(kept)


def rest_of(response: httpx.Response, idle: float) -> Iterator[bytes | memoryview]:
    """Yield the body of an answer as it comes; a block is good until the next is asked for.

    Where its length is known, all but its beginning goes past the parser, which copies each byte three times. The connection is
    closed afterwards. Raise what httpcore raises where the connection ends before the body.
    """
    length = response.headers.get("content-length", "")
    left = int(length) if _LENGTH.fullmatch(length) and "transfer-encoding" not in response.headers else -1
    stream = response.extensions.get("network_stream")
    parsed = response.iter_raw()
    for block in parsed:
        yield block
        left -= len(block)
        if left > 0 and isinstance(stream, Stream):  # the parser gives all it has: the rest is still on the way
            break
    else:
        return
    buffer = memoryview(bytearray(min(left, _AT_ONCE)))
    while left:
        count = stream.gather(buffer[: min(left, len(buffer))], idle)
        if not count:
            raise httpcore.RemoteProtocolError(f"the connection ended {left} bytes before the end")
        left -= count
        yield buffer[:count]


def parse_json(text: str) -> Any:
    """Return what a JSON text says; raise ``ValueError`` where it is none, `Nested` where it is too deep.

    Half a surrogate pair, which JSON can name and no file or database can hold, becomes a question mark.
    """
    try:
        body = json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise Nested from None
    level = [body]
    for _ in range(_DEEPEST):
        level = [
            inner
            for item in level
            if isinstance(item, dict | list)
            for inner in (item.values() if isinstance(item, dict) else item)
            if isinstance(inner, dict | list)
        ]
        if not level:
            break
    else:
        raise Nested
    if _HALF.search(text):
        body = json.loads(json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"))
    return body


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
