"""The service that starts workers for a portable runner (Beam's EXTERNAL environment): one on every machine of a cluster.

Beam ships one too (``worker_pool_main``). It gives a worker's output to a pipe that nobody reads, so that a worker hangs after
64 KiB of it, and starts ``python`` from PATH instead of the environment it runs in itself. This one writes output to files and
starts its own interpreter.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, Self

from datalab.engine.process import surroundings

_PATIENCE = 10.0
"""Seconds that a worker is given to end before it is killed."""


class WorkerPool:
    """A worker pool on ``port`` (0: any free one) of ``host``. Use it as a context manager; leaving it ends the workers."""

    def __init__(self, port: int = 0, *, host: str = "127.0.0.1", logs: Path | None = None) -> None:
        self.logs = logs or Path(tempfile.mkdtemp(prefix="datalab-beam-"))
        self._host = host
        self._port = port
        self._server: Any = None
        self._workers: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()

    @property
    def address(self) -> str:
        """Where runners reach the service, ``host:port``."""
        return f"{self._host}:{self._port}"

    def __enter__(self) -> Self:
        from concurrent.futures import ThreadPoolExecutor

        import grpc
        from apache_beam.portability.api import beam_fn_api_pb2_grpc

        self.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        options = [("grpc.http2.max_pings_without_data", 0), ("grpc.http2.max_ping_strikes", 0)]
        self._server = grpc.server(ThreadPoolExecutor(8, "datalab-worker-pool"), options=options)
        self._port = self._server.add_insecure_port(self.address)
        beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(self, self._server)
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(0).wait()
        with self._lock:
            workers, self._workers = list(self._workers.values()), {}
        _end(workers)

    def wait(self) -> None:
        """Serve until the process is told to end."""
        self._server.wait_for_termination()

    def StartWorker(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name in Beam's protocol
        """Start one worker process for a job."""
        from apache_beam.portability.api import beam_fn_api_pb2

        command = [sys.executable, "-m", "datalab.engine.beam.harness", request.control_endpoint.url, request.worker_id]
        name = "".join(letter if letter.isalnum() else "-" for letter in request.worker_id)
        try:
            with self._lock, (self.logs / f"worker-{name}.log").open("ab") as log:
                self._reap()
                self._workers[request.worker_id] = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **surroundings()},
                    start_new_session=True,  # Ctrl-C at the pool's terminal is the pool's to handle
                )
        except OSError as error:
            return beam_fn_api_pb2.StartWorkerResponse(error=f"cannot start a worker: {error.strerror}")
        return beam_fn_api_pb2.StartWorkerResponse()

    def StopWorker(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name in Beam's protocol
        """End one worker process."""
        from apache_beam.portability.api import beam_fn_api_pb2

        with self._lock:
            worker = self._workers.pop(request.worker_id, None)
        if worker:
            _end([worker])
        return beam_fn_api_pb2.StopWorkerResponse()

    def _reap(self) -> None:
        """Forget workers that ended by themselves, because their runner was gone."""
        for name in [name for name, worker in self._workers.items() if worker.poll() is not None]:
            del self._workers[name]


def _end(workers: list[subprocess.Popen[bytes]]) -> None:
    for worker in workers:
        worker.terminate()
    for worker in workers:
        try:
            worker.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()


def main(arguments: list[str]) -> None:
    """Serve as a command: ``python -m datalab.engine.beam.worker_pool --port 50000``."""
    import argparse
    import signal

    parser = argparse.ArgumentParser(prog="python -m datalab.engine.beam.worker_pool", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="the port to listen on; 0 takes a free one and says which")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--logs", type=Path, help="the folder for the workers' output")
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with WorkerPool(given.port, host=given.host, logs=given.logs) as pool, contextlib.suppress(KeyboardInterrupt):
        print(f"worker pool at {pool.address}, output of workers in {pool.logs}", flush=True)  # noqa: T201 - a command
        pool.wait()


if __name__ == "__main__":
    main(sys.argv[1:])
