"""The consumer's callback endpoint: a small ASGI application on a loopback port, in a thread, for as long as it is needed."""

from __future__ import annotations

import atexit
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakSet

from datalab.errors import DatalabError, ProtocolError, SourceError, StorageFailed
from datalab_connectors.dsp.messages import message, read_json
from datalab_connectors.dsp.store import Process

if TYPE_CHECKING:
    from starlette.responses import Response

_LARGEST = 1 << 20
HOST = "127.0.0.1"


class Listener(Protocol):
    """What answers the callbacks."""

    def hear(self, kind: str, pid: str, move: str, body: Any, text: str) -> None:
        """Take a message; raise ``ProtocolError`` for one that is not allowed."""

    def look(self, kind: str, pid: str) -> Process | None:
        """Return a process."""


_threads: WeakSet[threading.Thread] = WeakSet()


@atexit.register
def _join() -> None:
    """Wait for the servers that are closing: one that still runs while the interpreter is taken down can crash it (SIGSEGV)."""
    for thread in list(_threads):
        thread.join(timeout=2)


class Callbacks:
    """Serves callbacks until ``close``; ``ended`` is called when no callback can come any more."""

    def __init__(self, listener: Listener, port: int, ended: Callable[[], None]) -> None:
        import uvicorn

        self._socket = _bind(port)
        self.port: int = self._socket.getsockname()[1]
        self.address = f"http://{HOST}:{self.port}"
        config = uvicorn.Config(
            _application(listener),
            log_level="warning",
            ws="none",
            lifespan="off",
            access_log=False,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._ended = ended
        self._thread = threading.Thread(target=self._run, name="dsp-callbacks", daemon=True)
        self._thread.start()
        _threads.add(self._thread)

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._socket.close()
            self._ended()

    def close(self) -> None:
        """Stop listening; the thread ends by itself within a moment."""
        self._server.should_exit = True


def _bind(port: int) -> socket.socket:
    """Bind the port of an unfinished negotiation if it is still free, else any."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError:
        listener.bind((HOST, 0))
    listener.listen(64)
    return listener


def _application(listener: Listener) -> Any:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route

    def answer(kind: str) -> Callable[[Request], Any]:
        error_kind = "ContractNegotiationError" if kind == "negotiation" else "TransferError"

        async def hear(request: Request) -> Response:
            pid, move = request.path_params["pid"], request.path_params["move"]
            body: Any = None
            try:
                raw = b""
                async for block in request.stream():
                    raw += block
                    if len(raw) > _LARGEST:
                        raise ProtocolError("the message is too long")
                body = read_json(raw)
                if listener.look(kind, pid) is None:
                    return JSONResponse(_error(error_kind, "", pid, "unknown", "no such process"), status_code=404)
                listener.hear(kind, pid, move, body, raw.decode())
            except (StorageFailed, SourceError, UnicodeDecodeError) as error:
                return _refusal(error_kind, pid, body, error)
            return Response(status_code=200)

        return hear

    def look(kind: str, shape: str) -> Callable[[Request], Any]:
        async def state(request: Request) -> Response:
            process = listener.look(kind, request.path_params["pid"])
            if process is None:
                told = _error(
                    shape.replace("Process", "") + "Error", "", request.path_params["pid"], "unknown", "no such process"
                )
                return JSONResponse(told, status_code=404)
            return JSONResponse(message(shape, providerPid=process.peer, consumerPid=process.pid, state=process.state))

        return state

    return Starlette(
        routes=[
            Route("/negotiations/{pid}", look("negotiation", "ContractNegotiation")),
            Route("/negotiations/{pid}/{move}", answer("negotiation"), methods=["POST"]),
            Route("/transfers/{pid}", look("transfer", "TransferProcess")),
            Route("/transfers/{pid}/{move}", answer("transfer"), methods=["POST"]),
        ]
    )


def _refusal(kind: str, pid: str, body: Any, error: Exception) -> Response:
    """Answer a message that was not taken in: 503 where the fault is ours and the provider may say it again, 400 where it is wrong."""
    from starlette.responses import JSONResponse

    provider = body.get("providerPid") if isinstance(body, dict) else ""
    reason = error.what if isinstance(error, DatalabError) else "the message is not UTF-8"
    ours = isinstance(error, StorageFailed)
    told = _error(kind, provider if isinstance(provider, str) else "", pid, "unavailable" if ours else "illegal", reason)
    return JSONResponse(told, status_code=503 if ours else 400)


def _error(kind: str, provider: str, consumer: str, code: str, reason: str) -> dict[str, Any]:
    return message(kind, providerPid=provider, consumerPid=consumer, code=code, reason=[reason])
