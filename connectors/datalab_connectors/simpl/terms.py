"""The terms of an offering: ODRL as a JSON text within the self-description, addressed to identity attributes of a data space."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from datalab.errors import PolicyRefusal
from datalab.model.policy import Policy
from datalab.policy import parse
from datalab_connectors.simpl.credential import Description

_NAMESPACES = ("http://www.w3.org/ns/odrl/2/", "odrl:")
_CONDITION = (("condition", "leftOperand"), ("conditionOperator", "operator"), ("conditionValue", "rightOperand"))


def usage_policy(description: Description, attributes: Collection[str]) -> Policy:
    """Return the usage policy of an offering; the text stays as it came.

    A rule for an assignee that is one of the node's identity ``attributes`` is a rule for us. One for somebody else stays with its
    assignee, and what the policy door then says is its own affair. Without a usage policy, or without a connector to conclude
    a contract with, everything is unknown, and unknown means no.
    """
    said = description.sections.get("servicePolicy", {}).get("usage-policy")
    text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False) if said else ""
    if not text.strip():
        return Policy(
            id="", unknown=("the self-description states no usage policy",), verbatim=json.dumps({"missing": "usage-policy"})
        )
    policy = parse(text)  # the text itself must be readable, before anything in it is understood
    body = _addressed(json.loads(text), attributes)
    policy = dataclasses.replace(parse(json.dumps(body, ensure_ascii=False)), verbatim=policy.verbatim)
    if not description.negotiable:
        missing = "the offering is not registered with a connector, so no contract can be concluded"
        policy = dataclasses.replace(policy, unknown=(*policy.unknown, missing))
    return policy


def check_catalogue_terms(offered: Mapping[str, Any], policy: Policy, where: str) -> None:
    """Raise ``PolicyRefusal`` where the provider's connector names a condition that the self-description does not.

    The signed self-description is what was decided on; a connector that asks for more asks for another decision.
    """
    said = offered.get("policy")
    conditions = said.get("policyConstraints") if isinstance(said, Mapping) else None
    rules = [*policy.permissions, *policy.prohibitions]
    known = {
        _key(item.left, item.operator, value) for rule in rules for item in rule.constraints for value in (*item.right, "")
    }
    for condition in conditions if isinstance(conditions, list) else ():
        if not isinstance(condition, Mapping):
            continue
        left, operator, right = (
            _text(next((condition[name] for name in names if name in condition), "")) for names in _CONDITION
        )
        if left and _key(left, operator, right) not in known:
            raise PolicyRefusal(
                f"the provider's connector asks for more than its self-description: {left} {operator} {right}"[:300],
                where=where,
                next="ask the provider which of the two counts",
            )


def _addressed(body: Any, attributes: Collection[str]) -> Any:
    """Return a policy whose rules for one of ``attributes`` have no assignee any more."""
    if not isinstance(body, Mapping):
        return body
    return {
        key: [_for_us(rule, attributes) for rule in (value if isinstance(value, list) else [value])]
        if _local(key) in {"permission", "prohibition", "obligation"}
        else value
        for key, value in body.items()
    }


def _for_us(rule: Any, attributes: Collection[str]) -> Any:
    if not isinstance(rule, Mapping):
        return rule
    key = next((name for name in rule if _local(name) == "assignee"), "")
    names = set(_names(rule.get(key)))
    return {name: value for name, value in rule.items() if name != key} if names & set(attributes) else rule


def _names(value: Any) -> Iterable[str]:
    for item in value if isinstance(value, list) else [value]:
        named = item.get("uid", item.get("@id", "")) if isinstance(item, Mapping) else item
        yield named if isinstance(named, str) else json.dumps(named)


def _key(left: str, operator: str, right: str) -> tuple[str, str, str]:
    return _local(left).lower(), _local(operator).lower(), _local(right).lower()


def _local(term: str) -> str:
    for prefix in _NAMESPACES:
        if term.startswith(prefix):
            return term.removeprefix(prefix)
    return term


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
