"""The report: every figure from an event, nothing raw, nothing from elsewhere, readable without help."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from datalab.governance.figures import check_figures, figures_of, loose_digits
from datalab.governance.report import duration, render_report
from datalab.governance.waterfall import waterfall
from datalab.model.event import Event

KINDS = {
    "approved": {},
    "candidate": {"approved": False},
    "withheld": {"approved": False, "passed": False},
    "synthetic": {"synthetic": True},
}


@pytest.fixture(params=KINDS)
def any_evidence(request, tmp_path, ledger, made):
    return made.example(tmp_path / "release", ledger, **KINDS[request.param])


def test_every_figure_is_what_the_ledger_says(any_evidence, ledger):
    report = render_report(any_evidence)
    recorded = {event.sequence: event for event in ledger.events()}
    assert len(figures_of(report)) > 90
    assert check_figures(report, recorded.values()) == []


def test_no_number_stands_alone(any_evidence):
    assert loose_digits(render_report(any_evidence)) == []


def test_a_figure_that_the_ledger_does_not_hold_is_found(evidence):
    report = render_report(evidence)
    assert check_figures(report.replace(">2 557</data>", ">2 558</data>", 1), evidence.events)
    done = evidence.last("run.done")
    altered = replace(done, body={**done.body, "totals": {**done.body["totals"], "kept": 2558}})
    events = [altered if event is done else event for event in evidence.events]
    assert check_figures(report, events)


@pytest.mark.parametrize(
    ("options", "verdict"),
    [
        ({}, "Approved"),
        ({"approved": False}, "Releasable, waiting for approval"),
        ({"approved": False, "passed": False}, "Withheld"),
    ],
)
def test_the_verdict_is_the_gate_s_and_the_approver_s(tmp_path, ledger, made, options, verdict):
    report = render_report(made.example(tmp_path / "release", ledger, **options))
    assert re.search(rf'<strong class="\w+">{verdict}</strong>', report)
    assert "not a statement of conformity" in report
    if verdict == "Approved":
        assert "Maria Keller, compliance officer" in report
    if verdict == "Withheld":
        assert "The policy demands anonymisation, and nothing was scrubbed." in report


class _Document(HTMLParser):
    """What a browser would fetch, and what a screen reader would need."""

    def __init__(self, report: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[int] = []
        self.feed(report)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


def test_nothing_is_fetched_and_nothing_runs(any_evidence):
    report = render_report(any_evidence)
    document = _Document(report)
    assert not {"script", "iframe", "img", "object", "embed", "link", "video", "form"} & {tag for tag, _ in document.tags}
    for tag, attributes in document.tags:
        assert not any(name.startswith("on") or name in {"src", "srcset", "style"} for name in attributes), (tag, attributes)
        assert (attributes.get("href") or "#").startswith("#")
    style = report[report.index("<style>") : report.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    assert len(report.encode()) < 2_000_000


def test_it_can_be_read_aloud(any_evidence):
    report = render_report(any_evidence)
    document = _Document(report)
    assert document.count("table") == document.count("caption") == document.count("thead")
    assert document.headings[0] == 1
    assert document.headings.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(document.headings, document.headings[1:], strict=False))
    drawings = [attributes for tag, attributes in document.tags if tag == "svg"]
    assert drawings
    assert all(item.get("role") == "img" or item.get("aria-hidden") == "true" for item in drawings)
    ids = [attributes["id"] for _, attributes in document.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {attributes["href"][1:] for tag, attributes in document.tags if tag == "a"}
    assert targets <= set(ids)


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(
    ("ink", "paper"),
    [("ink", "paper"), ("soft", "paper"), ("soft", "wash"), ("soft", "main-wash"), ("soft", "rail"), ("main", "paper"), ("good", "good-wash"), ("fair", "fair-wash"),
     ("bad", "bad-wash")],
)  # fmt: skip
def test_contrast_suffices(evidence, ink, paper):
    """WCAG 2.2, 1.4.3: at least 4.5 to 1."""
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", render_report(evidence)))
    light, dark = sorted((_luminance(colours[ink]), _luminance(colours[paper])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_no_raw_value_and_no_small_group_is_shown(evidence):
    report = render_report(evidence)
    assert "MASKED-CATEGORY" not in report, "a column whose personal data was removed shows its values"
    assert "/secret/landing" not in report
    profile = evidence.last("profile.made")
    small = {**profile.body["columns"]["rating"], "categories": [["5", 1022], ["TINY", 9]]}
    body = {**profile.body, "columns": {**profile.body["columns"], "rating": small}}
    events = tuple(replace(event, body=body) if event is profile else event for event in evidence.events)
    assert "TINY" not in render_report(replace(evidence, events=events))


def test_foreign_words_cannot_become_markup(tmp_path, ledger, made):
    evil = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'
    evidence = made.example(tmp_path / "release", ledger)
    offers = tuple(replace(offer, title=evil, holder=evil, description=evil, licence=evil) for offer in evidence.offers)
    steps = tuple({**step, "why": evil, "parameters": {evil: evil}} for step in evidence.steps)
    lineage = tuple({**item, "description": evil} for item in evidence.lineage)
    report = render_report(replace(evidence, offers=offers, steps=steps, lineage=lineage, terms=(evil,), lab=evil))
    assert "<script" not in report
    assert "<img" not in report
    assert "&lt;script&gt;" in report


def test_the_waterfall_balances(any_evidence):
    falls = waterfall(any_evidence)
    done = any_evidence.last("run.done").body
    assert falls[0].before.value == str(done["totals"]["rows_in"])
    assert falls[-1].after.value == str(done["totals"]["kept"])
    assert all(above.after.value == below.before.value for above, below in itertools.pairwise(falls))


def test_rows_lost_outside_the_steps_are_shown(evidence):
    done = evidence.last("run.done")
    rows = {
        **done.body["rows"],
        "kept": 2547,
        "quarantined": {**done.body["rows"]["quarantined"], "worker": {"out-of-memory": 10}},
    }
    body = {**done.body, "rows": rows, "totals": {**done.body["totals"], "kept": 2547, "quarantined": 55}}
    events = tuple(replace(event, body=body) if event is done else event for event in evidence.events)
    report = render_report(replace(evidence, events=events))
    assert "out-of-memory" in report
    assert check_figures(report, events) == []


def test_a_run_without_steps_checks_or_profile_has_a_report(evidence):
    kept = tuple(event for event in evidence.events if event.type not in {"checks.evaluated", "profile.made", "stage.done"})
    bare = replace(evidence, steps=(), lineage=(), checks=None, events=kept, terms=(), valid_until="")
    report = render_report(bare)
    assert "No expectation was evaluated" in report
    assert check_figures(report, kept) == []
    assert loose_digits(report) == []
    nothing = render_report(replace(bare, events=(), version="", shards=(), offers=(), agreements=(), objects=()))
    assert "Not judged yet" in nothing


def test_many_events_stay_a_small_file(evidence):
    last, more = evidence.events[-1], []
    for number in range(2_000):
        last = Event.following(
            last, at=last.at, type="stage.done", actor="engine", subject="p", body={"stage": 100 + number, "counts": {}}
        )
        more.append(last)
    report = render_report(replace(evidence, events=(*evidence.events, *more)))
    assert len(report.encode()) < 200_000


@pytest.mark.parametrize(("iso", "words"), [("P180D", "180 days"), ("P2Y", "2 years"), ("PT5M", "PT5M"), ("<b>", "&lt;b&gt;")])
def test_durations_in_words(iso, words):
    assert f">{words}</time>" in duration(iso)


def test_lists_of_values_are_left_to_the_file_beside(evidence):
    checks = evidence.last("checks.evaluated")
    results = [{**checks.body["results"][0], "observed": '["DE", "FR"]'}, *checks.body["results"][1:]]
    events = tuple(replace(e, body={**e.body, "results": results}) if e is checks else e for e in evidence.events)
    report = render_report(replace(evidence, events=events))
    assert "see <code>checks.json</code>" in report
    assert "[&#34;DE" not in report


def test_an_object_that_gives_rows_and_a_reference_is_counted_once(evidence):
    twice = replace(evidence.objects[0], ordinal=3, reference="directory")
    report = render_report(replace(evidence, objects=(*evidence.objects, twice)))
    assert report.count(f"<td><code>{twice.sha256}</code></td>") == 1
    assert "rows and reference table <code>directory</code>" in report
    assert ">main source, " in report


def test_splits_stand_in_the_order_of_the_pipeline(evidence, ledger):
    """What comes back from the ledger has its names in canonical order."""
    stored = {event.sequence: event for event in ledger.events()}
    assert list(stored[evidence.last("run.done").sequence].body["splits"]) == ["test", "train", "validation"]
    report = render_report(replace(evidence, events=tuple(stored.values())))
    assert re.findall(r"<tr><th scope=\"row\"><code>(train|validation|test)</code>", report) == ["train", "validation", "test"]
