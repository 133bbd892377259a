"""The vocabulary of the profile: which actions, left operands, operators and duties are understood, and how each is spelt.

ODRL 2.2 (https://www.w3.org/TR/odrl-vocab/), the actions of Creative Commons that it lists, the terms of Simpl-Open
(actions, ``deletion``), and the left operands of Catena-X (https://w3id.org/catenax/policy/, and that of 2025/9).
"""

from __future__ import annotations

import hashlib

_NAMESPACES = (
    "http://www.w3.org/ns/odrl/2/",
    "https://www.w3.org/ns/odrl/2/",
    "odrl:",
    "http://simpl.eu/odrl/actions/",
    "simpl:",
    "http://creativecommons.org/ns#",
    "cc:",
    "https://w3id.org/catenax/policy/",
    "https://w3id.org/catenax/2025/9/policy/",
    "cx-policy:",
)
_LONGEST = 160

READ, DERIVE, DISTRIBUTE = "read", "derive", "distribute"
_ALL = frozenset((READ, DERIVE, DISTRIBUTE))

GRANTED = {
    "use": _ALL,
    "consume": frozenset((READ, DERIVE)),
    "read": frozenset((READ,)),
    "derive": frozenset((DERIVE,)),
    "derivativeworks": frozenset((DERIVE,)),
    "distribute": frozenset((DISTRIBUTE,)),
    "distribution": frozenset((DISTRIBUTE,)),
}
"""What a permission of an action lets the lab do; an action that is not here lets it do nothing."""

FORBIDDEN = {
    "use": _ALL,
    "consume": _ALL,
    "read": _ALL,
    "reproduce": _ALL,
    "reproduction": _ALL,
    "copy": _ALL,
    "move": _ALL,
    "archive": _ALL,
    "install": _ALL,
    "execute": _ALL,
    "stream": _ALL,
    "derive": frozenset((DERIVE,)),
    "derivativeworks": frozenset((DERIVE,)),
    "aggregate": frozenset((DERIVE,)),
    "extract": frozenset((DERIVE,)),
    "index": frozenset((DERIVE,)),
    "modify": frozenset((DERIVE,)),
    "transform": frozenset((DERIVE,)),
    "translate": frozenset((DERIVE,)),
    "anonymize": frozenset((DERIVE,)),
    "distribute": frozenset((DISTRIBUTE,)),
    "distribution": frozenset((DISTRIBUTE,)),
    "share": frozenset((DISTRIBUTE,)),
    "sharing": frozenset((DISTRIBUTE,)),
    "adhocshare": frozenset((DISTRIBUTE,)),
    "grantuse": frozenset((DISTRIBUTE,)),
    "export": frozenset((DISTRIBUTE,)),
    "publish": frozenset((DISTRIBUTE,)),
    "sublicense": frozenset((DISTRIBUTE,)),
    "transfer": frozenset((DISTRIBUTE,)),
    "give": frozenset((DISTRIBUTE,)),
    "sell": frozenset((DISTRIBUTE,)),
    "lease": frozenset((DISTRIBUTE,)),
    "lend": frozenset((DISTRIBUTE,)),
    "commercialize": _ALL,
    "commercialuse": _ALL,
    "search": frozenset[str](),
    "print": frozenset[str](),
    "play": frozenset[str](),
    "display": frozenset[str](),
    "present": frozenset[str](),
    "texttospeech": frozenset[str](),
}
"""What a prohibition of an action forbids the lab; an action that is not here may forbid anything."""

COMMERCIAL_ACTIONS = frozenset(("commercialize", "commercialuse"))
"""Actions that concern only a commercial intent."""

PURPOSE, SPATIAL, DATE_TIME, RECIPIENT, ASSIGNEE = "purpose", "spatial", "dateTime", "recipient", "assignee"
ELAPSED, COUNT, DELETION, EVENT = "elapsedTime", "count", "deletion", "event"
_ORDER = frozenset(("eq", "neq", "lt", "lteq", "gt", "gteq"))
_AMONG = frozenset(("eq", "neq", "isA", "isPartOf", "isAnyOf", "isNoneOf"))
OPAQUE = frozenset(("UsagePurpose", "FrameworkAgreement", "Membership"))
"""Left operands of Catena-X: their values are contracts between people, which a lab accepts by name in its settings."""
OPERATORS = {
    PURPOSE: frozenset(("eq", "neq", "isA", "isAnyOf", "isNoneOf")),
    SPATIAL: _AMONG,
    DATE_TIME: _ORDER,
    RECIPIENT: _AMONG,
    ASSIGNEE: frozenset(("isAnyOf",)),
    ELAPSED: _ORDER - {"eq", "neq"},
    COUNT: _ORDER,
    DELETION: frozenset(("eq",)),
    **dict.fromkeys(OPAQUE, frozenset(("eq", "isAnyOf"))),
}
"""The left operands that can be measured, each with its operators."""

OPPOSITE = {
    "eq": "neq",
    "neq": "eq",
    "lt": "gteq",
    "gteq": "lt",
    "gt": "lteq",
    "lteq": "gt",
    "isAnyOf": "isNoneOf",
    "isNoneOf": "isAnyOf",
}
"""Operators with an exact opposite; the others cannot be an operand of xone."""

ANONYMIZE, DELETE, CONSENT = "anonymize", "delete", "obtainconsent"
SHARE_ALIKE = "sharealike"
ATTRIBUTE, INFORM = frozenset(("attribute", "attribution")), frozenset(("inform", "notify"))
CARRIED = {
    "attribute": "Name the source",
    "attribution": "Name the source",
    "notice": "Keep the notices of the source",
    SHARE_ALIKE: "Pass on what is derived under the same licence only",
    DELETE: "Delete the data",
    "inform": "Inform the provider about the use",
    "notify": "Inform the provider about the use",
}
"""Duties that people and later steps fulfil: they do not decide, they travel with the decision."""

UNFULFILLABLE = {
    "compensate": "this lab pays nobody",
    "pay": "this lab pays nobody",
    "ensureexclusivity": "this lab cannot keep others from the data",
}
"""Duties that are understood and that this lab never fulfils, with the reason."""

DELETE_OPERATORS = {
    DATE_TIME: _ORDER - {"neq"},
    ELAPSED: OPERATORS[ELAPSED],
    DELETION: OPERATORS[DELETION],
    EVENT: frozenset(("eq", "gt", "gteq")),
}
"""When a duty to delete may fall due: by a date, some time after the agreement, after use (``event gt policyUsage`` in ODRL's words)."""
AFTER_USE = {DELETION: frozenset(("after_use", "afteruse")), EVENT: frozenset(("policyusage",))}
"""How each of these left operands says "after use"."""


def local(term: str) -> str:
    """Return the local name of a term whose namespace is known; any other IRI stays whole."""
    term = term.strip()
    for prefix in _NAMESPACES:
        if term.startswith(prefix):
            return term.removeprefix(prefix)
    return term


def action_name(action: str) -> str:
    """Return the spelling of an action under which the tables above know it."""
    return local(action).lower()


def shown(text: str) -> str:
    """Return foreign text for a sentence: one line, nothing hidden in it, not longer than a sentence bears.

    What was changed ends in the beginning of the original's SHA-256, so that two terms never look the same.
    """
    start = text[: 4 * _LONGEST]
    plain = " ".join("".join(sign if sign.isprintable() else " " for sign in start).split())
    if plain == text and len(plain) <= _LONGEST:
        return plain
    return f"{plain[: _LONGEST - 24]}… (sha256:{hashlib.sha256(text.encode()).hexdigest()[:12]})"
