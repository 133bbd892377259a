"""The service that starts workers for a portable runner (Beam's EXTERNAL environment): one on every machine of a cluster.

Usage: python -m datalab.engine.beam.worker_pool --port 50000

Beam ships one too (``worker_pool_main``). It gives a worker's output to a pipe that nobody reads, so that a worker hangs after
64 KiB of it, starts ``python`` from PATH instead of the environment it runs in, and listens on all addresses. This one holds
Beam's side of a worker in a thread; what works is a process of our own, started by `datalab.engine.beam.hands`, that stays
from one job to the next and writes where this process writes.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
from typing import Any, Self

from datalab.engine.beam.hands import dismiss

_LOG = logging.getLogger(__name__)


class WorkerPool:
    """A worker pool on ``port`` (0: any free one) of ``host``. Use it as a context manager; leaving it ends the workers."""

    def __init__(self, port: int = 0, *, host: str = "127.0.0.1") -> None:
        self._host = host
        self._port = port
        self._server: Any = None
        self._harnesses: dict[str, Any] = {}

    @property
    def address(self) -> str:
        """Where runners reach the service, ``host:port``."""
        return f"{self._host}:{self._port}"

    def __enter__(self) -> Self:
        from concurrent.futures import ThreadPoolExecutor

        import grpc  # type: ignore[import-untyped]
        from apache_beam.portability.api import beam_fn_api_pb2_grpc

        services: Any = beam_fn_api_pb2_grpc
        options = [("grpc.http2.max_pings_without_data", 0), ("grpc.http2.max_ping_strikes", 0), ("grpc.so_reuseport", 0)]
        self._server = grpc.server(ThreadPoolExecutor(8, "datalab-worker-pool"), options=options)
        self._port = self._server.add_insecure_port(self.address)
        services.add_BeamFnExternalWorkerPoolServicer_to_server(self, self._server)
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(0).wait()
        for name in list(self._harnesses):
            self._stop(name)
        dismiss()

    def wait(self) -> None:
        """Serve until the process is told to end."""
        self._server.wait_for_termination()

    def StartWorker(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name in Beam's protocol
        """Start a worker for a job."""
        from apache_beam.portability.api import beam_fn_api_pb2
        from apache_beam.runners.worker.sdk_worker import SdkHarness

        name = request.worker_id
        try:
            self._harnesses[name] = SdkHarness(request.control_endpoint.url, worker_id=name)
        except Exception as error:  # noqa: BLE001 - the runner is told, whatever it is
            return beam_fn_api_pb2.StartWorkerResponse(error=f"{type(error).__name__}: {error}")
        threading.Thread(target=self._serve, args=(name,), daemon=True, name=f"datalab-worker-{name}").start()
        return beam_fn_api_pb2.StartWorkerResponse()

    def StopWorker(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name in Beam's protocol
        """End a worker."""
        from apache_beam.portability.api import beam_fn_api_pb2

        self._stop(request.worker_id)
        return beam_fn_api_pb2.StopWorkerResponse()

    def _serve(self, name: str) -> None:
        try:
            self._harnesses[name].run()
        except Exception as error:  # noqa: BLE001 - a runner that is gone is no concern of the next job
            _LOG.warning("the runner of worker %s is gone: %s", name, type(error).__name__)
        finally:
            self._harnesses.pop(name, None)

    def _stop(self, name: str) -> None:
        from apache_beam.utils.sentinel import Sentinel

        harness = self._harnesses.pop(name, None)
        if harness is not None:  # there is no public way; Beam's own pool does the same
            harness._responses.put(Sentinel.sentinel)  # noqa: SLF001


def main(arguments: list[str]) -> None:
    """Serve as a command."""
    import argparse
    import os
    import signal

    parser = argparse.ArgumentParser(prog="python -m datalab.engine.beam.worker_pool", description="Workers for a Beam runner.")
    parser.add_argument("--port", type=int, default=0, help="the port to listen on; 0 takes a free one and says which")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    given = parser.parse_args(arguments)
    os.umask(0o077)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with WorkerPool(given.port, host=given.host) as pool, contextlib.suppress(KeyboardInterrupt):
        print(f"worker pool at {pool.address}", flush=True)  # noqa: T201 - a command
        pool.wait()


if __name__ == "__main__":
    main(sys.argv[1:])
