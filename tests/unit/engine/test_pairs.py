"""Near-duplicates through the whole engine: the same rows stay for any cut, any number of partitions and workers."""

from __future__ import annotations

import random

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from datalab.engine import exchange, pairs
from datalab.kernels.components import Forest
from datalab.services import cleaning as clean
from tests.unit.engine.conftest import contents, reasons


def texts(count: int, seed: int = 3) -> list[str]:
    """Rows ``id,name,city``: names are texts, every third nearly that of a row before, every fifth quite the same; the city a number."""
    draw, rows = random.Random(seed), []
    for number in range(count):
        words = [f"word{draw.randrange(5000)}" for _ in range(40)]
        if number % 3 == 2:
            words = rows[draw.randrange(len(rows))].split(",")[1].split()
            words[draw.randrange(5)] = "another"
        elif number % 5 == 4:
            words = rows[draw.randrange(len(rows))].split(",")[1].split()
        rows.append(f"{number},{' '.join(words)},{draw.randrange(50)}")
    return rows


def kept(bench, plan, done) -> set[str]:
    folder = bench.folder(plan)
    paths = [folder.path(receipt.files["shard"].path) for receipt in done.shards]
    return {value for path in paths for value in pq.read_table(path, partitioning=None)["id"].to_pylist()}


def test_groups_do_not_depend_on_parts_partitions_or_workers(bench, monkeypatch):
    step = clean.NearDuplicates("name", threshold=0.7, words=2, keep="longest")
    whole = bench.plan(texts(400), [step], part_rows=10_000)
    one = bench.run(whole)
    monkeypatch.setattr(exchange, "_PARTITION_BYTES", 37 * step.row_bytes)
    monkeypatch.setattr(pairs, "_IN_MEMORY", 64)
    two = bench.run(bench.plan(texts(400), [step], part_rows=23), workers=2)

    assert reasons(one.rows.dropped)["near-duplicate"] > 150
    assert contents(one) == contents(two)


def test_parts_that_hold_nothing_to_compare(bench):
    steps = [clean.Required("name"), clean.NearDuplicates("name"), clean.NearDuplicates("city", words=1, keep="last")]
    plan = bench.plan([f"{n},,{n % 2}" for n in range(30)] + ["30,one,1", "31,one,0"], steps, part_rows=10)
    done = bench.run(plan)

    assert reasons(done.rows.dropped) == {"missing": 30, "near-duplicate": 1}
    assert kept(bench, plan, done) == {"30"}


def test_two_at_the_same_task_do_not_touch_each_others_files(tmp_path, monkeypatch):
    monkeypatch.setattr(pairs, "_IN_MEMORY", 4)
    numbering = pairs._Numbering([[0, 0, 9]])
    mine = pairs._Groups(tmp_path, numbering)
    mine.join(np.array([3]), np.array([7]))
    other = pairs._Groups(tmp_path, numbering)
    other.join(np.array([1]), np.array([2]))
    other.close()

    assert mine.fallen(0, "near")["_dl_row"].to_list() == [7]
    assert list(tmp_path.iterdir())
    mine.close()
    assert not list(tmp_path.iterdir())


def test_a_dataset_without_rows(bench):
    plan = bench.plan([], [clean.NearDuplicates("name"), clean.ExactDuplicates(keep="last")])
    assert bench.run(plan).rows.rows_in == 0


@pytest.mark.parametrize("seed", range(20))
def test_a_forest_finds_the_groups_whatever_the_order_of_edges(seed):
    draw = np.random.default_rng(seed)
    nodes, edges = 300, int(draw.integers(1, 400))
    left, right = draw.integers(0, nodes, edges), draw.integers(0, nodes, edges)
    group = list(range(nodes))
    for one, other in zip(left.tolist(), right.tolist(), strict=True):
        low, high = sorted((group[one], group[other]))
        group = [low if number == high else number for number in group]
    forest = Forest(np.arange(nodes))
    order = draw.permutation(edges)
    for piece in np.array_split(order, 5):
        forest.join(left[piece], right[piece])
    assert forest.roots(np.arange(nodes)).tolist() == group


def test_a_chain_of_a_million_rows_is_one_group_and_takes_no_time():
    forest = Forest(np.arange(1_000_000))
    forest.join(np.arange(999_999), np.arange(1, 1_000_000))
    star = Forest(np.arange(1_000_000))
    star.join(np.full(999_999, 999_999), np.arange(999_999))
    for made in (forest, star):
        assert not made.roots(np.arange(1_000_000)).any()


def test_a_hundred_thousand_equal_texts_are_linear_work():
    frame = pl.DataFrame({"t": ["the same words over and over"] * 100_000}).with_columns(
        _dl_source=pl.lit(0, pl.UInt32), _dl_row=pl.int_range(100_000, dtype=pl.UInt64)
    )
    step = clean.NearDuplicates("t")
    made = step.keys(frame, None)  # type: ignore[arg-type]
    assert made.certain.height == 99_999
    apart = pl.concat([made.rows.with_columns(_dl_row=pl.lit(n, pl.UInt64)) for n in range(2_000)])  # each in a part of its own
    found = step.reduce(apart.sort("key", "_dl_source", "_dl_row"), None)  # type: ignore[arg-type]
    assert found.height == 1_999
    assert found["sure"].all()
