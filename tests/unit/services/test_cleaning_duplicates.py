"""Duplicates: the same verdicts for every cut of the rows and every number of partitions, and none too many or too few."""

from __future__ import annotations

import random

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalab.errors import SchemaError, UsageError
from datalab.model.step import IDENTITY, OTHER, KeyedStep, Keys, PairStep
from datalab.services import cleaning as clean
from datalab.services.cleaning import nearduplicates

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
    made = [step.keys(piece, None) for piece in frame.iter_slices(batch)] or [step.keys(frame, None)]
    made = [item if isinstance(item, Keys) else Keys(item) for item in made]
    certain = [row for item in made if item.certain is not None for row in item.certain.rows()]
    draw.shuffle(made)
    table = pl.concat([item.rows for item in made])
    assert table.schema["key"] == pl.UInt64
    assert [table.schema[name] for name in IDENTITY] == [pl.UInt32, pl.UInt64]
    assert not {row[:2] for row in certain} & set(table.select(IDENTITY).rows())
    findings = [
        step.reduce(table.filter(pl.col("key") % partitions == number).sort("key", *IDENTITY), None)
        for number in range(partitions)
    ]
    draw.shuffle(findings)
    if isinstance(step, PairStep):
        return sorted(certain + settled(step, pl.concat(findings), pl.concat([item.evidence for item in made])))
    verdict = step.settle(iter(findings), None)
    assert verdict.columns == [*IDENTITY, "reason"]
    assert verdict.select(IDENTITY).is_unique().all()
    return sorted(certain + verdict.rows())


def settled(step: PairStep, candidates: pl.DataFrame, evidence: pl.DataFrame) -> Verdicts:
    """What the runtime does with candidates, said plainly: confirm each, join what is confirmed, keep the best of each group."""
    assert candidates.columns == [*IDENTITY, *OTHER, "sure"]
    place = {row[:2]: number for number, row in enumerate(evidence.select(IDENTITY).rows())}
    pairs = [(place[row[2:4]], place[row[:2]], row[4]) for row in candidates.rows()]
    asked = [(one, other) for one, other, sure in pairs if not sure]
    right = step.confirm(evidence[[one for one, _ in asked]], evidence[[other for _, other in asked]]) if asked else []
    joined = [(one, other) for one, other, sure in pairs if sure] + [
        pair for pair, holds in zip(asked, right, strict=True) if holds
    ]
    group = list(range(evidence.height))
    for one, other in joined:
        old, new = group[one], group[other]
        group = [new if number == old else number for number in group]
    rows = evidence.select(IDENTITY).rows()
    ranks = evidence["rank"].to_list() if "rank" in evidence.columns else [0] * len(rows)
    best = {number: min((ranks[n], *rows[n]) for n in range(len(rows)) if group[n] == number) for number in set(group)}
    return [(*row, step.reason) for row, number, rank in zip(rows, group, ranks, strict=True) if (rank, *row) != best[number]]


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
    rows = identified(pl.DataFrame({"k": ["a", "b", "a"]}))
    keys = pl.concat(step.keys(row, None).rows for row in rows.iter_slices(1)).with_columns(
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
    made = step.keys(unlike, None)
    bands = made.rows.unique(subset=IDENTITY, keep="first", maintain_order=True)
    keys = bands.with_columns(pl.lit(1, dtype=pl.UInt64).alias("key")).sort("key", *IDENTITY)
    candidates = step.reduce(keys, None)
    assert 200 < candidates.height < 200 * 10  # in a key of 200 unlike texts, not all are compared with all
    assert settled(step, candidates, made.evidence) == []


def test_every_pair_that_is_named_is_one_and_few_at_the_threshold_are_missed():
    """Copies of 200 runs of words of which 18 to 27 are replaced: similarity 0.83 to 0.76, around the threshold of 0.8."""
    texts, near = [], set()
    for number in range(600):
        words = [f"w{number}x{place}" for place in range(200)]
        changed = 18 + number % 10
        copy = words[: 200 - changed] + [f"c{number}x{place}" for place in range(changed)]
        texts += [" ".join(words), " ".join(copy)]
        if (200 - changed) / (200 + changed) >= 0.8:
            near.add(2 * number + 1)
    found = {
        row for _, row, _ in drive(clean.NearDuplicates("t", words=1), identified(pl.DataFrame({"t": texts})), partitions=5)
    }
    assert found <= near
    assert len(found) / len(near) >= 0.99


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.one_of(st.none(), st.integers(-3, 3)), st.sampled_from(["", "x", "yy", "éé"])),
        max_size=14,
    ),
    st.sampled_from(["first", "last", "longest", ("max", "n"), ("min", "n")]),
    *CUTS.values(),
)
def test_the_row_to_keep_is_the_stewards_choice(rows, keep, partitions, batch, seed):
    frame = identified(pl.DataFrame(rows, schema={"k": pl.String, "n": pl.Int64, "t": pl.String}, orient="row"), sources=2)
    order = {
        "first": lambda n: n,
        "last": lambda n: -n,
        "longest": lambda n: (-len(rows[n][2]), n),
        ("max", "n"): lambda n: (rows[n][1] is None, -(rows[n][1] or 0), n),
        ("min", "n"): lambda n: (rows[n][1] is None, rows[n][1] or 0, n),
    }[keep]
    stays = {min((n for n in range(len(rows)) if rows[n][0] == key), key=order) for key in {row[0] for row in rows}}
    names = frame.select(IDENTITY).rows()
    expected = sorted((*names[n], "duplicate-key") for n in range(len(rows)) if n not in stays)
    assert drive(clean.DuplicatesByKey("k", keep=keep), frame, partitions=partitions, batch=batch, seed=seed) == expected
    exact = drive(clean.ExactDuplicates("k", keep=keep), frame, partitions=partitions, batch=batch, seed=seed)
    assert [row[:2] for row in exact] == [row[:2] for row in expected]
    if keep != "longest":  # of one and the same text
        near = drive(clean.NearDuplicates("k", keep=keep), frame, partitions=partitions, batch=batch, seed=seed)
        assert [row[:2] for row in near] == [row[:2] for row in expected]


RUNS = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=12)


@settings(max_examples=80)
@given(st.lists(st.tuples(RUNS, st.integers(0, 3)), min_size=1, max_size=9), st.sampled_from([0.5, 0.8, 1.0]), *CUTS.values())
def test_what_falls_is_what_all_pairs_say(rows, threshold, partitions, batch, seed):
    """Against all pairs of all texts, in plain Python; texts repeat, so that groups are chains of more than two."""
    texts = [" ".join(rows[min(back, len(rows) - 1)][0] if back else words) for words, back in rows]
    sets = [set(text.split()) for text in texts]
    group = list(range(len(texts)))
    for one in range(len(texts)):
        for other in range(one):
            if len(sets[one] & sets[other]) / len(sets[one] | sets[other]) >= threshold:
                low, high = sorted((group[one], group[other]))
                group = [low if number == high else number for number in group]
    allowed = {place for place, number in enumerate(group) if place != number}
    step = clean.NearDuplicates("t", threshold=threshold, words=1)
    fallen = {
        row for _, row, _ in drive(step, identified(pl.DataFrame({"t": texts})), partitions=partitions, batch=batch, seed=seed)
    }
    equal = {place for place in range(len(texts)) if sets[place] in sets[:place]}

    assert equal <= fallen <= allowed


def test_one_giant_text_among_small_ones():
    giant = " ".join(f"w{n}" for n in range(400_000))
    frame = identified(pl.DataFrame({"t": ["small", giant, "small and more", giant + " end", "small"]}))
    assert [row for _, row, _ in drive(clean.NearDuplicates("t"), frame, partitions=3, batch=2)] == [3, 4]


def test_the_longest_of_nearly_equal_texts_stays():
    base = " ".join(f"word{n}" for n in range(100))
    frame = identified(pl.DataFrame({"t": [base, f"{base} and more", f"{base} more", f"{base} AND MORE"]}))
    assert [row for _, row, _ in drive(clean.NearDuplicates("t", keep="longest"), frame, partitions=3, batch=1)] == [0, 2, 3]


def test_what_values_rank_by():
    times = pl.Series([None, 3, -5], dtype=pl.Int64).cast(pl.Datetime("us"))
    frame = identified(pl.DataFrame({"k": ["a"] * 3, "f": [float("nan"), -1.5, 2.0], "b": [None, False, True], "d": times}))
    for keep, row in ((("max", "f"), 2), (("min", "f"), 1), (("max", "b"), 2), (("min", "d"), 2), (("max", "d"), 1)):
        gone = drive(clean.DuplicatesByKey("k", keep=keep), frame, partitions=2, batch=1)
        assert {0, 1, 2} - {number for _, number, _ in gone} == {row}, keep
    for wrong in ("best", ("most", "f"), 3):
        with pytest.raises(UsageError):
            clean.ExactDuplicates(keep=wrong).bind(frame.schema)
    with pytest.raises(SchemaError, match="no largest value"):
        clean.ExactDuplicates(keep=("max", "k")).bind(frame.schema)
    with pytest.raises(SchemaError, match="did you mean"):
        clean.ExactDuplicates(keep=("max", "ff")).bind(pl.Schema({"k": pl.String, "fff": pl.Int8}))


@pytest.mark.parametrize(
    ("keep", "value", "kind"),
    [(("max", "n"), 0, pl.UInt64), (("min", "n"), (1 << 64) - 1, pl.UInt64), (("max", "n"), -(1 << 63), pl.Int64)],
)
def test_a_missing_value_never_stays_before_the_worst_there_is(keep, value, kind):
    frame = identified(pl.DataFrame({"k": ["a", "a"], "n": pl.Series([None, value], dtype=kind)}))
    assert [row for _, row, _ in drive(clean.DuplicatesByKey("k", keep=keep), frame, partitions=1, batch=1)] == [0]


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


def test_more_keys_than_fit_into_one_number_are_sorted_alike(monkeypatch):
    rng = np.random.default_rng(7)
    key, number = np.sort(rng.integers(0, 400, 2_000, dtype=np.uint64)), rng.integers(0, 2**64, 2_000, dtype=np.uint64)
    number[::3] = number[0]  # equal ones keep their order
    packed = nearduplicates._sorted(key, number)
    monkeypatch.setattr(nearduplicates, "_PACKED", 16)
    assert (nearduplicates._sorted(key, number) == packed).all()
