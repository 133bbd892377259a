"""Synthesise: replace the rows by generated ones that keep the statistics of the table and none of its people."""

from __future__ import annotations

from datalab.services.synthesis.table import Table

__all__ = ["Table"]
