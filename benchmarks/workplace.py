"""Where the sides of a comparison work: on the disk that holds the corpus, and cleared away by who measures."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CACHE = Path(__file__).parent / ".data"
PLACE = "DATALAB_BENCHMARK_PLACE"
"""Names the folder of a child that is measured. To remove gigabytes takes seconds, too, and is no part of what either side does."""


@contextmanager
def workplace() -> Iterator[Path]:
    """Give an empty folder, which is removed: by who measures where the child is measured, else here, at the end."""
    if place := os.environ.get(PLACE):
        yield Path(tempfile.mkdtemp(dir=place))
        return
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="run-", dir=CACHE) as folder:
        yield Path(folder)
