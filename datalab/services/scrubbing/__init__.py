"""Scrubbing: find personal data and redact, mask, pseudonymise, generalise or drop it."""

from __future__ import annotations

from datalab.services.scrubbing.catalogue import ALL
from datalab.services.scrubbing.columns import AgeBand, Columns, Mask, Pseudonym
from datalab.services.scrubbing.presidio import Presidio
from datalab.services.scrubbing.pseudonyms import key_id
from datalab.services.scrubbing.scanning import scan
from datalab.services.scrubbing.text import Text

__all__ = ["ALL", "AgeBand", "Columns", "Mask", "Presidio", "Pseudonym", "Text", "key_id", "scan"]
