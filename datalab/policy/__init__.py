"""The ODRL profile of datalab: read terms, intersect them, decide. Fail closed."""

from __future__ import annotations

from datalab.policy import terms
from datalab.policy.deletion import Deletion, deletion
from datalab.policy.doors import decide
from datalab.policy.facts import Facts, Standing
from datalab.policy.grants import acquire_subject, acquire_target, check_grant, decide_acquisition
from datalab.policy.intersect import as_odrl, carried, intersect, since
from datalab.policy.odrl import parse
from datalab.policy.overrides import Override
from datalab.policy.unknown import Unknown, unknown_parts
from datalab.policy.words import explain, in_words, valid_until

__all__ = [
    "Deletion",
    "Facts",
    "Override",
    "Standing",
    "Unknown",
    "acquire_subject",
    "acquire_target",
    "as_odrl",
    "carried",
    "check_grant",
    "decide",
    "decide_acquisition",
    "deletion",
    "explain",
    "in_words",
    "intersect",
    "parse",
    "since",
    "terms",
    "unknown_parts",
    "valid_until",
]
