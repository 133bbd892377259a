from __future__ import annotations

from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datalab.kernels.spans import Column, Span, excerpt, islands, resolve, rewrite


def places(column: Column, byte: str):
    return np.flatnonzero(column.data == ord(byte))


@given(st.lists(st.none() | st.text(max_size=12), max_size=6))
def test_a_column_is_its_rows_each_with_a_line_feed(texts):
    column = Column.of(pl.Series("t", texts, dtype=pl.String))

    assert column.data.tobytes().decode() == "".join((text or "") + "\n" for text in texts)
    assert [column.text(a, b - 1) for a, b in zip(column.offsets[:-1], column.offsets[1:], strict=True)] == [
        t or "" for t in texts
    ]


@given(st.lists(st.none() | st.text(alphabet="aé€😀\n<", max_size=8), min_size=1, max_size=6), st.data())
def test_rewriting_changes_nothing_outside_the_spans(texts, data):
    series = pl.Series("t", texts, dtype=pl.String)
    column = Column.of(series)
    spans, expected = [], []
    for row, text in enumerate(texts):
        if not text:
            expected.append(text)
            continue
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, len(text)))
        base = int(column.offsets[row])
        spans.append(Span(base + len(text[:start].encode()), base + len(text[:end].encode()), "x"))
        expected.append(text[:start] + "«x»" + text[end:])

    assert rewrite(series, column, spans, ["«x»"] * len(spans)).to_list() == expected


def test_rewriting_a_slice_of_a_longer_column():
    series = pl.Series("t", ["aaa", "bbb", None, "ccc"]).slice(1, 3)
    column = Column.of(series)

    assert rewrite(series, column, [Span(1, 2, "x")], ["--"]).to_list() == ["b--b", None, "ccc"]


def test_containment_beats_rank_and_crossing_spans_cover_what_they_covered():
    contained = [Span(3, 5, "high", 9), Span(0, 8, "low", 1)]
    crossing = [Span(0, 5, "first", 1), Span(3, 9, "second", 9)]

    assert resolve(contained) == [Span(0, 8, "low", 1)]
    assert [(span.start, span.end) for span in resolve(crossing)] == [(0, 5), (5, 9)]
    assert resolve([Span(0, 5, "weak", 1), Span(0, 5, "strong", 2)])[0].kind == "strong"


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 10), st.integers(0, 3)), max_size=12))
def test_resolved_spans_are_apart_and_cover_the_same_bytes(raw):
    spans = [Span(start, start + size, "x", rank) for start, size, rank in raw]
    apart = resolve(spans)

    assert all(one.end <= other.start for one, other in pairwise(apart))
    assert {at for span in spans for at in range(span.start, span.end)} == {
        at for span in apart for at in range(span.start, span.end)
    }


def test_an_excerpt_stays_in_its_row_and_joins_overlaps():
    column = Column.of(pl.Series(["ab@cd", "xx", "@y@z"]))
    near = excerpt(column, places(column, "@"), before=9, after=9)

    assert near.text == b"ab@cd\n@y@z\n"
    assert near.place(6, 8) == (9, 11)


@pytest.mark.parametrize(
    ("typography", "plain"),
    [
        ("06\u202f12\u00a034", "06 12 34"),
        ("06\u201112\u201334", "06-12-34"),
        ("06\u200b12\ufeff34", "061234"),
        ("\uff10\uff16 12\uff0d34", "06 12-34"),
        (r"06\n12\t34", "06  12  34"),
        ("é06 €12 3�4", "é06 €12 3�4"),
    ],
)
def test_typography_does_not_hide_digits(typography, plain):
    column = Column.of(pl.Series([f"x{typography}x"]))
    near = excerpt(column, places(column, "x")[:1], before=0, after=99)

    assert near.text.decode() == f"x{plain}x\n"
    start, end = near.place(1, len(near.text) - 2)
    assert column.text(start, end) == typography


def test_islands_keep_long_or_spread_runs_of_one_row():
    column = Column.of(pl.Series(["in 2024", "1.1.1.1", "12345", "1 far far far away 2345", "12", "345"]))
    digits = np.flatnonzero((column.data >= 48) & (column.data <= 57))
    kept = islands(column, digits, gap=4, least=5)

    assert sorted(set(column.rows(kept).tolist())) == [1, 2]


def test_nothing_in_nothing_out():
    empty = pl.Series("t", [], dtype=pl.String)
    column = Column.of(empty)
    none = np.zeros(0, dtype=np.int64)

    assert excerpt(column, none, before=1, after=1).text == b""
    assert len(islands(column, none, gap=1, least=1)) == 0
    assert rewrite(empty, column, [], []).to_list() == []
