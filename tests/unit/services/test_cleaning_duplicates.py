"""Duplicates: the same verdicts for every cut of the rows and every number of partitions, and none too many or too few."""

from __future__ import annotations

import random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalab.errors import SchemaError, UsageError
from datalab.model.step import IDENTITY, KeyedStep
from datalab.services import cleaning as clean

Verdicts = list[tuple[int, int, str]]


def identified(frame: pl.DataFrame, sources: int = 1) -> pl.DataFrame:
    number = pl.int_range(pl.len())
    return frame.with_columns(
        (number // (frame.height // sources + 1)).cast(pl.UInt32).alias("_dl_source"), number.cast(pl.UInt64).alias("_dl_row")
    )


def drive(step: KeyedStep, frame: pl.DataFrame, *, partitions: int = 1, batch: int = 10**9, seed: int = 0) -> Verdicts:
    """What the runtime does: keys batch by batch, exchange, reduce, settle; batches and partitions come in any order."""
    step.bind(pl.Schema({name: kind for name, kind in frame.schema.items() if name not in IDENTITY}))
    draw = random.Random(seed)
    keys = [step.keys(piece, None) for piece in frame.iter_slices(batch)] or [step.keys(frame, None)]
    draw.shuffle(keys)
    table = pl.concat(keys)
    assert table.schema["key"] == pl.UInt64
    assert [table.schema[name] for name in IDENTITY] == [pl.UInt32, pl.UInt64]
    findings = [
        step.reduce(table.filter(pl.col("key") % partitions == number).sort("key", *IDENTITY), None)
        for number in range(partitions)
    ]
    draw.shuffle(findings)
    verdict = step.settle(iter(findings), None)
    assert verdict.columns == [*IDENTITY, "reason"]
    assert verdict.select(IDENTITY).is_unique().all()
    return sorted(verdict.rows())


CUTS = {"partitions": st.integers(1, 7), "batch": st.integers(1, 9), "seed": st.integers(0, 99)}
VALUE = st.one_of(st.none(), st.sampled_from(["a", "b", "", " ", "ab"]))


@given(st.lists(st.tuples(VALUE, st.one_of(st.none(), st.integers(0, 2))), max_size=20), *CUTS.values())
def test_by_key_the_first_whole_key_stays(rows, partitions, batch, seed):
    frame = identified(pl.DataFrame(rows, schema={"k": pl.String, "n": pl.Int64}, orient="row"), sources=2)
    seen, expected = set(), []
    for source, row, key in zip(frame["_dl_source"], frame["_dl_row"], rows, strict=True):
        if key[0] is None or not key[0].strip() or key[1] is None:
            continue
        if key in seen:
            expected.append((source, row, "duplicate-key"))
        seen.add(key)
    assert drive(clean.DuplicatesByKey(["k", "n"]), frame, partitions=partitions, batch=batch, seed=seed) == expected


@given(st.lists(st.tuples(VALUE, st.one_of(st.none(), st.integers(0, 2))), max_size=20), *CUTS.values())
def test_exact_the_first_of_equal_rows_stays(rows, partitions, batch, seed):
    frame = identified(pl.DataFrame(rows, schema={"k": pl.String, "n": pl.Int64}, orient="row"), sources=3)
    expected = [
        (source, row, "exact-duplicate")
        for source, row, place in zip(frame["_dl_source"], frame["_dl_row"], range(len(rows)), strict=True)
        if rows[place] in rows[:place]
    ]
    assert drive(clean.ExactDuplicates(), frame, partitions=partitions, batch=batch, seed=seed) == expected


def test_equal_hashes_of_unlike_keys_do_not_meet():
    step = clean.DuplicatesByKey("k")
    keys = step.keys(identified(pl.DataFrame({"k": ["a", "b", "a"]})), None).with_columns(
        pl.lit(7, dtype=pl.UInt64).alias("key")
    )
    assert step.reduce(keys.sort("key", *IDENTITY), None)["_dl_row"].to_list() == [2]


def test_columns_of_every_plain_type_can_be_keys():
    frame = identified(
        pl.DataFrame({"f": [0.0, -0.0, 1.0], "c": pl.Series(["x", "x", "x"], dtype=pl.Categorical), "b": [True] * 3})
    )
    assert drive(clean.DuplicatesByKey(["f", "c", "b"]), frame) == [(0, 1, "duplicate-key")]
    with pytest.raises(SchemaError, match="cannot be a key"):
        clean.DuplicatesByKey("l").bind(pl.Schema({"l": pl.List(pl.Int8)}))


WORDS = [f"word{n}" for n in range(900)]


def planted(documents: int, seed: int) -> tuple[pl.DataFrame, set[int]]:
    """Texts of 60 to 400 words; a third is copied with about 1 % of the words changed and placed anywhere after its original."""
    draw = random.Random(seed)
    originals = [draw.choices(WORDS, k=draw.randint(60, 400)) for _ in range(documents)]
    rows = [(" ".join(words), False) for words in originals]
    for words in originals[: documents // 3]:
        copy = list(words)
        for _ in range(max(1, len(copy) // 100)):
            copy[draw.randrange(len(copy))] = "changed"
        rows.append((" ".join(copy).upper(), True))
    return identified(pl.DataFrame({"t": [text for text, _ in rows]})), {n for n, (_, copied) in enumerate(rows) if copied}


def test_near_duplicates_are_found_and_nothing_else():
    frame, truth = planted(600, seed=11)
    found = {row for _, row, _ in drive(clean.NearDuplicates("t"), frame, partitions=8, batch=100)}
    assert len(found & truth) / len(truth) >= 0.95
    assert len(found & truth) / max(len(found), 1) >= 0.98


@settings(max_examples=15)
@given(*CUTS.values())
def test_near_duplicates_do_not_depend_on_the_cut(partitions, batch, seed):
    frame, _ = planted(12, seed=2)
    texts = [*frame["t"].to_list(), None, "", "short", "short", " Short "]
    frame = identified(pl.DataFrame({"t": texts}), sources=2)
    step = clean.NearDuplicates("t")
    whole = drive(step, frame)
    assert drive(step, frame, partitions=partitions, batch=batch, seed=seed) == whole
    assert {row for _, row, _ in whole} >= {19, 20}
    assert not {16, 17, 18} & {row for _, row, _ in whole}


def test_texts_below_the_threshold_stay():
    draw = random.Random(4)
    base = draw.choices(WORDS, k=300)
    half = base[:150] + draw.choices(WORDS, k=150)
    assert drive(clean.NearDuplicates("t"), identified(pl.DataFrame({"t": [" ".join(base), " ".join(half)]}))) == []


def test_many_equal_texts_and_many_unlike_ones_under_one_key():
    same = identified(pl.DataFrame({"t": ["the same text over and over again"] * 3000}))
    assert len(drive(clean.NearDuplicates("t"), same, partitions=3)) == 2999
    step = clean.NearDuplicates("t")
    unlike = identified(pl.DataFrame({"t": [f"one{n} two{n} three{n} four{n} five{n} six{n}" for n in range(200)]}))
    bands = step.keys(unlike, None).unique(subset=IDENTITY, keep="first", maintain_order=True)
    keys = bands.with_columns(pl.lit(1, dtype=pl.UInt64).alias("key")).sort("key", *IDENTITY)
    assert step.reduce(keys, None).height == 0


def test_nothing_in_nothing_out():
    empty = identified(pl.DataFrame({"t": []}, schema={"t": pl.String}))
    blank = identified(pl.DataFrame({"t": [None, " "]}, schema={"t": pl.String}))
    for step in (clean.DuplicatesByKey("t"), clean.NearDuplicates("t")):
        assert drive(step, empty) == []
        assert drive(step, blank, partitions=3) == []


def test_wrong_parameters_are_refused():
    for threshold in (0.4, 1.1):
        with pytest.raises(UsageError):
            clean.NearDuplicates("t", threshold=threshold)
    with pytest.raises(SchemaError):
        clean.NearDuplicates("t").bind(pl.Schema({"t": pl.Int64}))
