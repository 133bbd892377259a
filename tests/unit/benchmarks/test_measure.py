from __future__ import annotations

import pytest

from benchmarks.compare import compared
from benchmarks.measure import Command, Unable, measured, run_pairs
from benchmarks.row import Goal

HERE = "tests.unit.benchmarks.work"


def test_a_child_is_measured_with_all_its_descendants():
    alone = measured(Command(f"{HERE}:idle"))
    busy = measured(Command(f"{HERE}:burn", {"seconds": 0.4, "processes": 2}))
    assert busy.result == {"processes": 2}
    assert busy.cpu - alone.cpu > 0.7
    assert busy.wall > 0.4


def test_peak_memory_is_that_of_the_tree_and_of_its_largest_process():
    one = measured(Command(f"{HERE}:hold", {"mebibytes": 200, "seconds": 1.5}))
    assert one.peak > 200 * 2**20
    assert 200 * 2**20 < one.largest < 400 * 2**20


def test_pairs_take_turns_and_the_ratio_is_taken_within_them():
    ours, theirs = (Command(f"{HERE}:burn", {"seconds": s, "processes": 1}) for s in (0.1, 0.5))
    heard: list[str] = []
    pairs = run_pairs(ours, theirs, 2, heard.append)
    assert [line.split(":")[0] for line in heard] == [
        "pair 1 of 2, ours",
        "pair 1 of 2, theirs",
        "pair 2 of 2, theirs",
        "pair 2 of 2, ours",
    ]
    higher = compared(Goal("a", "A", "higher", 1.2, 50), pairs, data={"rows": 1})
    lower = compared(Goal("a", "A", "lower", 0.1, 0.05), pairs, data={"rows": 1})
    assert 1.2 < higher.ratio < 9
    assert (higher.verdict, lower.verdict) == ("floor", "below")
    assert lower.ratio == pytest.approx(1 / higher.ratio, rel=0.01)


def test_a_child_that_fails_says_why():
    with pytest.raises(Unable, match="nothing to do here"):
        measured(Command(f"{HERE}:fail"))
