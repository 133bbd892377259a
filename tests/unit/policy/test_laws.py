"""Laws: what makes terms stricter never turns a no into a yes; several sources are one; nothing that is read breaks the reader."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from datalab.errors import ProtocolError
from datalab.model.agreement import Intent
from datalab.model.decision import Door
from datalab.model.policy import Constraint, Duty, Policy, Rule
from datalab.policy import Facts, Override, Standing, as_odrl, decide, explain, intersect, parse, since, unknown_parts

NOW = dt.datetime(2026, 6, 15, 12, 0, tzinfo=dt.UTC)
AGREED = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
VALUES = [
    "LU", "EU", "nuts:LU0", "2026-06-15", "2027-01-01", "P30D", "P1Y", "3", "0", "after_use", "dpv:ScientificResearch", "dpv:Marketing",
    "did:web:a", "partners", "rivals", "cx:1", "?",
]  # fmt: skip
CONSTRAINTS = st.builds(
    Constraint,
    st.sampled_from(
        ["purpose", "spatial", "dateTime", "elapsedTime", "count", "recipient", "assignee", "deletion", "UsagePurpose", "mood"]
    ),
    st.sampled_from(["eq", "neq", "isA", "isAnyOf", "isNoneOf", "lt", "lteq", "gt", "gteq", "isPartOf", "hasPart"]),
    st.lists(st.sampled_from(VALUES), min_size=1, max_size=2).map(tuple),
)
READABLE = CONSTRAINTS.filter(lambda item: not unknown_parts(Policy("p", (Rule("use", (item,)),))))
DUTIES = st.builds(
    Duty,
    st.sampled_from(["anonymize", "attribute", "delete", "inform", "obtainConsent", "compensate", "ex:dance"]),
    st.lists(READABLE, max_size=1).map(tuple),
)
ACTIONS = st.sampled_from(["use", "read", "derive", "consume", "distribute", "sell", "ex:odd"])
RULES = st.builds(Rule, ACTIONS, st.lists(READABLE, max_size=2).map(tuple), st.lists(DUTIES, max_size=1).map(tuple))
POLICIES = st.builds(
    Policy,
    st.just("p"),
    st.lists(RULES, min_size=1, max_size=3).map(tuple),
    st.lists(RULES.filter(lambda rule: not rule.duties and rule.action != "ex:odd"), max_size=1).map(tuple),
    st.lists(DUTIES, max_size=1).map(tuple),
    verbatim=st.just("{}"),
)
INTENTS = st.builds(
    Intent,
    st.sampled_from(["dpv:ScientificResearch", "dpv:Marketing", "ex:war"]),
    st.just(""),
    legal_basis=st.sampled_from(["", "eu-gdpr:A6-1-a"]),
    territory=st.sampled_from(["LU", "LU00", "US", ""]),
    recipient=st.sampled_from(["did:web:a", "did:web:b", ""]),
    commercial=st.booleans(),
)
FACTS = st.builds(
    Facts,
    personal_data=st.booleans(),
    scrubbed=st.booleans(),
    participant=st.sampled_from(["did:web:a", ""]),
    groups=st.sampled_from([{}, {"partners": ("did:web:a",)}]),
    accepted=st.sampled_from([{}, {"UsagePurpose": ("cx:1",)}]),
)


def ask(policies, intent, door, facts, standing=Standing(AGREED, dict.fromkeys(Door, 1))):  # noqa: B008 - a value
    known = dataclasses.replace(facts, standing={policy.sha256: standing for policy in policies})
    return decide(door, policies, intent, moment=NOW, facts=known, subject="s", target="t", actor="steward")


def never_more(policy, stricter, intent, door, facts):
    assert ask([policy], intent, door, facts).permitted or not ask([stricter], intent, door, facts).permitted


@given(POLICIES, RULES, INTENTS, st.sampled_from(Door), FACTS)
def test_another_prohibition_never_turns_no_into_yes(policy, rule, intent, door, facts):
    never_more(policy, dataclasses.replace(policy, prohibitions=(*policy.prohibitions, rule)), intent, door, facts)


@given(POLICIES, CONSTRAINTS, INTENTS, st.sampled_from(Door), FACTS)
def test_another_constraint_on_the_permissions_never_turns_no_into_yes(policy, constraint, intent, door, facts):
    rules = tuple(dataclasses.replace(rule, constraints=(*rule.constraints, constraint)) for rule in policy.permissions)
    never_more(policy, dataclasses.replace(policy, permissions=rules), intent, door, facts)


@given(POLICIES, DUTIES, st.booleans(), INTENTS, st.sampled_from(Door), FACTS)
def test_another_duty_never_turns_no_into_yes(policy, duty, obligation, intent, door, facts):
    rules = tuple(dataclasses.replace(rule, duties=(*rule.duties, duty)) for rule in policy.permissions)
    stricter = {"obligations": (*policy.obligations, duty)} if obligation else {"permissions": rules}
    never_more(policy, dataclasses.replace(policy, **stricter), intent, door, facts)


@given(POLICIES, POLICIES, INTENTS, st.sampled_from(Door), FACTS)
def test_another_policy_never_turns_no_into_yes(one, other, intent, door, facts):
    assert ask([one], intent, door, facts).permitted or not ask([one, other], intent, door, facts).permitted


@given(POLICIES, CONSTRAINTS, INTENTS, st.sampled_from(Door), FACTS)
def test_no_override_reaches_what_is_known_or_prohibited(policy, constraint, intent, door, facts):
    known = {"policy": policy.sha256, "actor": "Eve", "reason": "because", "until": NOW + dt.timedelta(1), "event": 1}
    words = ["use", "prohibition of use", *(part.term for part in unknown_parts(policy) if not part.vouchable)]
    words += list(ask([policy], intent, door, facts).reasons)
    words += [one.term for one in ask([policy], intent, door, facts).refusals if not one.vouchable]
    facts = dataclasses.replace(facts, overrides=tuple(Override(term=word, **known) for word in words))
    without = ask([policy], intent, door, dataclasses.replace(facts, overrides=()))
    assert ask([policy], intent, door, facts).permitted == without.permitted


@given(st.lists(POLICIES, min_size=1, max_size=3), INTENTS, st.sampled_from(Door), FACTS)
def test_several_sources_are_one_policy_that_answers_the_same(policies, intent, door, facts):
    together = intersect(policies, "urn:all")
    assert ask([together], intent, door, facts).permitted == ask(policies, intent, door, facts).permitted


@given(POLICIES, INTENTS, st.sampled_from(Door), FACTS)
def test_what_is_carried_on_as_odrl_answers_the_same_when_it_is_read_again(policy, intent, door, facts):
    again = parse(json.dumps(as_odrl(policy)))
    assert ask([again], intent, door, facts).permitted == ask([policy], intent, door, facts).permitted


@given(POLICIES, INTENTS, st.sampled_from([Door.RELEASE, Door.STAGE, Door.EXPORT]), FACTS)
def test_times_since_the_agreement_mean_the_same_as_dates(policy, intent, door, facts):
    dated = since(policy, AGREED)
    assert all(item.left != "elapsedTime" for rule in dated.permissions for item in rule.constraints)
    assert ask([dated], intent, door, facts).permitted == ask([policy], intent, door, facts).permitted


WORDS = st.sampled_from(
    [
        "use",
        "purpose",
        "eq",
        "EU",
        "delete",
        "2026-01-01",
        "P1D",
        "after_use",
        "odrl:use",
        "Offer",
        "did:x:y",
        "\u202e",
        "\ud800",
        "",
        "0",
    ]
)
KEYS = st.sampled_from(
    ["permission", "prohibition", "obligation", "action", "constraint", "leftOperand", "operator", "rightOperand", "or", "and", "xone", "andSequence"]
    + ["duty", "remedy", "consequence", "refinement", "value", "assignee", "source", "target", "@context", "@type", "@id", "@value", "@list", "type"]
    + ["http://www.w3.org/ns/odrl/2/permission", "odrl:action", "x"]
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=300)
@given(st.dictionaries(KEYS, JSON, min_size=1, max_size=6) | JSON)
def test_whatever_json_comes_it_is_read_or_refused_by_an_error_of_ours(body):
    try:
        read = parse(json.dumps(body))
    except ProtocolError:
        return
    decision = ask([read], Intent("dpv:ScientificResearch", ""), Door.STAGE, Facts(personal_data=False))
    assert all(sentence.isprintable() for sentence in (*explain(read), *decision.reasons))
    json.dumps(decision.as_json(), ensure_ascii=False).encode()


@given(st.text(max_size=40))
def test_whatever_text_comes_it_is_read_or_refused_by_an_error_of_ours(text):
    try:
        parse(text)
    except ProtocolError:
        return


def test_a_policy_of_a_megabyte_is_read_in_moderation():
    import time

    each = {"leftOperand": "count", "operator": "eq", "rightOperand": "1"}
    bombs = [
        {"action": "use", "constraint": {"xone": [each] * 9_000}},
        {"action": "use", "constraint": [{"or": [each] * 64}, *[each] * 9_000]},
        {"action": ["use"] * 90_000, "constraint": {"or": [each] * 64}},
    ]
    for bomb in bombs:
        began = time.process_time()
        read = parse(json.dumps({"permission": [bomb]}))
        assert explain(read)
        assert time.process_time() - began < 5
