"""What the connectors claim about their speed."""

from __future__ import annotations
