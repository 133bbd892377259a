"""What of a policy this lab cannot evaluate: what the reader could not read, and terms that nothing here measures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from datalab.model.policy import Constraint, Duty, Policy
from datalab.policy import terms
from datalab.policy.conditions import unreadable
from datalab.policy.duties import unreadable_duty

MOST = 50
"""So many unknown parts are named; a policy with more of them is not read better for a longer list."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """One part. ``vouchable``: it narrows a permission or is a duty, so that a steward can know that it is met."""

    term: str
    vouchable: bool


def unknown_parts(policy: Policy) -> list[Unknown]:
    """Return the unknown parts, each once; a part that also stands in a prohibition is never vouchable."""
    found: dict[str, bool] = {}
    for part, vouchable in _parts(policy):
        found[part] = found.get(part, True) and vouchable
    return [Unknown(part, vouchable) for part, vouchable in found.items()]


def _parts(policy: Policy) -> Iterator[tuple[str, bool]]:
    yield from ((part, part in policy.vouchable) for part in policy.unknown)
    for rule in policy.permissions:
        yield from ((part, True) for part in _unreadable(rule.constraints))
    for rule in policy.prohibitions:
        yield from ((part, False) for part in _unreadable(rule.constraints))
        if terms.action_name(rule.action) not in terms.FORBIDDEN:
            yield f"a prohibition of {terms.shown(rule.action)!r}", False
        yield from ((f"{part}, as a remedy", False) for duty in rule.duties for part in unreadable_duty(duty))
    duties: list[Duty] = [*policy.obligations, *(duty for rule in policy.permissions for duty in rule.duties)]
    for duty in duties:
        yield from ((part, True) for part in unreadable_duty(duty))


def _unreadable(constraints: Iterable[Constraint]) -> Iterator[str]:
    for constraint in constraints:
        if part := unreadable(constraint):
            yield part
