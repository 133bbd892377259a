"""What is passed on: nothing that a source forbids gets lost on the way, and no clock begins anew."""

from __future__ import annotations

import datetime as dt
import json

from datalab.policy.combined import combined_rules

ODRL = "http://www.w3.org/ns/odrl/2/"


def test_a_prohibition_is_kept_in_whatever_spelling_it_came():
    source = {
        ODRL + "permission": [{ODRL + "action": {"@id": ODRL + "use"}}],
        ODRL + "prohibition": {ODRL + "action": "odrl:sell"},
    }
    assert combined_rules([json.dumps([source])]) == {"permission": [{"action": "use"}], "prohibition": [{"action": "sell"}]}


def test_a_time_since_the_agreement_is_passed_on_as_a_date():
    limit = {"leftOperand": "elapsedTime", "operator": "lteq", "rightOperand": "P1M"}
    source = json.dumps({"permission": [{"action": "use", "assignee": "did:web:this", "constraint": [limit]}]})
    [rule] = combined_rules([source], [dt.datetime(2026, 1, 31, tzinfo=dt.UTC)])["permission"]
    assert rule == {
        "action": "use",
        "constraint": [{"leftOperand": "dateTime", "operator": "lteq", "rightOperand": "2026-02-28T00:00:00Z"}],
    }


def test_what_could_not_be_read_forbids_all_use():
    source = json.dumps({"permission": [{"action": "use"}], "inheritFrom": "urn:x"})
    assert combined_rules([source])["prohibition"] == [{"action": "use"}]
