"""The shapes that JSON-LD gives one statement: prefixed or full keys, lists of one, ``{"@value": …}``, ``{"@list": […]}``.

Read as plain JSON, without a JSON-LD processor and without fetching a context. What makes plain reading uncertain is refused: a context
that gives a word of ours another meaning, or one that nobody here knows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from datalab.errors import ProtocolError
from datalab.policy import terms

MAX_CHARS = 1_000_000
MAX_DEPTH = 40
NAMESPACES = ("odrl:", "http://www.w3.org/ns/odrl/2/", "https://www.w3.org/ns/odrl/2/")
_CONTEXTS = (
    "http://www.w3.org/ns/odrl", "https://www.w3.org/ns/odrl", "https://w3id.org/dspace/", "https://w3id.org/edc/", "https://w3id.org/tractusx/",
    "https://w3id.org/catenax/", "https://w3id.org/dpv", "http://simpl.eu/", "https://www.w3.org/ns/did/", "https://www.w3.org/2018/credentials/",
    "https://w3id.org/security/", "https://www.w3.org/ns/dcat", "https://w3id.org/idsa/",
)  # fmt: skip
_PREFIXES = {
    "odrl": NAMESPACES[1:],
    "cc": ("http://creativecommons.org/ns#",),
    "dpv": ("https://w3id.org/dpv#", "https://w3id.org/dpv/owl#", "http://www.w3.org/ns/dpv#", "https://www.w3.org/ns/dpv#"),
    "simpl": ("http://simpl.eu/odrl/actions/", "http://w3id.org/gaia-x/simpl#"),
    "cx-policy": ("https://w3id.org/catenax/policy/", "https://w3id.org/catenax/2025/9/policy/"),
    "nuts": ("http://data.europa.eu/nuts/code/",),
}
_ALIASES = {"type": "@type", "id": "@id"}
_MEANT = {"uid": "@id", "id": "@id", "type": "@type"}


def document(text: str) -> Mapping[str, Any]:
    """Return the JSON object of a policy; raise ``ProtocolError`` for anything else.

    A list of one object (expanded JSON-LD) is that object, and so is a JSON string that holds the object (Simpl-Open writes it so).
    """
    if len(text) > MAX_CHARS:
        raise ProtocolError(f"the policy is longer than {MAX_CHARS} characters", where=short(text))
    try:
        body = json.loads(text, object_pairs_hook=_once)
        if isinstance(body, str):
            body = json.loads(body, object_pairs_hook=_once)
        json.dumps(body, ensure_ascii=False).encode()  # half a surrogate pair is no text
        text.encode()
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"the policy is not readable JSON: {short(str(error))}", where=short(text)) from None
    if isinstance(body, list) and len(body) == 1:
        body = body[0]
    if not isinstance(body, Mapping):
        raise ProtocolError("the policy is not a JSON object", where=short(text))
    _check_depth(body, text)
    return body


def keys(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the object with its keys in the form without a prefix; raise ``ProtocolError`` where two keys become one."""
    pairs = [(_key(key), value) for key, value in body.items()]
    try:
        return _once(pairs)
    except ValueError as error:
        raise ProtocolError(f"the policy is ambiguous: {error}") from None


def items(value: Any) -> list[Any]:
    """Return a value as a list: None is none, one value a list of one, ``{"@list": …}`` and ``{"@set": …}`` what is in it."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], Mapping) and set(value[0]) <= {"@list", "@set"}:
        value = value[0]
    if isinstance(value, Mapping) and len(value) == 1 and (inner := value.get("@list", value.get("@set"))) is not None:
        value = inner
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def text_of(value: Any) -> str:
    """Return a value as text: a literal, ``{"@value": …}`` or ``{"@id": …}``; anything else in JSON, so that it matches nothing."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, Mapping):
        for key, beside in (("@value", {"@type", "@language"}), ("@id", {"@type"}), ("uid", {"@type", "type", "role"})):
            if key in value and not isinstance(value[key], (Mapping, list)) and set(value) <= {key} | beside:
                return text_of(value[key])
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def odd_context(context: Any) -> Iterator[str]:
    """Yield what in a context may change the meaning of words that are read here."""
    for part in items(context):
        if isinstance(part, str):
            if not part.startswith(_CONTEXTS):
                yield f"the context {terms.shown(part)!r}"
        elif isinstance(part, Mapping):
            for key, value in part.items():
                if not _harmless(key, value):
                    yield f"a context that gives {terms.shown(key)!r} a meaning of its own"
        elif part is not None:
            yield "a context that is neither a name nor an object"


def short(text: str) -> str:
    """Return the beginning of a text, for errors."""
    start = text[:80].encode(errors="replace").decode()
    return terms.shown(start) + ("…" if len(text) > 80 else "")


def _harmless(key: str, value: Any) -> bool:
    if key in {"@base", "@version", "@language", "@vocab"}:
        return True  # words are read by their names, never by the vocabulary that stands behind them
    iri = value.get("@id") if isinstance(value, Mapping) else value
    if not isinstance(iri, str) or key.startswith("@"):
        return False
    if isinstance(value, Mapping) and set(value) - {"@id", "@type", "@container"}:
        return False
    if key in _PREFIXES:
        return iri in _PREFIXES[key]
    if iri == _MEANT.get(key):
        return True
    name = _key(key)
    if name not in _WORDS and terms.action_name(key) not in _ACTIONS:
        return not iri.startswith("@") and not iri.startswith(NAMESPACES)
    return iri.startswith(NAMESPACES) and _key(iri) == name


def _check_depth(body: Any, text: str) -> None:
    level, depth = [body], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise ProtocolError(f"the policy is nested deeper than {MAX_DEPTH} levels", where=short(text))
        level = [
            inner
            for value in level
            for inner in (value.values() if isinstance(value, Mapping) else value)
            if isinstance(inner, (Mapping, list))
        ]


def _key(key: str) -> str:
    for prefix in NAMESPACES:
        if key.startswith(prefix):
            return key.removeprefix(prefix)
    return _ALIASES.get(key, key)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that comes twice: readers would differ in which one counts."""
    body = dict(pairs)
    if len(body) != len(pairs):
        raise ValueError("a key comes twice in one object")
    return body


_ACTIONS = frozenset(terms.GRANTED) | frozenset(terms.FORBIDDEN)
_WORDS = frozenset(
    (
        "permission", "prohibition", "obligation", "duty", "remedy", "consequence", "action", "constraint", "refinement", "target", "assignee",
        "assigner", "conflict", "profile", "leftOperand", "operator", "rightOperand", "and", "or", "xone", "andSequence", "inheritFrom", "uid",
        "Offer", "Set", "Agreement", "Policy", "Permission", "Prohibition", "Duty", "@type", "@id", *terms.OPERATORS, *terms.OPPOSITE, "isA", "isPartOf",
    )
)  # fmt: skip
