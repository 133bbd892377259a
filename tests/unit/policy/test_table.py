"""The table of policies and answers: JSON as holders write it, an intent, a door, the answer, a word of the reason.

The second half is what somebody would write who wants to get past the door.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from typing import Any

import pytest

from datalab.errors import ProtocolError
from datalab.model.agreement import Intent
from datalab.model.decision import Door
from datalab.policy import Facts, Standing, decide, explain, parse

NOW = dt.datetime(2026, 6, 15, 12, 0, tzinfo=dt.UTC)
RESEARCH = Intent("https://w3id.org/dpv#ScientificResearch", "train a model", "eu-gdpr:A6-1-e", "LU", "did:web:a")
ODRL = "http://www.w3.org/ns/odrl/2/"
YES, NO = True, False
ACQUIRE, RELEASE, STAGE, EXPORT = Door.ACQUIRE, Door.RELEASE, Door.STAGE, Door.EXPORT
AGREED = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)


def when(left: str, operator: str, right: Any, **more: Any) -> dict[str, Any]:
    return {"leftOperand": left, "operator": operator, "rightOperand": right, **more}


def use(*constraints: Any, action: Any = "use", **more: Any) -> dict[str, Any]:
    return {"action": action, **({"constraint": list(constraints)} if constraints else {}), **more}


def offer(*permissions: Any, no: Any = None, must: Any = None, **more: Any) -> dict[str, Any]:
    parts = {"permission": list(permissions), "prohibition": no, "obligation": must}
    return {"@type": "Offer", "@id": "urn:o"} | {key: value for key, value in parts.items() if value is not None} | more


def who(**changes: Any) -> Intent:
    return dataclasses.replace(RESEARCH, **changes)


def since(agreed: dt.datetime | None = AGREED, **uses: int) -> dict[str, Any]:
    return {"standing": Standing(agreed, {Door(door): number for door, number in uses.items()})}


GROUPS = {"groups": {"partners": ("did:web:a", "did:lab"), "CONSUMER": ("did:lab",)}, "participant": "did:lab"}
CX = {"accepted": {"UsagePurpose": ("cx.core.industrycore:1",), "FrameworkAgreement": ("DataExchangeGovernance:1.0",)}}
FRAME = when("https://w3id.org/catenax/2025/9/policy/FrameworkAgreement", "eq", "DataExchangeGovernance:1.0")
CX_PURPOSE = when({"@id": "cx-policy:UsagePurpose"}, {"@id": "odrl:isAnyOf"}, "cx.core.industrycore:1")
AFTER_USE = when(ODRL + "deletion", ODRL + "eq", "after_use")
SIMPL = {
    "profile": ODRL + "odrl.jsonld", "target": "f27b", "assigner": {"uid": "provider", "role": ODRL + "assigner"}, "uid": "47b6",
    "@context": "http://www.w3.org/ns/odrl.jsonld", "@type": "Set",
    "permission": [{"target": "f27b", "assignee": {"uid": "CONSUMER", "role": ODRL + "assignee"}, "action": [ODRL + "use"], "constraint": [AFTER_USE]}],
}  # fmt: skip
EXPANDED = [{
    "@id": "urn:o", "@type": [ODRL + "Offer"],
    ODRL + "permission": [{
        ODRL + "action": [{"@id": ODRL + "use"}],
        ODRL + "constraint": [{
            ODRL + "and": [{"@list": [{
                ODRL + "leftOperand": [{"@id": ODRL + "spatial"}], ODRL + "operator": [{"@id": ODRL + "eq"}], ODRL + "rightOperand": [{"@value": "LU"}],
            }]}],
        }],
    }],
}]  # fmt: skip
PAID = {"action": "compensate", "constraint": [when("payAmount", "eq", "500")]}

PROFILE = [
    # what, policy, intent, door, facts, answer, word of the reason
    ("30 days, day 14 is in June", offer(use(when("elapsedTime", "lteq", "P60D"))), RESEARCH, RELEASE, since(), YES, "elapsedTime"),
    ("30 days are over", offer(use(when("elapsedTime", "lteq", "P30D"))), RESEARCH, RELEASE, since(), NO, "2026-05-01"),
    ("one calendar month is over", offer(use(when("elapsedTime", "lt", "P1M"))), RESEARCH, STAGE, since(), NO, "elapsedTime"),
    ("hours count", offer(use(when("elapsedTime", "lteq", "PT1080H"))), RESEARCH, STAGE, since(), NO, "elapsedTime"),
    ("the clock of an offer stands at zero", offer(use(when("elapsedTime", "lteq", "P1D"))), RESEARCH, ACQUIRE, since(None), YES, ""),
    ("date of the agreement not known", offer(use(when("elapsedTime", "lteq", "P1Y"))), RESEARCH, STAGE, since(None), NO, "not known"),
    ("embargo after the agreement", offer(use(when("elapsedTime", "gteq", "P90D"))), RESEARCH, STAGE, since(), NO, "elapsedTime"),
    ("prohibited after 30 days", offer(use(), no=[use(when("elapsedTime", "gt", "P30D"))]), RESEARCH, STAGE, since(), NO, "prohibits"),
    ("no duration", offer(use(when("elapsedTime", "lteq", "a while"))), RESEARCH, STAGE, since(), NO, "'a while'"),
    ("negative duration", offer(use(when("elapsedTime", "gteq", "-P1D"))), RESEARCH, STAGE, since(), NO, "'-P1D'"),
    ("empty duration", offer(use(when("elapsedTime", "gteq", "P"))), RESEARCH, STAGE, since(), NO, "duration"),
    ("third of three uses", offer(use(when("count", "lteq", "3"))), RESEARCH, STAGE, since(stage=2), YES, "count"),
    ("fourth of three uses", offer(use(when("count", "lteq", 3))), RESEARCH, STAGE, since(stage=3), NO, "number 4"),
    ("fewer than three", offer(use(when("count", "lt", "3"))), RESEARCH, STAGE, since(stage=2), NO, "number 3"),
    ("other doors do not count", offer(use(when("count", "lteq", "1"))), RESEARCH, RELEASE, since(stage=9, release=0), YES, ""),
    ("uses not known", offer(use(when("count", "lteq", "9"))), RESEARCH, STAGE, since(), NO, "'count'"),
    ("prohibited from the second on", offer(use(), no=[use(when("count", "gt", "1"))]), RESEARCH, STAGE, since(stage=1), NO, "prohibits"),
    ("half a use", offer(use(when("count", "lteq", "2.5"))), RESEARCH, STAGE, since(stage=0), NO, "'2.5'"),
    ("minus one", offer(use(when("count", "gteq", -1))), RESEARCH, STAGE, since(stage=0), NO, "'-1'"),
    ("region of the target", offer(use(when("spatial", "isPartOf", "nuts:DE2"))), who(territory="DE21"), STAGE, {}, YES, "nuts:DE2"),
    ("another region", offer(use(when("spatial", "isPartOf", "nuts:DE2"))), who(territory="DE30"), STAGE, {}, NO, "DE30"),
    ("a country does not say which region", offer(use(when("spatial", "isPartOf", "nuts:DE2"))), who(territory="DE"), STAGE, {}, NO, "leaves open"),
    ("a region lies in its country", offer(use(when("spatial", "eq", "DE"))), who(territory="DE21"), STAGE, {}, YES, "DE"),
    ("a region lies in the Union", offer(use(when("spatial", "eq", "EU"))), who(territory="FRK2"), STAGE, {}, YES, "EU"),
    ("a Swiss region does not", offer(use(when("spatial", "eq", "EU"))), who(territory="CH01"), STAGE, {}, NO, "CH01"),
    ("region prohibited, country told", offer(use(), no=[use(when("spatial", "eq", "nuts:DE2"))]), who(territory="DE"), STAGE, {}, NO, "leaves open"),
    ("NUTS by IRI", offer(use(when("spatial", "eq", "http://data.europa.eu/nuts/code/LU00"))), who(territory="LU000"), STAGE, {}, YES, ""),
    ("group of the recipient", offer(use(when("recipient", "isPartOf", "partners"))), RESEARCH, STAGE, GROUPS, YES, "partners"),
    ("not in the group", offer(use(when("recipient", "isA", "partners"))), who(recipient="did:web:x"), STAGE, GROUPS, NO, "did:web:x"),
    ("group that nobody knows", offer(use(when("recipient", "isA", "friends"))), RESEARCH, STAGE, GROUPS, NO, "did:web:a"),
    ("all but a group that nobody knows", offer(use(when("recipient", "isNoneOf", ["rivals"]))), RESEARCH, STAGE, GROUPS, NO, "rivals"),
    ("prohibited to a group that nobody knows", offer(use(), no=[use(when("recipient", "eq", "rivals"))]), RESEARCH, STAGE, GROUPS, NO, "rivals"),
    ("prohibited to one other", offer(use(), no=[use(when("recipient", "eq", "did:web:b"))]), RESEARCH, STAGE, GROUPS, YES, "use"),
    ("Simpl, as its sample has it", SIMPL, RESEARCH, ACQUIRE, GROUPS, YES, "deletion eq after_use"),
    ("Simpl, lab is no consumer", SIMPL, RESEARCH, ACQUIRE, {"participant": "did:other"}, NO, "CONSUMER"),
    ("Simpl, deletion some day", offer(use(when("deletion", "eq", "some_day"))), RESEARCH, ACQUIRE, {}, NO, "some_day"),
    ("Simpl, limits", offer(use(when("dateTime", "gteq", "2026-01-01T00:00:00Z"), when("dateTime", "lteq", "2026-12-31T23:59:59Z"), when("count", "lteq", 5))), RESEARCH, STAGE, since(stage=4), YES, "count"),
    ("agreement of the protocol 2024-1", {"@type": "odrl:Agreement", "@id": "urn:a", "odrl:target": "urn:x", "odrl:assignee": "did:any", "dspace:timestamp": "2026-05-01T00:00:00Z", "odrl:permission": [{"odrl:action": {"@id": "odrl:use"}, "odrl:constraint": []}]}, RESEARCH, STAGE, {}, YES, "use"),
    ("offer for another participant", offer(use(), assignee="did:web:other"), RESEARCH, ACQUIRE, GROUPS, NO, "'assignee'"),
    ("offer for this lab", offer(use(), assignee={"@id": "did:lab"}), RESEARCH, ACQUIRE, GROUPS, YES, "'assignee'"),
    ("assignees of a kind", offer(use(assignee={"source": "CONSUMER", "refinement": [when("size", "gt", 1)]})), RESEARCH, ACQUIRE, GROUPS, NO, "refinement"),
    ("Catena-X, accepted", offer(use({"odrl:and": [FRAME, CX_PURPOSE]})), RESEARCH, ACQUIRE, CX, YES, "UsagePurpose"),
    ("Catena-X, not accepted", offer(use(FRAME)), RESEARCH, ACQUIRE, {}, NO, "accepts for FrameworkAgreement nothing"),
    ("Catena-X, another version", offer(use(when("cx-policy:FrameworkAgreement", "eq", "DataExchangeGovernance:2.0"))), RESEARCH, ACQUIRE, CX, NO, "2.0"),
    ("Catena-X in a prohibition", offer(use(), no=[use(CX_PURPOSE)]), RESEARCH, ACQUIRE, {}, NO, "prohibits"),
    ("refined action, met", offer(use(action={"rdf:value": {"@id": "odrl:use"}, "refinement": [when("spatial", "eq", "LU")]})), RESEARCH, ACQUIRE, {}, YES, "spatial"),
    ("refined action, not met", offer(use(action={"value": "use", "refinement": [when("spatial", "eq", "FR")]})), RESEARCH, ACQUIRE, {}, NO, "spatial"),
    ("refined action, unknown", offer(use(action={"value": "use", "refinement": [when("resolution", "lt", "72")]})), RESEARCH, ACQUIRE, {}, NO, "'resolution'"),
    ("refined prohibition", offer(use(), no=[use(action={"value": "use", "refinement": when("spatial", "eq", "LU")})]), RESEARCH, ACQUIRE, {}, NO, "prohibits"),
    ("refined asset", offer(use(target={"source": "urn:x", "refinement": [when("spatial", "eq", "LU")]}), target="urn:x"), RESEARCH, ACQUIRE, {}, NO, "another target"),
    ("no sharing", offer(use(), no=[use(action="cc:Sharing")]), RESEARCH, EXPORT, {}, NO, "Sharing"),
    ("no selling", offer(use(), no=[use(action="sell")]), RESEARCH, EXPORT, {}, NO, "sell"),
    ("no granting of use", offer(use(), no=[use(action="grantUse")]), RESEARCH, EXPORT, {}, NO, "grantUse"),
    ("delete 30 days after the agreement", offer(use(duty=[{"action": "delete", "constraint": [when("elapsedTime", "lteq", "P30D")]}])), RESEARCH, STAGE, since(), NO, "has passed"),
    ("delete after use", offer(use(duty=[{"action": "delete", "constraint": [when("event", "gt", "odrl:policyUsage")]}])), RESEARCH, STAGE, {}, YES, ""),
    ("delete on another event", offer(use(duty=[{"action": "delete", "constraint": [when("event", "gt", "ex:fullMoon")]}])), RESEARCH, STAGE, {}, NO, "fullMoon"),
    ("delete, unknown condition", offer(use(), must=[{"action": "delete", "constraint": [when("mood", "eq", "bad")]}]), RESEARCH, STAGE, {}, NO, "mood"),
    ("payment", offer(use(duty=[PAID])), RESEARCH, ACQUIRE, {}, NO, "pays nobody"),
    ("consent, other basis", offer(use(duty=[{"action": "obtainConsent"}])), RESEARCH, ACQUIRE, {}, NO, "not consent"),
    ("consent is the basis", offer(use(duty=[{"action": "obtainConsent"}])), who(legal_basis="eu-gdpr:A6-1-a"), ACQUIRE, {}, YES, ""),
    ("anonymise only abroad, at home", offer(use(), must=[{"action": "anonymize", "constraint": [when("spatial", "neq", "LU")]}]), RESEARCH, STAGE, {}, YES, ""),
    ("anonymise only abroad, abroad", offer(use(), must=[{"action": "anonymize", "constraint": [when("spatial", "neq", "LU")]}]), who(territory="US"), STAGE, {}, NO, "anonymize"),
    ("inform, with a consequence", offer(use(duty=[{"action": "inform", "informedParty": "did:h", "consequence": [{"action": "delete"}]}])), RESEARCH, STAGE, {}, YES, ""),
    ("consequence nobody understands", offer(use(duty=[{"action": "inform", "consequence": [{"action": "ex:dance"}]}])), RESEARCH, STAGE, {}, NO, "ex:dance"),
    ("remedy understood", offer(use(), no=[use(action="sell", remedy=[{"action": "delete"}])]), RESEARCH, STAGE, {}, YES, ""),
    ("remedy nobody understands", offer(use(), no=[use(action="sell", remedy=[{"action": "ex:dance"}])]), RESEARCH, STAGE, {}, NO, "as a remedy"),
    ("and of or", offer(use({"and": [{"or": [when("spatial", "eq", "FR"), when("spatial", "eq", "LU")]}, when("dateTime", "lt", "2027-01-01")]})), RESEARCH, STAGE, {}, YES, "LU"),
    ("sequence", offer(use({"andSequence": {"@list": [when("spatial", "eq", "LU")]}})), RESEARCH, STAGE, {}, NO, "'andSequence'"),
    ("xone of three", offer(use({"xone": [when("spatial", "eq", c) for c in ("LU", "FR", "DE")]})), RESEARCH, STAGE, {}, YES, "neq FR"),
]  # fmt: skip

RED_TEAM = [
    ("expanded JSON-LD is read", EXPANDED, RESEARCH, STAGE, {}, YES, "spatial eq LU"),
    ("expanded JSON-LD is measured", EXPANDED, who(territory="US"), STAGE, {}, NO, "spatial eq LU"),
    ("a JSON string is read", json.dumps(offer(use(when("spatial", "eq", "FR")))), RESEARCH, STAGE, {}, NO, "spatial"),
    ("rules as JSON strings", offer(json.dumps(use())), RESEARCH, STAGE, {}, NO, "not an object"),
    ("rules in lists of lists", offer([use()]), RESEARCH, STAGE, {}, NO, "not an object"),
    ("an action in lists of lists", offer(use(action=[["use"]])), RESEARCH, STAGE, {}, NO, "not a name"),
    ("two operators", offer(use(when("spatial", ["eq", "neq"], "LU"))), RESEARCH, STAGE, {}, NO, "operator"),
    ("two left operands", offer(use(when(["spatial", "purpose"], "eq", "LU"))), RESEARCH, STAGE, {}, NO, "left operand"),
    ("a permission typed as a prohibition", offer(use(**{"@type": "Prohibition"})), RESEARCH, STAGE, {}, NO, "'Prohibition'"),
    ("a policy that only asks", offer(use()) | {"@type": "Request"}, RESEARCH, STAGE, {}, NO, "'Request'"),
    ("two types", offer(use()) | {"@type": ["Offer", "odrl:Ticket"]}, RESEARCH, STAGE, {}, NO, "'odrl:Ticket'"),
    ("a context that turns words around", offer(use(), **{"@context": {"permission": ODRL + "prohibition"}}), RESEARCH, STAGE, {}, NO, "'permission'"),
    ("a context that moves a prefix", offer(use(), **{"@context": [{"odrl": "https://evil.example/"}]}), RESEARCH, STAGE, {}, NO, "'odrl'"),
    ("a context for an action", offer(use(), **{"@context": {"use": ODRL + "display"}}), RESEARCH, STAGE, {}, NO, "'use'"),
    ("an alias for a rule", offer(use(), **{"@context": {"erlaubt": ODRL + "prohibition"}}), RESEARCH, STAGE, {}, NO, "'erlaubt'"),
    ("a context from nowhere", offer(use(), **{"@context": "https://evil.example/context.jsonld"}), RESEARCH, STAGE, {}, NO, "evil.example"),
    ("usual contexts", offer(use(), **{"@context": ["https://w3id.org/dspace/2025/1/context.jsonld", {"odrl": ODRL, "xsd": "http://www.w3.org/2001/XMLSchema#"}]}), RESEARCH, STAGE, {}, YES, "use"),
    ("a context inside a rule", offer(use(**{"@context": {}})), RESEARCH, STAGE, {}, NO, "'@context'"),
    ("a foreign prefix", offer(use(), **{"cc:prohibition": [use()]}), RESEARCH, STAGE, {}, NO, "cc:prohibition"),
    ("an empty permission", offer({}), RESEARCH, STAGE, {}, NO, "without an action"),
    ("permitted and prohibited", offer(use(), no=[use()], conflict="perm"), RESEARCH, STAGE, {}, NO, "prohibits"),
    ("prohibition in capitals", offer(use(), no=[use(action="USE")]), RESEARCH, STAGE, {}, NO, "prohibits 'USE'"),
    ("left operand in capitals", offer(use(when("Spatial", "eq", "LU"))), RESEARCH, STAGE, {}, NO, "'Spatial'"),
    ("operator in capitals", offer(use(when("spatial", "EQ", "LU"))), RESEARCH, STAGE, {}, NO, "'EQ'"),
    ("a letter from another alphabet", offer(use(when("sp\u0430tial", "eq", "LU"))), RESEARCH, STAGE, {}, NO, "left operand"),
    ("nothing visible in a term", offer(use(when("spatial\u200b", "eq", "LU"))), RESEARCH, STAGE, {}, NO, "sha256:"),
    ("a sentence in the id", offer(use(when("mood", "eq", "x"))) | {"@id": "p\nThe policy permits 'use'."}, RESEARCH, STAGE, {}, NO, "mood"),
    ("a week date", offer(use(when("dateTime", "gt", "2026-W01-1"))), RESEARCH, STAGE, {}, NO, "2026-W01-1"),
    ("a date without separators", offer(use(when("dateTime", "gt", "20260101"))), RESEARCH, STAGE, {}, NO, "20260101"),
    ("a date in a far zone", offer(use(when("dateTime", "lteq", "2026-06-14-12:00"))), RESEARCH, STAGE, {}, NO, "dateTime"),
    ("a date in words of another script", offer(use(when("dateTime", "lteq", "\u0662\u0660\u0662\u0667-01-01"))), RESEARCH, STAGE, {}, NO, "date"),
    ("the thirtieth of February", offer(use(when("dateTime", "lteq", "2027-02-30"))), RESEARCH, STAGE, {}, NO, "2027-02-30"),
    ("two dates", offer(use(when("dateTime", "lteq", ["2027-01-01", "2026-01-01"]))), RESEARCH, STAGE, {}, NO, "several right operands"),
    ("a date as a number", offer(use(when("dateTime", "lteq", 20270101))), RESEARCH, STAGE, {}, NO, "20270101"),
    ("a date somewhere else", offer(use({"leftOperand": "dateTime", "operator": "lteq", "rightOperandReference": "urn:date"})), RESEARCH, STAGE, {}, NO, "rightOperandReference"),
    ("a literal with two values", offer(use(when("spatial", "eq", {"@value": "LU", "@id": "US"}))), RESEARCH, STAGE, {}, NO, "place"),
    ("true is no place", offer(use(when("spatial", "eq", True))), RESEARCH, STAGE, {}, NO, "'true'"),
    ("a constraint beside a logical one", offer(use({"and": [when("spatial", "eq", "LU")], **when("spatial", "eq", "US")})), RESEARCH, STAGE, {}, NO, "logical constraint"),
    ("two logical ones", offer(use({"and": [when("spatial", "eq", "LU")], "or": []})), RESEARCH, STAGE, {}, NO, "logical constraint"),
    ("or of nothing", offer(use({"or": []})), RESEARCH, STAGE, {}, NO, "logical constraint"),
    ("a prohibition with a duty", offer(use(), no=[use(action="sell", duty=[{"action": "inform"}])]), RESEARCH, STAGE, {}, NO, "'duty'"),
    ("a permission in a permission", offer(use(permission=[use()])), RESEARCH, STAGE, {}, NO, "'permission'"),
    ("an override in the policy", offer(use(when("mood", "eq", "x")), override={"term": "mood"}), RESEARCH, STAGE, {}, NO, "'override'"),
    ("another asset's permission", offer(use(target="urn:a"), use(target="urn:b")), RESEARCH, STAGE, {}, NO, "urn:b"),
    ("two thousand rules", offer(*[use(when("spatial", "eq", "LU"))] * 2000), RESEARCH, STAGE, {}, NO, "more than 1000"),
    ("a thousand unknown terms", offer(*[use(when(f"t{n}", "eq", "x")) for n in range(900)]), RESEARCH, STAGE, {}, NO, "850 more"),
    ("exactly one of two thousand", offer(use({"xone": [when("count", "eq", n) for n in range(2000)]})), RESEARCH, STAGE, {}, NO, "more than 64"),
    ("nine thousand conditions", offer(use(*[when("spatial", "eq", "LU")] * 9000)), RESEARCH, STAGE, {}, NO, "more than 4000"),
    ("sixty thousand actions", offer(use(action=["use"] * 60_000)), RESEARCH, STAGE, {}, NO, "more than 4096"),
    ("a thousand rules with 64 readings", offer(*[use(*[{"or": [when("spatial", "eq", c) for c in ("FR", "DE")]}] * 6)] * 300), RESEARCH, STAGE, {}, NO, "more than 4"),
    ("a million alternatives", offer(use(*[{"or": [when("spatial", "eq", c) for c in ("LU", "DE", "FR")]}] * 13)), RESEARCH, STAGE, {}, NO, "alternatives"),
]  # fmt: skip

BROKEN = {
    "a recursion bomb of conditions": '{"permission":[{"action":"use","constraint":'
    + '{"and":[' * 400
    + "{}"
    + "]}" * 400
    + "}]}",
    "a recursion bomb of values": '{"permission":[{"action":' + '{"@value":' * 300 + '"use"' + "}" * 300 + "}]}",
    "lists without end": '{"permission":' + "[" * 60 + "]" * 60 + "}",
    "a key twice": '{"permission":[{"action":"use","action":"read"}]}',
    "a key in two spellings": '{"permission":[{"action":"use"}],"http://www.w3.org/ns/odrl/2/permission":[]}',
    "a JSON string in a JSON string": json.dumps(json.dumps(json.dumps({"permission": [{"action": "use"}]}))),
    "two policies": '[{"permission":[{"action":"use"}]},{"prohibition":[{"action":"use"}]}]',
    "half a character": '{"@id":"\\ud800","permission":[{"action":"use"}]}',
    "half a character, raw": '{"@id":"\ud800","permission":[{"action":"use"}]}',
    "a number without end": '{"permission":[{"action":"use"}],"n":' + "9" * 5000 + "}",
    "no rule at all": '{"@type":"Offer","permission":[]}',
    "more than a policy": " " * 1_000_001,
}


def asked(policy: Any, intent: Intent, door: Door, facts: dict[str, Any]):
    read = parse(json.dumps(policy))
    known = {key: value for key, value in facts.items() if key != "standing"}
    if "standing" in facts:
        known["standing"] = {read.sha256: facts["standing"]}
    made = Facts(personal_data=False, **known)
    return read, decide(door, [read], intent, moment=NOW, facts=made, subject="s", target="t", actor="steward")


@pytest.mark.parametrize(
    ("policy", "intent", "door", "facts", "answer", "word"),
    [case[1:] for case in PROFILE + RED_TEAM],
    ids=[case[0] for case in PROFILE + RED_TEAM],
)
def test_the_table(policy, intent, door, facts, answer, word):
    read, decision = asked(policy, intent, door, facts)

    assert decision.permitted is answer, decision.reasons
    assert any(word in reason for reason in decision.reasons), decision.reasons
    assert all(reason[0].isupper() and reason.endswith(".") and reason.isprintable() for reason in decision.reasons)
    assert len(decision.refusals) <= len(decision.reasons)
    assert all(one.term and one.found and one.next and one.sha256 == read.sha256 for one in decision.refusals)
    assert bool(decision.refusals) is bool(decision.next) is not answer
    assert all(sentence.endswith(".") for sentence in explain(read))


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_what_is_no_policy_is_an_error_of_ours(text):
    with pytest.raises(ProtocolError):
        parse(text)


def test_the_table_is_long_enough():
    assert len(PROFILE) >= 60
    assert len(RED_TEAM) + len(BROKEN) >= 50
