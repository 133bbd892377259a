"""Figures carry their evidence, and a figure that does not fit its event is found."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datalab.governance.figures import (
    check_figures,
    evaluate,
    figure,
    figures_of,
    loose_digits,
    over,
    path_of,
    said,
    share,
    shown,
    total,
)
from datalab.model.event import Event

LABEL = '03 cleaning."odd" - name'
BODY = {
    "rows": {"rows_in": 3120, "dropped": {LABEL: {"blank": 112, "too-long": 3}}},
    "reasons": ["Only <b> 2"],
    "value": "0.0120",
}


def event(body=BODY, previous=None) -> Event:
    return Event.following(previous, at="2026-11-21T00:00:00.000Z", type="run.done", actor="engine", subject="p", body=body)


def test_a_figure_names_its_event_and_place():
    text = figure(event(), "rows", "rows_in").__html__()
    assert 'value="3120" data-event="1" data-path="rows.rows_in"' in text
    assert text.endswith(">3 120</data>")
    assert check_figures(text, [event()]) == []


def test_sums_shares_and_words_are_checked_too():
    second = event({"rows": {"rows_in": 80}}, event())
    made = [
        total(event(), [("rows", "rows_in")], [("rows", "dropped", LABEL, "blank"), ("rows", "dropped", LABEL, "too-long")]),
        share(event(), ("rows", "dropped", LABEL, "blank"), ("rows", "rows_in")),
        over([(event(), ("rows", "rows_in")), (second, ("rows", "rows_in"))]),
        figure(event(), "value", form="text"),
        said(event(), "reasons", 0),
    ]
    text = "".join(item.__html__() for item in made)
    assert [item.value for item in made[:3]] == ["3005", "3.6", "3200"]
    assert check_figures(text, [event(), second]) == []
    assert check_figures(text, [event(), event({"rows": {"rows_in": 81}}, event())]) != []


def test_a_figure_in_a_drawing_is_checked():
    drawn = f"<svg><text>{figure(event(), 'rows', 'rows_in').svg} rows</text></svg>"
    assert check_figures(drawn, [event()]) == []
    assert figures_of(drawn)[0]["value"] == "3120"


@pytest.mark.parametrize(
    "wrong",
    [
        '<data value="3121" data-event="1" data-path="rows.rows_in">3 121</data>',
        '<data value="3120" data-event="1" data-path="rows.rows_in">3 121</data>',
        '<data value="3120" data-event="2" data-path="rows.rows_in">3 120</data>',
        '<data value="3120" data-event="1" data-path="rows.rows_out">3 120</data>',
        '<data value="3120" data-event="1" data-path="">3 120</data>',
        '<data value="3120" data-event="1" data-path="rows.rows_in + reasons">3 120</data>',
        '<q data-event="1" data-path="reasons[0]">Only 3</q>',
        '<q data-event="1" data-path="reasons[1]">Only 3</q>',
    ],
)
def test_what_does_not_fit_is_found(wrong):
    assert len(check_figures(wrong, [event()])) == 1


def test_digits_outside_what_explains_them_are_found():
    fine = "<p>At <code>03</code>, <time>2026</time>, <cite>Art. 10</cite>, <q>4</q></p><svg><text><tspan class='code'>5</tspan></text></svg>"
    assert loose_digits(fine) == []
    assert loose_digits("<p>Some 12 rows<br> and <b>3</b></p><code>4</code>5") == ["Some 12 rows", "3", "5"]


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [("0", "count", "0"), ("1234567", "count", "1 234 567"), ("[1, 2]", "count", "[1, 2]"), ("999", "bytes", "999 B"), ("1000", "bytes", "1.0 kB"),
     ("2500000000000000", "bytes", "2500.0 TB"), ("8412", "seconds", "8.4 s"), ("12.5", "share", "12.5 %"), ("88.00303924", "decimal", "88.003"), ("1e-7", "decimal", "1e-7"), ("0.0120", "text", "0.0120")],
)  # fmt: skip
def test_values_are_written_for_people(value, form, text):
    assert shown(value, form) == text


@given(st.lists(st.one_of(st.text(min_size=1, max_size=12), st.integers(0, 3)), min_size=1, max_size=5))
def test_a_path_leads_where_it_was_made_for(keys):
    body: object = 42
    for key in reversed(keys):
        body = {key: body} if isinstance(key, str) else [body] * (key + 1)
    holder = {"top": body}
    assert evaluate(path_of("top", *keys), 1, {1: holder}) == 42


def test_no_share_of_nothing():
    nothing = event({"part": 0, "whole": 0})
    assert share(nothing, ("part",), ("whole",)).value == "0.0"
