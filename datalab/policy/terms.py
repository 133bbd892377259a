"""The vocabulary of the profile: which actions, left operands, operators and duties are understood, and how each is spelt.

ODRL 2.2 (https://www.w3.org/TR/odrl-vocab/), the actions of Creative Commons that it lists, and those of Simpl-Open.
"""

from __future__ import annotations

_NAMESPACES = (
    "http://www.w3.org/ns/odrl/2/",
    "https://www.w3.org/ns/odrl/2/",
    "odrl:",
    "http://simpl.eu/odrl/actions/",
    "simpl:",
    "http://creativecommons.org/ns#",
    "cc:",
)

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
    "sharing": frozenset((DISTRIBUTE,)),
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

PURPOSE, SPATIAL, DATE_TIME, RECIPIENT = "purpose", "spatial", "dateTime", "recipient"
OPERATORS = {
    PURPOSE: frozenset(("eq", "neq", "isA", "isAnyOf", "isNoneOf")),
    SPATIAL: frozenset(("eq", "neq", "isA", "isPartOf", "isAnyOf", "isNoneOf")),
    DATE_TIME: frozenset(("eq", "neq", "lt", "lteq", "gt", "gteq")),
    RECIPIENT: frozenset(("eq", "neq", "isA", "isAnyOf", "isNoneOf")),
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

ANONYMIZE, DELETE = "anonymize", "delete"
CARRIED = {
    "attribute": "Name the source",
    "attribution": "Name the source",
    "notice": "Keep the notices of the source",
    "sharealike": "Pass on what is derived under the same licence only",
    DELETE: "Delete the data",
    "inform": "Inform the provider about the use",
}
"""Duties that people and later steps fulfil: they do not decide, they travel with the decision."""


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
