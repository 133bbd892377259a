"""Where others reach a connector: the address it listens on, and the one that they are told."""

from __future__ import annotations

from dataclasses import dataclass

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Doorstep:
    """``host`` and ``port`` (0: any) to listen on, ``address`` as the others reach it ("" for that)."""

    host: str = HOST
    port: int = 0
    address: str = ""
