from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datalab.errors import ConservationError
from datalab.model.receipt import FileRef, Receipt, Rows, add_tallies

TALLIES = st.dictionaries(
    st.sampled_from(["01 a", "02 b"]), st.dictionaries(st.sampled_from(["blank", "late"]), st.integers(0, 9)), max_size=2
)


@st.composite
def balanced(draw: st.DrawFn) -> Rows:
    dropped, quarantined, kept = draw(TALLIES), draw(TALLIES), draw(st.integers(0, 99))
    total = kept + sum(sum(item.values()) for tally in (dropped, quarantined) for item in tally.values())
    generated = draw(st.integers(0, total))
    return Rows(total - generated, generated, kept, dropped, quarantined)


@given(st.lists(balanced(), max_size=4))
def test_what_balances_in_parts_balances_together(parts: list[Rows]) -> None:
    whole = Rows.together(parts)
    assert whole.rows_in + whole.generated == whole.kept + whole.rows_dropped + whole.rows_quarantined
    assert whole.kept == sum(part.kept for part in parts)


@given(balanced(), st.integers(-5, 5).filter(bool))
def test_one_row_too_many_or_too_few_is_refused(rows: Rows, by: int) -> None:
    with pytest.raises(ConservationError):
        replace(rows, rows_in=rows.rows_in + by)


@pytest.mark.parametrize(
    "counts",
    [
        {"rows_in": 1, "kept": 2, "dropped": {"01 a": {"blank": -1}}},
        {"rows_in": 0, "kept": 1, "quarantined": {"01 a": {"code": -1}}},
        {"rows_in": -1, "generated": 1},
        {"rows_in": 0, "kept": -1, "dropped": {"01 a": {"blank": 1}}},
    ],
)
def test_a_negative_count_cannot_make_up_for_rows(counts: dict[str, object]) -> None:
    with pytest.raises(ConservationError, match="negative"):
        Rows(**counts)


@given(balanced())
def test_rows_survive_json(rows: Rows) -> None:
    assert Rows.from_json(json.loads(json.dumps(rows.as_json()))) == rows


def test_tallies_add_up_and_keep_their_order() -> None:
    total = add_tallies([{"b": {"y": 1}}, {"a": {"x": 2}, "b": {"y": 3, "x": 1}}])
    assert total == {"b": {"y": 4, "x": 1}, "a": {"x": 2}}
    assert list(total) == ["b", "a"]


def receipt() -> Receipt:
    files = {"rows": FileRef("parts/0.parquet", 2, 100, "ab" * 32)}
    rows = Rows(rows_in=3, kept=2, dropped={"01 cleaning.required": {"blank": 1}})
    return Receipt("plan", 0, 1, rows, files, {"01 x": {"repaired": 1}}, {"min": "1"}, 12, 4096, 2)


def test_a_receipt_survives_its_bytes() -> None:
    assert Receipt.from_json(json.loads(receipt().to_bytes())) == receipt()


def test_time_memory_and_attempt_are_no_part_of_the_digest() -> None:
    other = replace(receipt(), milliseconds=99, peak_bytes=1, attempt=1)
    assert other.as_json()["digest"] == receipt().as_json()["digest"]


@pytest.mark.parametrize(("key", "value"), [("part", 2), ("phase", 1), ("plan", "x"), ("facts", {}), ("counts", {})])
def test_an_altered_receipt_is_refused(key: str, value: object) -> None:
    body = {**receipt().as_json(), key: value}
    with pytest.raises(ValueError, match="does not match its digest"):
        Receipt.from_json(body)
