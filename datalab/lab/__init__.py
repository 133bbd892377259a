"""The use cases: the only floor that knows the whole story."""

from __future__ import annotations

from datalab.lab.lab import Lab, open_lab
from datalab.lab.run import run_pipeline

__all__ = ["Lab", "open_lab", "run_pipeline"]
