"""Whether two offers say the same: compared as they are understood, not as they are written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from datalab.policy import parse


def same_terms(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two offers, or an offer and an agreement, have the same rules for the same dataset."""
    if one.get("target") != other.get("target"):
        return False
    left, right = parse(json.dumps(one)), parse(json.dumps(other))
    return (left.permissions, left.prohibitions, left.obligations, left.unknown) == (
        right.permissions,
        right.prohibitions,
        right.obligations,
        right.unknown,
    )
