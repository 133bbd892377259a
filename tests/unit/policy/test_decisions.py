from __future__ import annotations

import datetime as dt
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datalab.errors import PolicyRefusal, UsageError
from datalab.model.agreement import Intent
from datalab.model.decision import Decision, Door
from datalab.model.policy import Constraint, Policy, Rule
from datalab.policy import Facts, check_grant, decide, parse
from datalab.policy.purposes import broader, codes

DPV = "https://w3id.org/dpv#"
EU = "http://publications.europa.eu/resource/authority/country/EUR"
NOW = dt.datetime(2026, 6, 15, 12, 0, tzinfo=dt.UTC)
RESEARCH = Intent(
    DPV + "ScientificResearch", "train a model", legal_basis="eu-gdpr:A6-1-e", territory="LU", recipient="did:web:a"
)


def offer(permission=None, prohibition=None, obligation=None, **more):
    parts = {"permission": permission, "prohibition": prohibition, "obligation": obligation} | more
    body = {"@type": "Offer", "@id": "urn:offer"} | {key: value for key, value in parts.items() if value is not None}
    return parse(json.dumps(body))


def when(left, operator, right):
    return {"leftOperand": left, "operator": operator, "rightOperand": right}


def use(*constraints, duty=None, action="use"):
    rule = {"action": action, "constraint": list(constraints)}
    return [rule | ({"duty": duty} if duty else {})]


def ask(policy, intent=RESEARCH, door=Door.ACQUIRE, moment=NOW, **facts) -> Decision:
    return decide(
        door,
        [policy] if isinstance(policy, Policy) else policy,
        intent,
        moment=moment,
        facts=Facts(**{"personal_data": False, **facts}),
        subject="s",
        target="t",
        actor="steward@lab",
    )


def intent(**changes):
    import dataclasses

    return dataclasses.replace(RESEARCH, **changes)


YES, NO = True, False
R_AND_D = when("purpose", "isA", "dpv:ResearchAndDevelopment")
IN_EU = when("spatial", "eq", EU)
COMMERCIAL = intent(commercial=True)

CASES = [
    # what, policy, intent, door, facts, answer, word of the reason
    ("plain use", offer(use()), RESEARCH, Door.ACQUIRE, {}, YES, "permits 'use'"),
    ("use by IRI", offer(use(action="http://www.w3.org/ns/odrl/2/use")), RESEARCH, Door.ACQUIRE, {}, YES, "use"),
    ("use with prefix", offer(use(action="odrl:use")), RESEARCH, Door.EXPORT, {}, YES, "distribute"),
    ("only search", offer(use(action="http://simpl.eu/odrl/actions/search")), RESEARCH, Door.ACQUIRE, {}, NO, "no permission"),
    ("simpl consume", offer(use(action="http://simpl.eu/odrl/actions/consume")), RESEARCH, Door.ACQUIRE, {}, YES, "consume"),
    ("read, not derive", offer(use(action="read")), RESEARCH, Door.ACQUIRE, {}, NO, "derive"),
    ("read is enough to stage", offer(use(action="read")), RESEARCH, Door.STAGE, {}, YES, "read"),
    ("unknown action permits nothing", offer(use(action="ex:teleport")), RESEARCH, Door.ACQUIRE, {}, NO, "no permission"),
    ("prohibition of all", offer(use(), use()), RESEARCH, Door.ACQUIRE, {}, NO, "prohibits 'use'"),
    ("no redistribution: acquire", offer(use(), use(action="distribute")), RESEARCH, Door.ACQUIRE, {}, YES, "permits"),
    ("no redistribution: export", offer(use(), use(action="distribute")), RESEARCH, Door.EXPORT, {}, NO, "distribute"),
    ("prohibited derivation met early", offer(use(), use(action="derive")), RESEARCH, Door.ACQUIRE, {}, NO, "derive"),
    ("prohibition of unknown action", offer(use(), use(action="ex:teleport")), RESEARCH, Door.ACQUIRE, {}, NO, "ex:teleport"),
    ("prohibition of printing", offer(use(), use(action="print")), RESEARCH, Door.ACQUIRE, {}, YES, "use"),
    ("only a prohibition", offer(None, use(action="print")), RESEARCH, Door.ACQUIRE, {}, NO, "no permission"),
    ("commercialize, research", offer(use(), use(action="commercialize")), RESEARCH, Door.ACQUIRE, {}, YES, "use"),
    ("commercialize, commercial", offer(use(), use(action="commercialize")), COMMERCIAL, Door.ACQUIRE, {}, NO, "commercialize"),
    ("cc commercial use", offer(use(), use(action="cc:CommercialUse")), COMMERCIAL, Door.ACQUIRE, {}, NO, "CommercialUse"),
    ("narrower purpose", offer(use(R_AND_D)), RESEARCH, Door.ACQUIRE, {}, YES, "purpose isA"),
    ("other purpose", offer(use(R_AND_D)), intent(purpose=DPV + "Marketing"), Door.ACQUIRE, {}, NO, "purpose isA"),
    ("no purpose", offer(use(R_AND_D)), intent(purpose=""), Door.ACQUIRE, {}, NO, "no purpose"),
    ("broader purpose", offer(use(R_AND_D)), intent(purpose=DPV + "Purpose"), Door.ACQUIRE, {}, NO, "purpose"),
    ("commercial is a purpose too", offer(use(R_AND_D)), COMMERCIAL, Door.ACQUIRE, {}, NO, "CommercialPurpose"),
    ("eq is exact", offer(use(when("purpose", "eq", DPV + "ResearchAndDevelopment"))), RESEARCH, Door.ACQUIRE, {}, NO, "eq"),
    ("eq, same", offer(use(when("purpose", "eq", DPV + "ScientificResearch"))), RESEARCH, Door.ACQUIRE, {}, YES, "eq"),
    ("any of", offer(use(when("purpose", "isAnyOf", ["dpv:Marketing", "dpv:ScientificResearch"]))), RESEARCH, Door.ACQUIRE, {}, YES, ""),
    ("none of, hit", offer(use(when("purpose", "isNoneOf", ["dpv:CommercialPurpose"]))), COMMERCIAL, Door.ACQUIRE, {}, NO, "isNoneOf"),
    ("none of, free", offer(use(when("purpose", "isNoneOf", ["dpv:CommercialPurpose"]))), RESEARCH, Door.ACQUIRE, {}, YES, "isNoneOf"),
    ("non-commercial", offer(use(when("purpose", "isA", "dpv:NonCommercialPurpose"))), RESEARCH, Door.ACQUIRE, {}, YES, "isA"),
    ("commercial prohibited, research", offer(use(), use(when("purpose", "isA", "dpv:CommercialPurpose"))), RESEARCH, Door.ACQUIRE, {}, YES, ""),
    ("commercial prohibited", offer(use(), use(when("purpose", "isA", "dpv:CommercialPurpose"))), COMMERCIAL, Door.ACQUIRE, {}, NO, "isA"),
    ("eq in a prohibition is broad", offer(use(), use(when("purpose", "eq", "dpv:CommercialPurpose"))), intent(purpose="dpv:CommercialResearch"), Door.ACQUIRE, {}, NO, "prohibits"),
    ("prohibition, purpose not named", offer(use(), use(R_AND_D)), intent(purpose=""), Door.ACQUIRE, {}, NO, "no purpose"),
    ("commercial prohibited, purpose nobody knows", offer(use(), use(when("purpose", "isA", "dpv:CommercialPurpose"))), intent(purpose="https://shop.example/resale"), Door.ACQUIRE, {}, NO, "not known here"),
    ("prohibition of a purpose nobody knows", offer(use(), use(when("purpose", "isA", "ex:Warfare"))), RESEARCH, Door.ACQUIRE, {}, NO, "not known here"),
    ("all but one purpose prohibited, it is that", offer(use(), use(when("purpose", "neq", "ex:Ours"))), intent(purpose="ex:Ours"), Door.ACQUIRE, {}, YES, "use"),
    ("all but one purpose prohibited, another", offer(use(), use(when("purpose", "neq", "ex:Ours"))), intent(purpose="ex:Theirs"), Door.ACQUIRE, {}, NO, "neq"),
    ("none of, purpose nobody knows", offer(use(when("purpose", "isNoneOf", ["dpv:CommercialPurpose"]))), intent(purpose="ex:resale"), Door.ACQUIRE, {}, NO, "isNoneOf"),
    ("permission of a purpose nobody knows", offer(use(when("purpose", "isA", "ex:Ours"))), intent(purpose="ex:Ours"), Door.ACQUIRE, {}, YES, "isA"),
    ("EU, in Luxembourg", offer(use(IN_EU)), RESEARCH, Door.ACQUIRE, {}, YES, "spatial"),
    ("EU, alpha-3", offer(use(IN_EU)), intent(territory="DEU"), Door.ACQUIRE, {}, YES, "spatial"),
    ("EU, in Switzerland", offer(use(IN_EU)), intent(territory="CH"), Door.STAGE, {}, NO, "CH"),
    ("EEA, in Norway", offer(use(when("spatial", "isPartOf", "EEA"))), intent(territory="NO"), Door.STAGE, {}, YES, "EEA"),
    ("territory not said", offer(use(IN_EU)), intent(territory=""), Door.ACQUIRE, {}, NO, "no territory"),
    ("territory is a region", offer(use(IN_EU)), intent(territory="EU"), Door.ACQUIRE, {}, NO, "'EU'"),
    ("unknown place", offer(use(when("spatial", "eq", "http://example.org/EU"))), RESEARCH, Door.ACQUIRE, {}, NO, "example.org/EU"),
    ("prohibited in the US", offer(use(), use(when("spatial", "eq", "US"))), intent(territory="US"), Door.STAGE, {}, NO, "spatial eq US"),
    ("prohibited outside the EU", offer(use(), use(when("spatial", "neq", EU))), intent(territory="US"), Door.STAGE, {}, NO, "neq"),
    ("Greece as the EU writes it", offer(use(when("spatial", "eq", "GR"))), intent(territory="EL"), Door.STAGE, {}, YES, "GR"),
    ("before the end", offer(use(when("dateTime", "lteq", "2026-06-15"))), RESEARCH, Door.ACQUIRE, {}, YES, "dateTime"),
    ("after the end", offer(use(when("dateTime", "lteq", "2026-06-14"))), RESEARCH, Door.ACQUIRE, {}, NO, "2026-06-14"),
    ("before, strictly", offer(use(when("dateTime", "lt", "2026-06-15"))), RESEARCH, Door.ACQUIRE, {}, NO, "lt"),
    ("not yet", offer(use(when("dateTime", "gteq", "2026-06-15T12:00:01Z"))), RESEARCH, Door.ACQUIRE, {}, NO, "gteq"),
    ("time zone counts", offer(use(when("dateTime", "lt", "2026-06-15T13:30:00+02:00"))), RESEARCH, Door.ACQUIRE, {}, NO, "lt"),
    ("typed literal", offer(use(when("dateTime", "lt", {"@value": "2027-01-01", "@type": "xsd:date"}))), RESEARCH, Door.ACQUIRE, {}, YES, ""),
    ("no date", offer(use(when("dateTime", "lt", "soon"))), RESEARCH, Door.ACQUIRE, {}, NO, "soon"),
    ("recipient", offer(use(when("recipient", "eq", "did:web:a"))), RESEARCH, Door.RELEASE, {}, YES, "recipient"),
    ("other recipient", offer(use(when("recipient", "isAnyOf", ["did:web:b"]))), RESEARCH, Door.RELEASE, {}, NO, "did:web:a"),
    ("recipient not named", offer(use(when("recipient", "neq", "did:web:b"))), intent(recipient=""), Door.RELEASE, {}, NO, "no recipient"),
    ("the lab itself", offer(use(when("recipient", "eq", "did:lab"))), intent(recipient=""), Door.ACQUIRE, {"participant": "did:lab"}, YES, "did:lab"),
    ("unknown left operand", offer(use(when("partner", "eq", "gold"))), RESEARCH, Door.ACQUIRE, {}, NO, "'partner'"),
    ("unknown operator", offer(use(when("purpose", "hasPart", "x"))), RESEARCH, Door.ACQUIRE, {}, NO, "'hasPart'"),
    ("unknown beside a plain permission", offer(use() + use(when("partner", "eq", "gold"))), RESEARCH, Door.ACQUIRE, {}, NO, "'partner'"),
    ("count cannot be measured", offer(use(when("count", "lteq", "5"))), RESEARCH, Door.ACQUIRE, {}, NO, "'count'"),
    ("and", offer(use({"and": [R_AND_D, IN_EU]})), intent(territory="CH"), Door.ACQUIRE, {}, NO, "spatial"),
    ("or", offer(use({"or": [when("spatial", "eq", "CH"), IN_EU]})), intent(territory="CH"), Door.ACQUIRE, {}, YES, "CH"),
    ("or, neither", offer(use({"or": [when("spatial", "eq", "CH"), IN_EU]})), intent(territory="US"), Door.ACQUIRE, {}, NO, "US"),
    ("xone, one", offer(use({"xone": [when("spatial", "eq", "CH"), IN_EU]})), RESEARCH, Door.ACQUIRE, {}, YES, "neq CH"),
    ("xone, both", offer(use({"xone": [when("spatial", "eq", "LU"), IN_EU]})), RESEARCH, Door.ACQUIRE, {}, NO, "neq"),
    ("xone of what has no opposite", offer(use({"xone": [R_AND_D, IN_EU]})), RESEARCH, Door.ACQUIRE, {}, NO, "'xone'"),
    ("andSequence", offer(use({"andSequence": [R_AND_D, IN_EU]})), RESEARCH, Door.ACQUIRE, {}, NO, "'andSequence'"),
    ("or in a prohibition", offer(use(), use({"or": [when("spatial", "eq", "CH"), when("spatial", "eq", "US")]})), intent(territory="US"), Door.STAGE, {}, NO, "prohibits"),
    ("personal, no legal basis", offer(use()), intent(legal_basis=" "), Door.ACQUIRE, {"personal_data": True}, NO, "legal basis"),
    ("personal, legal basis", offer(use()), RESEARCH, Door.ACQUIRE, {"personal_data": True}, YES, "use"),
    ("anonymize, to come", offer(use(duty=[{"action": "anonymize"}])), RESEARCH, Door.ACQUIRE, {}, YES, "use"),
    ("anonymize, not done", offer(use(duty=[{"action": "anonymize"}])), RESEARCH, Door.RELEASE, {}, NO, "anonymize"),
    ("anonymize, scrubbed", offer(use(duty=[{"action": "anonymize"}])), RESEARCH, Door.RELEASE, {"scrubbed": True}, YES, "use"),
    ("anonymize, synthetic", offer(use(), obligation=[{"action": "anonymize"}]), RESEARCH, Door.EXPORT, {"synthetic": True}, YES, "use"),
    ("anonymize as obligation", offer(use(), obligation=[{"action": "odrl:anonymize"}]), RESEARCH, Door.STAGE, {}, NO, "anonymize"),
    ("payment", offer(use(duty=[{"action": "compensate"}])), RESEARCH, Door.ACQUIRE, {}, NO, "'compensate'"),
    ("delete by a date to come", offer(use(duty=[{"action": "delete", "constraint": [when("dateTime", "lteq", "2027-01-01")]}])), RESEARCH, Door.STAGE, {}, YES, "use"),
    ("delete by a past date", offer(use(duty=[{"action": "delete", "constraint": [when("dateTime", "lteq", "2026-01-01")]}])), RESEARCH, Door.STAGE, {}, NO, "delete"),
    ("foreign profile", offer(use(), profile="https://example.org/p"), RESEARCH, Door.ACQUIRE, {}, NO, "example.org/p"),
    ("assignee in a rule", offer([{"action": "use", "assignee": {"uid": "X"}}]), RESEARCH, Door.ACQUIRE, {}, NO, "'assignee'"),
    ("refined action", offer([{"action": {"@id": "use", "refinement": []}}]), RESEARCH, Door.ACQUIRE, {}, NO, "action"),
    ("inherits", offer(use(), inheritFrom="urn:x"), RESEARCH, Door.ACQUIRE, {}, NO, "'inheritFrom'"),
    ("other target", offer([{"action": "use", "target": "urn:b"}], target="urn:a"), RESEARCH, Door.ACQUIRE, {}, NO, "urn:b"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("policy", "who", "door", "facts", "answer", "word"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_the_table_of_answers(policy, who, door, facts, answer, word):
    decision = ask(policy, who, door, **facts)

    assert decision.permitted is answer
    assert any(word in reason for reason in decision.reasons)
    assert all(reason[0].isupper() and reason.endswith(".") for reason in decision.reasons)


def test_several_policies_are_intersected_and_all_are_named():
    open_, closed = offer(use()), offer(use(IN_EU))
    abroad = intent(territory="US")

    assert ask([open_, closed], RESEARCH).permitted
    decision = ask([open_, closed], abroad)
    assert not decision.permitted
    assert decision.policies == (open_.sha256, closed.sha256)


def test_no_policy_means_no():
    assert ask([]).reasons == ("No policy came with the data, and without terms nothing is permitted.",)


def test_duties_travel_with_the_decision():
    policy = offer(use(duty=[{"action": "attribute"}]), obligation=[{"action": "inform"}, {"action": "anonymize"}])
    assert ask(policy).duties == (
        "Inform the provider about the use.",
        "Anonymise the data before it leaves the lab.",
        "Name the source.",
    )


def test_a_decision_needs_an_actor_and_a_time_zone():
    with pytest.raises(UsageError, match="time zone"):
        ask(offer(use()), moment=NOW.replace(tzinfo=None))
    with pytest.raises(UsageError, match="actor"):
        decide(Door.STAGE, [], RESEARCH, moment=NOW, facts=Facts(personal_data=False), subject="", target="", actor=" ")


def test_a_grant_opens_exactly_one_door():
    decision = ask(offer(use()))
    check_grant(decision, Door.ACQUIRE, "s", "t", "did:web:a")
    for asked in (
        (Door.EXPORT, "s", "t", "did:web:a"),
        (Door.ACQUIRE, "x", "t", "did:web:a"),
        (Door.ACQUIRE, "s", "x", "did:web:a"),
        (Door.ACQUIRE, "s", "t", "did:web:b"),
    ):
        with pytest.raises(PolicyRefusal, match="differs in"):
            check_grant(decision, *asked)
    with pytest.raises(PolicyRefusal, match="prohibits"):
        check_grant(ask(offer(use(), use())), Door.ACQUIRE, "s", "t", "did:web:a")


CONSTRAINTS = st.builds(
    Constraint,
    st.sampled_from(["purpose", "spatial", "dateTime", "recipient", "partner"]),
    st.sampled_from(["eq", "neq", "isA", "isAnyOf", "isNoneOf", "lt", "gteq", "isPartOf", "hasPart"]),
    st.lists(
        st.sampled_from(["LU", "EU", "2026-06-15", "dpv:Marketing", RESEARCH.purpose, "ex:resale", "did:web:a", "?"]),
        max_size=2,
    ).map(tuple),
)
RULES = st.builds(
    Rule,
    st.sampled_from(["use", "read", "derive", "distribute", "sell", "ex:odd"]),
    st.lists(CONSTRAINTS, max_size=2).map(tuple),
)
POLICIES = st.builds(
    Policy, st.just("p"), st.lists(RULES, max_size=3).map(tuple), st.lists(RULES, max_size=2).map(tuple), verbatim=st.just("{}")
)
INTENTS = st.builds(
    Intent,
    st.sampled_from([RESEARCH.purpose, "dpv:Marketing", "ex:resale", "ex:war", ""]),
    st.just(""),
    territory=st.sampled_from(["LU", "US", ""]),
    recipient=st.sampled_from(["did:web:a", ""]),
    commercial=st.booleans(),
)


@given(POLICIES, RULES, INTENTS, st.sampled_from(Door))
def test_adding_a_prohibition_never_turns_no_into_yes(policy, rule, who, door):
    import dataclasses

    stricter = dataclasses.replace(policy, prohibitions=(*policy.prohibitions, rule))
    assert ask(policy, who, door).permitted or not ask(stricter, who, door).permitted


@given(st.sampled_from(sorted(codes())), st.sampled_from(["eq", "isA", "isAnyOf"]), st.text(min_size=1), st.sampled_from(Door))
def test_no_prohibition_of_a_purpose_is_passed_by_a_purpose_that_nobody_knows(code, operator, word, door):
    forbidden = Rule("use", (Constraint("purpose", operator, (code,)),))
    policy = Policy("p", (Rule("use"),), (forbidden,), verbatim="{}")
    assert not ask(policy, intent(purpose="https://elsewhere.example/" + word), door).permitted


@given(st.sampled_from(sorted(codes())), st.sampled_from(["eq", "isA", "isAnyOf"]), st.data(), st.sampled_from(Door))
def test_no_prohibition_of_a_purpose_is_passed_by_a_broader_one(code, operator, data, door):
    forbidden = Rule("use", (Constraint("purpose", operator, (code,)),))
    policy = Policy("p", (Rule("use"),), (forbidden,), verbatim="{}")
    stated = data.draw(st.sampled_from(sorted(broader(code))))
    assert not ask(policy, intent(purpose=stated), door).permitted


@given(POLICIES, POLICIES, INTENTS, st.sampled_from(Door))
def test_a_second_policy_never_turns_no_into_yes(one, other, who, door):
    assert ask([one, other], who, door).permitted == (ask(one, who, door).permitted and ask(other, who, door).permitted)
