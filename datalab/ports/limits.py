"""What bounds an exchange with a counterparty, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from datalab.errors import SourceError


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one client. Times in seconds, sizes in bytes."""

    connect: float = 5.0
    idle: float = 20.0
    """The longest silence within an answer."""
    seconds: float = 60.0
    """The longest time for a whole message, redirects and reading included."""
    message: int = 16 << 20
    redirects: int = 3
    attempts: int = 4
    """Tries of a message, and tries of a download that bring no byte."""
    backoff: float = 0.2
    longest_wait: float = 30.0
    """The longest Retry-After that is honoured; a peer that asks for more has failed."""
    download_seconds: float = 6 * 3600.0
    slowest: float = 1024.0
    """Bytes a second that a download must reach on average after ``idle`` seconds."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON message as received: status, headers (lower case), the body read and to the letter."""

    status: int
    headers: Mapping[str, str]
    body: Any
    text: str = field(repr=False)


class HttpRefused(SourceError):
    """The peer answered with a status that was not expected."""

    status: int = 0
    body: Any = None
