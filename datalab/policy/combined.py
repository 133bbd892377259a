"""The rules of several policies as one that is as strict as all of them together: what a release is passed on under."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from datalab.errors import PolicyRefusal
from datalab.model.policy import Policy, Rule
from datalab.policy import terms
from datalab.policy.intersect import as_odrl, intersect, since
from datalab.policy.odrl import parse


def combined_rules(policies: Sequence[str], agreed: Sequence[dt.datetime | None] = ()) -> dict[str, Any]:
    """Return ``permission``, ``prohibition`` and ``obligation`` of the policies (JSON texts), combined.

    A prohibition or obligation of one holds for all. A permission stays where every policy gives one for what it permits, under
    the conditions and duties of all of them. Whom and what a rule was about is left out: that is said anew by the offer
    made from it. ``agreed`` are the moments of the agreements: times that count from them become dates, so that no clock
    begins anew. Raise ``PolicyRefusal`` where nothing permits passing on, ``ProtocolError`` for what is no policy.
    """
    if not policies:
        raise PolicyRefusal("without terms nothing is passed on")
    moments = [*agreed, *[None] * (len(policies) - len(agreed))]
    read = [since(_free(parse(text)), moment) for text, moment in zip(policies, moments, strict=True)]
    whole = intersect(read)
    granted = {name for rule in whole.permissions for name in terms.GRANTED.get(terms.action_name(rule.action), ())}
    if terms.DISTRIBUTE not in granted:
        raise PolicyRefusal(
            "the terms of the sources have no permission in common to pass the data on", next="publish a release of one source"
        )
    rules = as_odrl(whole)
    return {kind: rules[kind] for kind in ("permission", "prohibition", "obligation") if kind in rules}


def _free(policy: Policy) -> Policy:
    def free(rule: Rule) -> Rule:
        return replace(rule, constraints=tuple(item for item in rule.constraints if item.left != terms.ASSIGNEE))

    return replace(policy, permissions=tuple(map(free, policy.permissions)), prohibitions=tuple(map(free, policy.prohibitions)))
