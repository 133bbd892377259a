"""What is told of a run while it goes on."""

from __future__ import annotations

import pytest

from datalab.lab.pace import LeftOut, Pace
from datalab.model.receipt import FileRef, Receipt, Rows


def receipt(rows: int, **dropped: int) -> Receipt:
    gone = {"02 cleaning.required": dropped} if dropped else {}
    files = {"rows": FileRef("rows/x", rows, 1_000_000, "")}
    return Receipt("p", 1, 0, Rows(rows_in=rows, kept=rows - sum(dropped.values()), dropped=gone), files)


def test_rows_and_bytes_a_second_and_the_time_that_is_left():
    pace = Pace(tasks=10, done=2, started=100.0)  # two parts were there already: they say nothing about the pace
    for _ in range(4):
        pace.take(receipt(30_000))
    assert pace.in_words(now=160.0) == "2,000 rows/s, 0.1 MB/s, 1:00 left"
    assert pace.done == 6


@pytest.mark.parametrize(("seconds", "left"), [(45, "0:45"), (90, "1:30"), (4000, "1:06:40")])
def test_the_time_that_is_left_reads_as_a_clock(seconds, left):
    pace = Pace(tasks=2, done=0, started=0.0)
    pace.take(receipt(1))
    assert pace.in_words(now=float(seconds)).endswith(f"{left} left")


def test_nothing_is_said_before_something_is_known():
    pace = Pace(tasks=3, done=3, started=0.0)
    assert pace.in_words(now=50.0) == ""
    pace.take(receipt(5))
    assert pace.in_words(now=0.1) == ""


def test_work_without_rows_has_no_rows_a_second():
    pace = Pace(tasks=1, done=0, started=0.0)
    pace.take(receipt(0))
    assert pace.in_words(now=2.0) == "0.5 MB/s"


def test_drops_by_reason_the_most_frequent_first():
    left_out = LeftOut()
    assert left_out.in_words() == ""
    left_out.take([receipt(9000, missing=3), receipt(9000, missing=1, short=2000, odd=7, even=1)])
    assert left_out.in_words() == "2,012 dropped (short 2,000, odd 7, missing 4, …)"
