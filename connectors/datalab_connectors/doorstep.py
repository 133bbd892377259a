"""Where others reach a connector, and the small server that waits there for as long as it is needed."""

from __future__ import annotations

import atexit
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

from datalab.errors import UsageError
from datalab.ports import listening

HOST = "127.0.0.1"
_threads: WeakSet[threading.Thread] = WeakSet()


@dataclass(frozen=True, slots=True)
class Doorstep:
    """``host`` and ``port`` (0: any) to listen on, ``address`` as the others reach it ("" for that)."""

    host: str = HOST
    port: int = 0
    address: str = ""

    def reached(self, port: int) -> str:
        """Return the address that others are told, where it is ``port`` that is listened on."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.address.rstrip("/") or f"http://{host}:{port}"


@atexit.register
def _join() -> None:
    """Wait for the servers that are closing: one that still runs while the interpreter is taken down can crash it (SIGSEGV)."""
    for thread in list(_threads):
        thread.join(timeout=2)


def listen(
    door: Doorstep,
    what: str,
    *,
    elsewhere: bool = False,
    remedy: str = "wait for the other run, or change listen in datalab.toml",
) -> socket.socket:
    """Return a socket that listens there; ``elsewhere``: on any port of the host where the one asked for is taken."""
    listener = socket.socket(socket.AF_INET6 if ":" in door.host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        try:
            listener.bind((door.host, door.port))
        except OSError:
            if not elsewhere:
                raise
            listener.bind((door.host, 0))
        listener.listen(64)
    except OSError as error:
        listener.close()
        raise UsageError(
            f"{what} cannot be listened on: {error.strerror or error}", where=f"{door.host}, port {door.port}", next=remedy
        ) from None
    return listener


class Serving:
    """An ASGI application served in a thread of its own until ``close``; ``ended`` is called when no request can come any more."""

    def __init__(
        self,
        application: Any,
        listener: socket.socket,
        name: str,
        *,
        ended: Callable[[], None] = lambda: None,
        log_level: str = "warning",
    ) -> None:
        self.port: int = listener.getsockname()[1]
        self._socket = listener
        self._ended = ended
        self._server = listening.server(application, listening.FILES, log_level=log_level, timeout_graceful_shutdown=1)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()
        _threads.add(self._thread)

    def close(self, wait: float = 0.0) -> None:
        """Stop listening; the thread ends by itself within a moment, which is waited for so many seconds."""
        self._server.should_exit = True
        if wait:
            self._thread.join(timeout=wait)

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._socket.close()
            self._ended()
