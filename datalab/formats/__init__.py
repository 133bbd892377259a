"""Readers: bytes of every supported format to bounded batches, with the rows that could not be read.

>>> options = detect(path, {})            # doctest: +SKIP
>>> for chunk in read(path, options, batch_rows=32_768): ...  # doctest: +SKIP
"""

from __future__ import annotations

from datalab.formats.chunk import Chunk, Fault
from datalab.formats.columnar import borders, read_range
from datalab.formats.detect import detect
from datalab.formats.options import FORMATS, Limits, ReadOptions
from datalab.formats.reading import read, schema_of

__all__ = ["FORMATS", "Chunk", "Fault", "Limits", "ReadOptions", "borders", "detect", "read", "read_range", "schema_of"]
