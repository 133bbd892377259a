"""The physical plan says what will happen: the run that follows does just that."""

from __future__ import annotations

import json

import polars as pl
import pytest

from datalab import clean, enrich, standardise, synthesise
from datalab.engine.explain import explain
from datalab.engine.memory import BASE_MB, FEWEST_ROWS, estimate_mb, fitting_rows
from datalab.engine.plan import StageKind
from datalab.model.pipeline import Splits
from tests.unit.engine.conftest import DropWhere, Upper, people

ROWS = pl.DataFrame({"name": [f"name {n % 97}" for n in range(1000)], "city": ["Bonn"] * 1000, "wide": ["x" * 2000] * 1000})
ONE = Splits(shares={"all": 1.0})


def by_kind(plan):
    return {item.stage.kind: item for item in explain(plan).passes}


def test_it_names_parts_columns_and_what_is_written_of_every_pass(bench):
    steps = [standardise.Text("name"), clean.ExactDuplicates(["name"]), standardise.Drop("wide")]
    first, keys, reduced, last, shards, _unique = explain(bench.table(ROWS, steps, groups=(250, 250), splits=ONE)).passes

    assert (first.parts, first.reads, first.pruned, first.writes) == (2, ("name", "city"), ("wide",), ())
    assert (keys.parts, keys.partitions, keys.does) == (
        12,  # four row groups of 250 rows, each cut into three
        1,
        "map: 01 standardisation.text; keys for 02 cleaning.exact-duplicates",
    )
    assert [what for what, _why in keys.writes] == ["keys", "rows", "dropped and quarantined rows"]
    assert (reduced.parts, last.pruned) == (1, ("wide",))
    assert (shards.parts, shards.rows_per_part) == (7, 150)


def test_the_run_cuts_the_parts_that_were_explained(bench):
    plan = bench.table(ROWS, [Upper("name")], groups=(70, 1000, 333), splits=ONE)
    expected = {kind: item.parts for kind, item in by_kind(plan).items()}
    done = bench.here(plan)
    folder = bench.folder(plan).path("receipts")
    found = {stage.kind: len(list(folder.glob(f"{stage.number:02d}/*.json"))) for stage, _rows, _counts in done.stages}

    assert found[StageKind.MAP] == expected[StageKind.MAP]
    assert found[StageKind.SHARDS] == expected[StageKind.SHARDS]


def test_a_source_that_tells_no_rows_is_said_to_be_read_first(bench):
    physical = explain(bench.plan(people(50), [Upper("name")]))

    assert (physical.rows, physical.passes[1].parts) == (None, None)
    assert physical.passes[0].writes[0] == (
        "rows",
        "the source can only be read from the beginning: read once, checked, cut into parts",
    )


def test_every_kind_of_pipeline_can_be_explained_as_json(bench):
    chains = (
        [clean.NearDuplicates("name")],
        [DropWhere("city", "Gent"), clean.DuplicatesByKey("name"), enrich.Language("name")],
        [standardise.Select(["city"]), synthesise.Table(rows=10)],
    )
    for steps in chains:
        body = explain(bench.table(ROWS, steps)).as_json()
        assert json.loads(json.dumps(body)) == body
        assert [item["stage"] for item in body["passes"]] == list(range(len(body["passes"])))


def test_parts_are_cut_smaller_until_a_worker_stays_within_its_memory(bench):
    free = bench.table(ROWS, [Upper("name")], part_rows=32_768)
    tight = bench.table(ROWS, [Upper("name")], part_rows=32_768, memory_mb=BASE_MB + 100)
    width = tight.row_bytes.of(tight.stages[1].reads)

    assert free.part_rows == 32_768
    assert tight.part_rows == 8192
    assert estimate_mb(tight.part_rows, width) <= BASE_MB + 100 < estimate_mb(2 * tight.part_rows, width)
    assert tight.id != free.id  # other parts, other receipts: they are never mixed
    assert "cut from 32,768 to 8,192 rows" in explain(tight).notes[0]


def test_too_little_memory_is_said_and_ends_at_the_smallest_parts(bench):
    plan = bench.table(ROWS, [Upper("name")], part_rows=32_768, memory_mb=10)

    assert plan.part_rows == FEWEST_ROWS
    assert "more than the 10 MB" in explain(plan).notes[0]


@pytest.mark.parametrize(("wanted", "memory"), [(100, 0), (1, 5), (FEWEST_ROWS, 1)])
def test_parts_never_grow_and_small_ones_stay(wanted, memory):
    assert fitting_rows(wanted, 1e6, memory) == wanted


def test_columns_that_are_not_read_take_no_memory(bench):
    narrow = by_kind(bench.table(ROWS, [standardise.Drop("wide")], part_rows=32_768))[StageKind.MAP]
    wide = by_kind(bench.table(ROWS, [standardise.Text("name")], part_rows=32_768))[StageKind.MAP]

    assert wide.memory_mb - narrow.memory_mb > 200


def test_the_model_of_a_step_counts_in_the_passes_that_load_it(bench):
    passes = by_kind(bench.table(ROWS, [standardise.Drop("wide"), enrich.Language("name")]))

    assert passes[StageKind.MAP].memory_mb > 400 > passes[StageKind.SHARDS].memory_mb
