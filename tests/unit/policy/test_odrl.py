from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datalab.errors import ProtocolError
from datalab.model.policy import Rule
from datalab.policy import in_words, parse, valid_until
from datalab.policy.moments import interval
from datalab.policy.places import countries, country
from datalab.policy.purposes import DPV, broader


def policy(**parts):
    return parse(json.dumps({"@type": "Offer", "@id": "urn:o", **parts}))


UNTIL = {"leftOperand": "dateTime", "operator": "lteq", "rightOperand": "2026-12-31"}


def test_the_text_is_kept_to_the_letter_beside_its_reading():
    text = '{"@id":"urn:o",  "permission":[{"action":"use"}]}'
    read = parse(text)
    assert read.verbatim == text
    assert read.permissions == (Rule("use"),)


def test_prefixed_keys_and_terms_read_the_same():
    plain = policy(permission=[{"action": "use", "constraint": [UNTIL]}])
    prefixed = parse(
        json.dumps(
            {
                "@id": "urn:o",
                "odrl:permission": {
                    "odrl:action": {"@id": "odrl:use"},
                    "odrl:constraint": {
                        "odrl:leftOperand": {"@id": "odrl:dateTime"},
                        "odrl:operator": {"@id": "odrl:lteq"},
                        "odrl:rightOperand": {"@value": "2026-12-31"},
                    },
                },
            }
        )
    )
    assert prefixed.permissions == plain.permissions
    assert not prefixed.unknown


def test_and_or_become_rules():
    a, b, c = ({"leftOperand": "spatial", "operator": "eq", "rightOperand": code} for code in ("DE", "FR", "IT"))
    read = policy(permission=[{"action": "use", "constraint": [{"or": [{"and": [a, b]}, c]}]}])
    assert [[item.right for item in rule.constraints] for rule in read.permissions] == [[("DE",), ("FR",)], [("IT",)]]


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "7", "{", '{"permission": []}', '{"@id":"x","permission":[{"action":"use"}],"permission":[]}',
        '{"permission":[{"action":"use"}],"odrl:permission":[]}', "[" * 100_000, '{"a":' * 3000 + "1" + "}" * 3000, " " * 1_000_001,
    ],
)  # fmt: skip
def test_garbage_is_a_protocol_error(text):
    with pytest.raises(ProtocolError):
        parse(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["use", "purpose", "eq", "EU"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["action", "constraint", "leftOperand", "operator", "rightOperand", "or", "and", "xone", "duty", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON, JSON)
def test_no_rule_however_odd_breaks_the_reader(permission, prohibition):
    try:
        read = parse(json.dumps({"permission": permission, "prohibition": prohibition}))
    except ProtocolError:
        return
    assert isinstance(in_words(read), list)
    valid_until(read)


def test_too_many_alternatives_are_unknown_not_slow():
    either = {"or": [{"leftOperand": "spatial", "operator": "eq", "rightOperand": code} for code in ("DE", "FR", "IT")]}
    read = policy(permission=[{"action": "use", "constraint": [either] * 30}])
    assert read.unknown


def test_terms_in_words():
    read = policy(
        permission=[{"action": "use", "constraint": [UNTIL], "duty": [{"action": "attribute"}]}],
        prohibition=[{"action": "distribute"}],
    )
    assert in_words(read) == [
        "You may use the data, if the date is not after 2026-12-31.",
        "You must not pass the data on.",
        "Duty: Name the source.",
        "The terms end at 2027-01-01T00:00:00Z.",
    ]


def test_purposes_and_places_are_named_as_people_say_them():
    constraints = [
        {"leftOperand": "purpose", "operator": "isAnyOf", "rightOperand": ["dpv:ScientificResearch", "urn:own"]},
        {"leftOperand": "spatial", "operator": "isPartOf", "rightOperand": "EU"},
    ]
    assert in_words(policy(permission=[{"action": "use", "constraint": constraints}])) == [
        (
            "You may use the data, if the purpose is one of scientific research (dpv:ScientificResearch) or urn:own"
            " and the place where the data stands lies within the European Union."
        )
    ]


@pytest.mark.parametrize(
    ("parts", "end"),
    [
        ({"permission": [{"action": "use"}]}, ""),
        ({"permission": [{"action": "use", "constraint": [UNTIL]}]}, "2027-01-01T00:00:00Z"),
        ({"permission": [{"action": "use", "constraint": [UNTIL]}, {"action": "use"}]}, ""),
        ({"permission": [{"action": "use", "constraint": [UNTIL]}, {"action": "distribute"}]}, "2027-01-01T00:00:00Z"),
        (
            {"permission": [{"action": "use"}], "obligation": [{"action": "delete", "constraint": [UNTIL]}]},
            "2027-01-01T00:00:00Z",
        ),
        ({"permission": [{"action": "use", "duty": [{"action": "delete", "constraint": [UNTIL]}]}]}, "2027-01-01T00:00:00Z"),
        (
            {
                "permission": [{"action": "use"}],
                "prohibition": [{"action": "use", "constraint": [UNTIL | {"operator": "gteq"}]}],
            },
            "2026-12-31T00:00:00Z",
        ),
    ],
)
def test_valid_until(parts, end):
    assert valid_until(policy(**parts)) == end


def test_places():
    assert country("http://publications.europa.eu/resource/authority/country/EST") == "EE"
    assert len(countries("EU") or ()) == 27
    assert countries("http://data.europa.eu/nuts/code/DE21") is None
    assert country("EU") is None
    assert country("") is None


def test_a_date_is_its_whole_day():
    start, end = interval("2026-12-31")
    assert (end - start).days == 1
    assert interval("9999-12-31") is not None
    assert interval("2026-13-01") is None


def test_purposes_have_broader_ones():
    assert DPV + "CommercialPurpose" in broader("dpv:CommercialResearch")
    assert broader("urn:own") == {"urn:own"}
