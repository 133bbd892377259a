"""The ODRL profile of datalab: read terms, intersect them, decide. Fail closed."""

from __future__ import annotations

from datalab.policy.doors import Facts, decide
from datalab.policy.grants import acquire_subject, acquire_target, check_grant, decide_acquisition
from datalab.policy.odrl import parse
from datalab.policy.words import in_words, valid_until

__all__ = [
    "Facts",
    "acquire_subject",
    "acquire_target",
    "check_grant",
    "decide",
    "decide_acquisition",
    "in_words",
    "parse",
    "valid_until",
]
