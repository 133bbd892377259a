"""What stands beside the data of a release."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace

import pytest

from datalab.errors import UsageError
from datalab.governance import write_governance
from datalab.model.event import Event
from datalab.policy.licences import licence_policy

FILES = {
    "croissant.json", "README.md", "TERMS.md", "governance/dcat.jsonld", "governance/provenance.jsonld", "governance/policy.jsonld",
    "governance/checks.json", "governance/lineage.openlineage.jsonl", "governance/ledger.jsonl", "governance/report.html",
}  # fmt: skip


@pytest.fixture
def written(evidence, folder):
    write_governance(evidence, folder)
    return folder


def test_all_files_are_there_and_nothing_else(written):
    found = {path.relative_to(written).as_posix() for path in written.rglob("*") if path.is_file()}
    assert {name for name in found if not name.startswith("data/")} == FILES


def test_no_path_of_the_lab_and_no_hidden_value_gets_out(written):
    for name in FILES:
        text = (written / name).read_text(encoding="utf-8")
        assert "/secret/landing" not in text
        assert str(written.parent) not in text


def test_the_ledger_s_events_can_be_checked_by_anybody(written, evidence):
    lines = (written / "governance" / "ledger.jsonl").read_text(encoding="utf-8").splitlines()
    events = [Event(**json.loads(line)) for line in lines]
    assert tuple(events) == evidence.events
    assert all(event.holds() for event in events)


def test_policies_are_kept_word_for_word(written, made):
    graph = json.loads((written / "governance" / "policy.jsonld").read_text(encoding="utf-8"))["@graph"]
    assert graph[0]["verbatim"] == made.POLICY.verbatim
    assert hashlib.sha256(graph[0]["verbatim"].encode()).hexdigest() == graph[0]["sha256"] == made.POLICY.sha256


def test_the_terms_say_what_until_when_for_what_and_whom_to_ask(written):
    text = (written / "TERMS.md").read_text(encoding="utf-8")
    for words in (
        "Duty: anonymise",
        "Until 2027-12-31",
        "route messages",
        "City of Saarbrücken",
        "message-steward@datalab.example",
    ):
        assert words in text


def test_the_terms_name_the_licence_that_binds_what_is_derived(evidence, folder):
    agreements = tuple(
        replace(agreement, policy=licence_policy("CC-BY-SA-4.0")) if agreement.connector == "files" else agreement
        for agreement in evidence.agreements
    )
    offers = tuple(replace(offer, licence="CC-BY-SA-4.0") if offer.connector == "files" else offer for offer in evidence.offers)
    write_governance(replace(evidence, agreements=agreements, offers=offers), folder)
    section = (folder / "TERMS.md").read_text(encoding="utf-8").partition("## Under which licence to pass it on")[2]
    lines = [line for line in section.partition("\n## ")[0].splitlines() if line.startswith("- ")]
    assert lines == ["- Countries of the lab, Data Lab Saarbrücken, CC-BY-SA-4.0"]


def test_written_twice_it_is_the_same(evidence, folder):
    write_governance(evidence, folder)
    before = {name: (folder / name).read_bytes() for name in FILES}
    write_governance(evidence, folder)
    assert {name: (folder / name).read_bytes() for name in FILES} == before


def test_a_release_that_cannot_be_described_is_refused(evidence, folder):
    bare = replace(evidence, pipeline=replace(evidence.pipeline, release=replace(evidence.pipeline.release, description="")))
    with pytest.raises(UsageError, match="description"):
        write_governance(bare, folder)


def test_foreign_words_cannot_become_markdown(evidence, folder):
    evil = "# Title\n<script>x</script> [click](http://evil.example) | a"
    offers = tuple(replace(offer, title=evil, holder=evil) for offer in evidence.offers)
    write_governance(replace(evidence, offers=offers), folder)
    for name in ("README.md", "TERMS.md"):
        text = (folder / name).read_text(encoding="utf-8")
        assert "<script>" not in text
        assert "\n# Title" not in text
        assert not re.search(r"(?<!\\)\](?=\(http)", text)
