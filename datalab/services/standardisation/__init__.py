"""Standardisation: one form for names, types, encodings, countries and languages.

>>> from datalab import standardise  # doctest: +SKIP
>>> [standardise.ColumnNames(), standardise.Text(("title",)), standardise.Types({"price": "decimal(12,2)"}, decimal=",")]  # doctest: +SKIP
"""

from __future__ import annotations

from datalab.services.standardisation.codes import Countries, Languages
from datalab.services.standardisation.columns import ColumnNames, Drop, Select
from datalab.services.standardisation.names import Names
from datalab.services.standardisation.text import Encoding, Text
from datalab.services.standardisation.types import Types

__all__ = ["ColumnNames", "Countries", "Drop", "Encoding", "Languages", "Names", "Select", "Text", "Types"]
