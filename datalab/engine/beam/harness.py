"""One Beam worker: an SDK harness in a process of its own, started by `worker_pool`.

Usage: python -m datalab.engine.beam.harness CONTROL-ENDPOINT WORKER-ID
"""

from __future__ import annotations

import logging
import os
import sys


def main(arguments: list[str]) -> None:
    """Serve one Beam job until its runner is gone."""
    from apache_beam.runners.worker.sdk_worker import SdkHarness

    control, worker = arguments
    os.umask(0o077)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    SdkHarness(control, worker_id=worker).run()


if __name__ == "__main__":
    main(sys.argv[1:])
