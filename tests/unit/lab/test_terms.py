"""Terms in a lab: what its settings and its ledger say to a decision, what a steward may vouch for, what must be deleted, what is carried on."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from datalab.cli.main import main
from datalab.errors import GateFailed, NotFound, PolicyRefusal, SettingsError, UsageError, VerificationFailed
from datalab.lab.facts import territory_of
from datalab.lab.overrides import override, overrides, refused_terms, withdraw
from datalab.lab.release import approve, evidence_of, reject
from datalab.lab.retention import due, purge_expired
from datalab.lab.run import run_pipeline
from datalab.lab.stage import pull_release
from datalab.model.settings import load_settings
from datalab.policy.licences import licence, licence_rules
from tests.unit.lab.own_files import OWN, use, when
from tests.unit.lab.workshop import APPROVER

STEWARD = "Sam Example, steward"
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
MOOD = {"leftOperand": "ex:mood", "operator": "eq", "rightOperand": "good"}
MOOD_TERM = "left operand 'ex:mood' (ex:mood eq good)"


def reasons(lab):
    return [reason for event in lab.ledger.events(type="decision.made") for reason in event.body["reasons"]]


def test_a_steward_vouches_for_one_unknown_term_and_takes_it_back(own, tmp_path):
    lab = own(permission=use(MOOD))
    with pytest.raises(PolicyRefusal, match="ex:mood") as refused:
        run_pipeline(OWN, lab=lab)
    assert "datalab policy override" in refused.value.next
    [term] = refused_terms(lab)
    assert (term.term, term.vouchable, term.subject) == (MOOD_TERM, True, "own:visitors.csv")

    made = override(lab, term.sha256[:16], term.term, actor=STEWARD, reason="we asked, it is", until=TOMORROW)
    run_pipeline(OWN, lab=lab)
    folder, manifest = approve(lab, "visitors", actor=APPROVER)

    said = f"{STEWARD} vouched for it until "
    assert sum(said in reason for reason in reasons(lab)) == 3, "acquire, gate and approval name the steward"
    assert "policy.overridden" in (folder / "governance" / "ledger.jsonl").read_text()
    report = (folder / "governance" / "report.html").read_text()
    assert "policy.overridden" in report
    assert said in report
    assert MOOD["rightOperand"] in json.dumps(manifest.terms["policy"]), "the term itself is carried on"

    withdraw(lab, made.sequence, actor=STEWARD, reason="it was a mistake")
    assert overrides(lab) == ()
    with pytest.raises(PolicyRefusal, match="ex:mood"):
        pull_release(lab, "visitors@1", tmp_path / "site")
    with pytest.raises(NotFound, match="no override"):
        withdraw(lab, made.sequence, actor=STEWARD, reason="again")


def test_an_override_covers_one_term_of_one_policy_until_its_end(own, monkeypatch):
    two = own(permission=use(MOOD, when("ex:tide", "eq", "low")))
    with pytest.raises(PolicyRefusal):
        run_pipeline(OWN, lab=two)
    sha256 = refused_terms(two)[0].sha256
    override(two, sha256, MOOD_TERM, actor=STEWARD, reason="we asked", until=TOMORROW)
    with pytest.raises(PolicyRefusal, match="ex:tide"):
        run_pipeline(OWN, lab=two)
    other = own(permission=use(MOOD))
    with pytest.raises(PolicyRefusal, match="ex:mood"):
        run_pipeline(OWN, lab=other)
    [given] = overrides(other)
    assert given.until - datetime.now(UTC) < timedelta(days=2)


@pytest.mark.parametrize(
    ("changes", "error", "match"),
    [
        ({"term": "left operand 'ex:mood'"}, NotFound, "no term"),
        ({"policy": "0" * 64}, NotFound, "no policy"),
        ({"policy": ""}, NotFound, "no policy"),
        ({"actor": " "}, UsageError, "a person and a reason"),
        ({"actor": "engine"}, UsageError, "a person and a reason"),
        ({"reason": ""}, UsageError, "a person and a reason"),
        ({"until": "2020-01-01"}, UsageError, "within a year"),
        ({"until": "2999-01-01"}, UsageError, "within a year"),
        ({"until": "soon"}, UsageError, "within a year"),
    ],
)
def test_an_override_needs_its_term_a_person_a_reason_and_an_end(own, changes, error, match):
    lab = own(permission=use(MOOD))
    with pytest.raises(PolicyRefusal):
        run_pipeline(OWN, lab=lab)
    [term] = refused_terms(lab)
    wanted = {"policy": term.sha256, "term": term.term, "actor": STEWARD, "reason": "r", "until": TOMORROW} | changes
    with pytest.raises(error, match=match):
        override(lab, wanted.pop("policy"), wanted.pop("term"), **wanted)
    assert overrides(lab) == ()


@pytest.mark.parametrize(
    "terms",
    [
        {"permission": use(), "prohibition": use()},
        {"permission": use(), "prohibition": use(MOOD)},
        {"permission": use(when("spatial", "eq", "FR"))},
        {"permission": use(), "inheritFrom": "urn:other"},
    ],
    ids=["prohibition", "unknown term in a prohibition", "measured term", "structure"],
)
def test_prohibitions_and_known_terms_are_nobodys_to_override_and_no_event_helps(own, terms):
    lab = own(**terms)
    with pytest.raises(PolicyRefusal):
        run_pipeline(OWN, lab=lab)
    [term, *_] = refused_terms(lab)
    with pytest.raises(UsageError, match="nobody's to override"):
        override(lab, term.sha256, term.term, actor=STEWARD, reason="r", until=TOMORROW)
    body = {"policy": "urn:own", "term": term.term, "reason": "r", "until": "2999-01-01T00:00:00Z"}
    lab.record("policy.overridden", term.sha256, body, actor="Eve")
    with pytest.raises(PolicyRefusal):
        run_pipeline(OWN, lab=lab)


def test_no_setting_and_no_altered_ledger_makes_an_override(own, monkeypatch):
    lab = own(permission=use(MOOD))
    with pytest.raises(PolicyRefusal):
        run_pipeline(OWN, lab=lab)
    path = lab.settings.root / "datalab.toml"
    text = path.read_text()
    for forged in ('[policy]\noverrides = ["ex:mood"]\n', '[accept]\n"ex:mood" = ["good"]\n', "[accept]\nUsagePurpose = [1]\n"):
        path.write_text(text + forged)
        with pytest.raises((NotFound, SettingsError)):
            load_settings(path)
    path.write_text(text + f'[groups]\n"{MOOD_TERM}" = ["{STEWARD}"]\n')
    monkeypatch.setenv("DATALAB_OVERRIDE", MOOD_TERM)
    with pytest.raises(PolicyRefusal):
        run_pipeline(OWN, lab=own(permission=use(MOOD)))
    override(lab, refused_terms(lab)[0].sha256, MOOD_TERM, actor=STEWARD, reason="r", until=TOMORROW)
    with sqlite3.connect(lab.home / "ledger.sqlite") as database:
        database.execute("DROP TRIGGER event_update")
        database.execute("UPDATE event SET body = replace(body, ?, '2999') WHERE type = 'policy.overridden'", (TOMORROW[:4],))
    with pytest.raises(VerificationFailed):
        overrides(lab)


def test_the_place_of_the_target_counts_and_not_that_of_the_caller(own, tmp_path):
    path = tmp_path / "lab" / "datalab.toml"
    lab = own(permission=use(when("spatial", "isPartOf", "EU")))
    abroad, home = tmp_path / "abroad", tmp_path / "abroad" / "annex"
    path.write_text(
        path.read_text()
        + f'[places]\nus = {{ path = "{abroad}", territory = "US" }}\nby = {{ path = "{home}", territory = "DE21" }}\n'
    )
    run_pipeline(OWN, lab=lab)
    approve(lab, "visitors", actor=APPROVER)
    lab = own(permission=use())
    with pytest.raises(PolicyRefusal, match="the data would stand in US"):
        pull_release(lab, "visitors@1", abroad / "scratch")
    (tmp_path / "link").symlink_to(abroad, target_is_directory=True)
    abroad.mkdir()
    with pytest.raises(PolicyRefusal, match="US"):
        pull_release(lab, "visitors@1", tmp_path / "link" / "scratch")
    pull_release(lab, "visitors@1", home)
    pull_release(lab, "visitors@1", tmp_path / "here")
    assert territory_of(lab.settings, tmp_path / "elsewhere") == "LU"
    assert territory_of(lab.settings, Path("/proc/1")) == "", "a mount from elsewhere is not where the lab stands"


def test_deletion_after_use_falls_due_when_the_use_is_over(own):
    lab = own(permission=use(when("http://www.w3.org/ns/odrl/2/deletion", "eq", "after_use")))
    plan = run_pipeline(OWN, lab=lab).plan
    assert due(lab) == []
    reject(lab, "visitors", actor=APPROVER, note="hours look wrong")
    [item] = due(lab)
    assert (item.what, item.name, item.why) == ("run", plan, "the terms demand deletion after use")
    removed = {one.what for done in purge_expired(lab, actor=APPROVER) for one in done.removed}
    assert {"working files", "landing"} <= removed
    assert due(lab) == []


def test_deletion_by_a_date_is_sooner_than_the_retention(own):
    lab = own(permission=use(duty=[{"action": "delete", "constraint": [when("dateTime", "lteq", TOMORROW)]}]))
    plan = run_pipeline(OWN, lab=lab).plan
    approve(lab, "visitors", actor=APPROVER)
    assert due(lab) == []
    soon = due(lab, timedelta(days=3))
    assert [(item.what, item.why) for item in soon] == [
        ("run", "the terms demand deletion by then"),
        ("release", "its terms end"),
    ]
    assert soon[0].name == plan
    assert soon[0].at.date() == (datetime.now(UTC) + timedelta(days=2)).date()


def test_an_agreement_that_stands_keeps_its_first_date(own):
    lab = own(permission=use(when("elapsedTime", "lteq", "P1Y")))
    body = {"dataset": "own:visitors.csv", "agreed_at": "2020-01-01T00:00:00Z"}
    run_pipeline(OWN, lab=lab)
    [agreement] = {event.subject for event in lab.ledger.events(type="agreement.concluded")}
    other = own(permission=use(when("elapsedTime", "lteq", "P1Y")))
    run_pipeline(OWN, lab=other)
    first, second = [event.body["agreed_at"] for event in lab.ledger.events(type="agreement.concluded")]
    assert first == second
    with sqlite3.connect(lab.home / "ledger.sqlite") as database:
        database.execute("DROP TRIGGER event_delete")
        database.execute("DELETE FROM event")
    lab.record("agreement.concluded", agreement, body)
    with pytest.raises(PolicyRefusal, match="the terms of the agreement ended at 2021-01-01"):
        run_pipeline(OWN, lab=lab)


def test_an_agreement_whose_time_is_over_gives_nothing_more(own):
    lab = own(permission=use(when("elapsedTime", "lteq", "PT0S")))
    with pytest.raises((PolicyRefusal, GateFailed)):
        run_pipeline(OWN, lab=lab)
    assert list(lab.ledger.events(type="object.landed")) == []


def test_what_a_release_carries_on(own):
    lab = own(
        permission=use(
            when("elapsedTime", "lteq", "P90D"), duty=[{"action": "attribute", "attributedParty": "Museum of Inventions"}]
        ),
        prohibition=[{"action": "distribute"}],
    )
    run_pipeline(OWN, lab=lab)
    folder, manifest = approve(lab, "visitors", actor=APPROVER)
    terms = manifest.terms
    [agreement] = evidence_of(lab, manifest).agreements
    end = datetime.fromisoformat(agreement.agreed_at) + timedelta(days=90)
    assert abs(datetime.fromisoformat(terms["valid_until"]) - end) < timedelta(seconds=2)
    assert (terms["redistribution"], terms["attribution"], terms["delete_by"]) == (False, True, "")
    [permission] = terms["policy"]["permission"]
    assert permission["constraint"][0]["leftOperand"] == "dateTime", "a time since the agreement is a date to whoever reads on"
    assert terms["policy"]["prohibition"] == [{"action": "distribute"}]
    for page in ("TERMS.md", "README.md"):
        assert "- visitors.csv, Museum of Inventions" in (folder / page).read_text()
    graph = json.loads((folder / "governance" / "policy.jsonld").read_text())["@graph"]
    assert graph[-1]["policy"]["permission"] == terms["policy"]["permission"]
    assert graph[-1]["@id"].endswith("#terms")


def test_share_alike_is_carried_into_the_release(own):
    lab = own(**licence_rules([licence("CC-BY-SA-4.0")]))
    run_pipeline(OWN, lab=lab)
    folder, manifest = approve(lab, "visitors", actor=APPROVER)
    said = "Pass on what is derived under the same licence only."
    assert f"Duty: {said}" in manifest.terms["in_words"]
    assert [duty["action"] for duty in manifest.terms["policy"]["obligation"]] == ["attribute", "notice", "ShareAlike"]
    assert said in (folder / "governance" / "report.html").read_text()
    page = (folder / "TERMS.md").read_text()
    assert said in page
    assert "- visitors.csv, " in page.partition("## Under which licence to pass it on")[2].partition("\n## ")[0]


def test_the_commands(own, monkeypatch, capsys):
    lab = own(permission=use(MOOD))
    with pytest.raises(PolicyRefusal):
        run_pipeline(OWN, lab=lab)
    monkeypatch.chdir(lab.settings.root)

    def told(*arguments):
        with pytest.raises(SystemExit) as end:
            main([*arguments])
        assert end.value.code == 0
        return capsys.readouterr().out

    [term] = json.loads(told("policy", "terms", "--json"))["refused"]
    given = ("policy", "override", term["sha256"][:12], "--term", term["term"], "--reason", "we asked")
    assert "vouches for it until" in told(*given, "--until", TOMORROW, "--as", STEWARD)
    [event] = [item["event"] for item in json.loads(told("policy", "terms", "--json"))["overrides"]]
    assert MOOD_TERM in told("policy", "terms")
    assert "is withdrawn" in told("policy", "withdraw", str(event), "--reason", "mistake", "--as", STEWARD)
    assert "nothing is due" in told("quarantine", "due")
    assert json.loads(told("quarantine", "due", "--json")) == []
    assert "You may use the data." in told("policy", "explain", "files:visitors.csv")
