from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import page, row
from benchmarks.registry import SUITES, chosen, comparisons
from benchmarks.row import Goal, Row, merge_rows, read_rows

ROW = Row("b", "B", "CPU s", 2.0, 4.0, 2.0, "higher", 1.5, 3.0, {"x": "1"}, {"rows": 3}, {"cores": 2}, "differs")


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(row, "RESULTS", tmp_path)
    return tmp_path


def test_rows_are_merged_by_name_and_sorted(results):
    merge_rows("engine", [ROW, replace(ROW, name="c")])
    merge_rows("engine", [replace(ROW, name="a"), replace(ROW, ratio=9.0)])
    assert [(one.name, one.ratio) for one in read_rows("engine")] == [("a", 2.0), ("b", 9.0), ("c", 2.0)]
    assert [one["name"] for one in json.loads((results / "engine.json").read_text())["rows"]] == ["a", "b", "c"]


def test_a_suite_without_results_has_no_rows(results):
    assert read_rows("engine") == []


@pytest.mark.parametrize(
    ("better", "ratio", "floor", "goal", "verdict"),
    [
        ("higher", 2.0, 2.0, 3.0, "floor"),
        ("higher", 1.99, 2.0, 3.0, "below"),
        ("higher", 3.0, 2.0, 3.0, "goal"),
        ("lower", 1.1, 1.1, 1.0, "floor"),
        ("lower", 1.2, 1.1, 1.0, "below"),
        ("lower", 0.9, 1.1, 1.0, "goal"),
        ("higher", 0.1, None, None, "reported"),
    ],
)
def test_the_floor_lies_on_the_side_that_better_names(better, ratio, floor, goal, verdict):
    one = replace(ROW, better=better, ratio=ratio, floor=floor, goal=goal)
    assert one.verdict == verdict
    assert one.holds == (verdict != "below")


def test_every_comparison_explains_itself_and_names_its_rows_once():
    everything = [one for suite in SUITES for one in comparisons(suite)]
    names = [goal.name for one in everything for goal in one.goals]
    assert len(names) == len(set(names))
    assert all(len(one.what) > 60 for one in everything)
    assert all(isinstance(goal, Goal) and goal.what for one in everything for goal in one.goals)


def test_rows_in_the_results_are_made_by_a_comparison_and_promise_what_it_promises():
    goals = {goal.name: goal for suite in SUITES for one in comparisons(suite) for goal in one.goals}
    kept = [one for suite in SUITES for one in read_rows(suite)]
    assert [one.name for one in kept if one.name not in goals] == []
    assert [one.name for one in kept if (one.better, one.floor, one.goal) != _promise(goals[one.name])] == []


def _promise(goal: Goal) -> tuple[str, float | None, float | None]:
    return goal.better, goal.floor, goal.goal


def test_results_name_no_machine_and_no_place():
    host = subprocess.run(["uname", "-n"], capture_output=True, text=True, check=True).stdout.strip()
    for suite in SUITES:
        path = Path(row.__file__).parent / "results" / f"{suite}.json"
        text = path.read_text() if path.is_file() else ""
        assert re.findall(r"(?<![\w.])/(?:home|root|tmp|work|usr|opt)/", text) == []
        assert len(host) < 4 or host not in text


def test_the_page_is_what_the_results_say():
    assert page.PAGE.read_text(encoding="utf-8") == page.page(), "run: python -m benchmarks --page"


def test_the_table_in_the_terminal_is_aligned():
    lines = page.table([ROW, replace(ROW, name="much longer", better="lower")]).splitlines()
    assert lines[1].startswith("b            2     4       CPU s  2")
    assert "2 (lower is better)" in lines[2]
    assert lines[2].endswith("below")


def test_an_unknown_row_is_answered_with_the_closest():
    with pytest.raises(SystemExit, match="there is no row"):
        chosen(["engine-vs-loops"], peers=False)
