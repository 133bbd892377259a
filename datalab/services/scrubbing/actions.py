"""What happens to personal data that was found in a text, and by which words a steward asks for it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from datalab.errors import NotFound, UsageError
from datalab.services.scrubbing.catalogue import ATTRIBUTE, BIRTH_DATE, IP, KNOWN, LIKE, REGIONS
from datalab.services.scrubbing.pseudonyms import token

REDACT, MASK, PSEUDONYMISE, GENERALISE, KEEP = "redact", "mask", "pseudonymise", "generalise", "keep"
DROP, QUARANTINE = "drop", "quarantine"
ROW_ACTIONS = (DROP, QUARANTINE)
ACTIONS = (REDACT, MASK, PSEUDONYMISE, GENERALISE, KEEP, *ROW_ACTIONS)
_ALNUM = re.compile(r"[^\W_]")
_YEAR = re.compile(r"(?:18|19|20)[0-9]{2}")


def check_entities(entities: Sequence[str], *, where: str) -> None:
    """Raise ``NotFound`` for the first name that is no entity."""
    for entity in entities:
        if entity not in KNOWN:
            raise NotFound.among("entity", entity, KNOWN, where=where)


def check_actions(actions: Mapping[str, str], default: str, *, where: str) -> None:
    """Raise ``UsageError`` for an unknown action, or for one that an entity does not have."""
    check_entities([entity.removesuffix(LIKE) for entity in actions if entity != ATTRIBUTE], where=where)
    for entity, action in (("", default), *actions.items()):
        if action not in ACTIONS:
            raise NotFound.among("action", action, ACTIONS, where=where)
        if action == GENERALISE and entity not in (BIRTH_DATE, IP):
            raise UsageError(
                f"{entity or 'the default'} cannot be generalised",
                where=where,
                next=f"generalise {BIRTH_DATE} or {IP} only, redact the others",
            )


def action_for(kind: str, actions: Mapping[str, str], default: str) -> str:
    """Return the action for a found kind. A look-alike follows its entity, except that a wrong number has no pseudonym."""
    if kind in actions:
        return actions[kind]
    action = actions.get(kind.removesuffix(LIKE), default)
    return REDACT if kind.endswith(LIKE) and action in (PSEUDONYMISE, KEEP, GENERALISE) else action


def replacement(action: str, kind: str, value: str, *, key: bytes = b"", domain: str = "", language: str | None = None) -> str:
    """Return what stands in the text instead of ``value``. None of it is found again by a second pass."""
    label = kind.upper().replace("-", "_")
    if action == MASK:
        return _ALNUM.sub("*", value)
    if action == PSEUDONYMISE:
        region = REGIONS.get(language or "", (None,))[0]
        return f"<{label}_{token(key, kind, value, domain=domain, region=region)}>"
    if action == GENERALISE and kind == BIRTH_DATE:
        year = _YEAR.search(value)
        return year[0] if year else f"<{label}>"
    if action == GENERALISE and kind == IP and value.count(".") == 3 and ":" not in value:
        return f"{value.rpartition('.')[0]}.*"
    return f"<{label}>"
