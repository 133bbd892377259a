"""What is not needed is not read, and nothing of the result shows it."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass

import polars as pl
import pyarrow.parquet as pq
import pytest

from datalab import clean, enrich, scrub, standardise
from datalab.engine.columns import carried, needed_columns, with_absent
from datalab.model.step import IDENTITY, ROW, SOURCE, Bound, Context, Derivation, Keys, MapStep, Outcome
from tests.unit.engine.conftest import contents, reasons

ROWS = pl.DataFrame(
    {
        "Id": [f"n{n}" for n in range(600)],
        "text": [f"Text {n % 90} of some words" if n % 7 else None for n in range(600)],
        "wide": ["x" * 300] * 600,
        "number": [str(n) if n % 50 else "none" for n in range(600)],
        "unused": [n * 1.5 for n in range(600)],
    }
)


def needed(schema, steps):
    bound = []
    for step in steps:
        bound.append(step.bind(bound[-1].schema if bound else schema))
    return needed_columns(schema, steps, bound)


def test_a_column_that_nobody_looks_at_and_that_is_not_released_is_not_read():
    steps = [clean.Required("text"), standardise.Drop(["wide", "unused", "number"])]

    assert needed(ROWS.schema, steps) == (("Id", "text"), ("Id", "text"), ("Id", "text"))


def test_a_column_counts_until_the_last_step_that_looks_at_it():
    steps = [clean.Matches("wide", "x+"), clean.Required("text"), standardise.Select(["Id"])]

    assert [set(names) for names in needed(ROWS.schema, steps)] == [{"Id", "wide", "text"}, {"Id", "text"}, {"Id"}, {"Id"}]


def test_a_column_that_is_rewritten_and_then_dropped_is_read_because_rows_may_fall_with_it():
    steps = [standardise.Types({"number": "integer"}), standardise.Select(["Id"])]

    assert set(needed(ROWS.schema, steps)[0]) == {"Id", "number"}


def test_a_renamed_column_is_followed_to_its_first_name():
    steps = [standardise.ColumnNames(rename={"wide": "broad"}), standardise.Select(["id", "text"])]

    assert set(needed(ROWS.schema, steps)[0]) == {"Id", "text"}


@dataclass(frozen=True, slots=True)
class Peeks(MapStep):
    """Looks at a column without saying so."""

    def bind(self, schema):
        return Bound(schema)

    def apply(self, frame, context):
        return Outcome(frame, dropped=frame.select(pl.when(pl.col("unused") > 300).then(pl.lit("large"))).to_series())


def test_a_step_that_is_not_held_to_its_word_gets_every_column():
    assert set(needed(ROWS.schema, [Peeks(), standardise.Select(["Id"])])[0]) == set(ROWS.columns)


def test_something_is_always_read_so_that_there_are_rows():
    bound = [Bound(pl.Schema({"new": pl.Int64()}), {"new": Derivation(())})]
    step = standardise.Select(["Id"])  # any step of ours: what it declares is given above

    assert needed_columns(ROWS.schema, [step], bound)[0] == ("unused",)


def test_absent_columns_are_followed_through_renames():
    bound = Bound(pl.Schema({"b": pl.String(), "c": pl.String()}), {"b": Derivation(("a",), "IDENTITY")})

    assert carried({"a", "c"}, bound) == {"b", "c"}
    assert carried({"c"}, bound) == {"c"}


def test_every_step_sees_the_schema_it_was_bound_to():
    frame = with_absent(pl.DataFrame({"b": [1], ROW: [0]}), pl.Schema({"a": pl.String(), "b": pl.Int64()}))

    assert frame.columns == ["a", "b", ROW]
    assert frame["a"].to_list() == [None]


CHAINS = [
    [standardise.ColumnNames(), clean.Required("text"), standardise.Drop(["wide", "unused"])],
    [standardise.Types({"number": "integer"}), standardise.Select(["Id", "text"])],
    [standardise.Drop("wide"), clean.DuplicatesByKey("text"), standardise.Select(["Id", "number"])],
    [
        enrich.Language("text"),
        clean.ExactDuplicates(["text"]),
        standardise.Text("text"),
        standardise.Select(["language", "text"]),
    ],
    [clean.ExactDuplicates(), standardise.Select(["text"])],
    [scrub.Columns({"wide": "drop"}), clean.Required("text"), Peeks(), standardise.Drop("unused")],
]


@pytest.mark.parametrize("steps", CHAINS, ids=range(len(CHAINS)))
def test_what_is_left_out_does_not_show_in_the_result(bench, monkeypatch, steps):
    pruned = bench.here(bench.table(ROWS, steps, quarantine_limit=1.0))
    monkeypatch.setattr("datalab.engine.columns._is_opaque", lambda step: True)
    whole = bench.here(bench.table(ROWS, steps, quarantine_limit=1.0), name="whole")

    assert contents(pruned) == contents(whole)
    assert (pruned.rows.kept, reasons(pruned.rows.dropped), reasons(pruned.rows.quarantined)) == (
        whole.rows.kept,
        reasons(whole.rows.dropped),
        reasons(whole.rows.quarantined),
    )


def test_a_quarantined_row_is_kept_as_far_as_it_was_read(bench):
    steps = [standardise.ColumnNames(), standardise.Types({"number": "integer"}), standardise.Drop(["wide", "unused"])]
    plan = bench.table(ROWS, steps, quarantine_limit=1.0)
    bench.here(plan)
    [first, *_] = [
        json.loads(record["payload"])
        for path in sorted(bench.folder(plan).path("quarantine").rglob("*.parquet"))
        for record in pq.read_table(path).to_pylist()
    ]

    assert first == {"id": "n0", "text": None, "number": "none"}


class Lender:
    """A context that lends nothing but a key and an empty table."""

    seed, part = 1, 0

    def secret(self, name):
        return b"k" * 32

    def reference(self, name):
        return pl.DataFrame({"key": ["a", "Text 1 of some words"], "fact": ["b", "c"]})


WIDER = ROWS.with_columns(
    country=pl.Series(["DE", "FR", "XX", None] * 150),
    born=pl.date_range(dt.date(1990, 1, 1), dt.date(1991, 8, 23), eager=True),
    seen=pl.lit(dt.date(2020, 6, 1)),
)
"""More for steps that want dates and countries."""

SERVICE_STEPS = [
    standardise.Text("text"),
    standardise.Encoding("text"),
    standardise.Names("text", kind="person"),
    standardise.Types({"number": "integer"}),
    standardise.ColumnNames(),
    standardise.Select(["Id", "text"]),
    standardise.Drop(["unused"]),
    standardise.Countries("text"),
    standardise.Languages("text"),
    clean.Required("text"),
    clean.InRange("unused", minimum=3.0),
    clean.InSet("text", ["Text 1 of some words"]),
    clean.Matches("number", "[0-9]+"),
    clean.CheckDigits("number", "luhn"),
    clean.TextQuality("text"),
    clean.TextRepetition("text"),
    clean.TextLines("text", removed="gone"),
    clean.TextLines("text", language="country", minimum_sentences=1),
    clean.Language("text", keep="en"),
    clean.Untranslated("text", "wide"),
    enrich.Language("text"),
    enrich.TextStatistics("text"),
    enrich.TextSignals("text"),
    enrich.TextRepetition("text"),
    enrich.Age("born", at="seen"),
    enrich.Age("born", at=dt.date(2026, 1, 1), bands=(0, 18)),
    enrich.CountryFacts("country"),
    enrich.Join("facts", on={"text": "key"}, columns=["fact"], missing="drop"),
    enrich.Join("facts", on={"text": "key"}, columns=["fact"], missing="quarantine"),
    scrub.Text("text"),
    scrub.Text(("text", "wide"), language="country"),
    scrub.Columns({"number": scrub.Pseudonym(), "wide": scrub.Mask()}),
]


KEYED_STEPS = [
    clean.ExactDuplicates("text"),
    clean.ExactDuplicates("text", keep="longest"),
    clean.DuplicatesByKey("text", keep=("max", "unused")),
    clean.NearDuplicates("text", keep="longest"),
    clean.NearDuplicates("text", keep=("min", "unused")),
    clean.Sample(rows=7, by="number"),
    clean.Sample(share=0.3),
]


def with_others_lost(step):
    """Return the rows as they are, and with nothing but nulls in the columns that ``step`` does not declare."""
    given = WIDER.with_columns(pl.lit(0, pl.UInt32).alias(SOURCE), pl.int_range(pl.len(), dtype=pl.UInt64).alias(ROW))
    bound = step.bind(WIDER.schema)
    declared = bound.reads | {name for made in bound.derivations.values() if made.kind != "IDENTITY" for name in made.inputs}
    others = [name for name in WIDER.columns if name not in declared]
    return bound, given, given.with_columns(pl.lit(None, dtype=WIDER.schema[name]).alias(name) for name in others)


def look_at_nothing_else(step, context: Context):
    """Columns that a step does not declare may hold anything: its verdicts and what it writes stay the same."""
    bound, given, other = with_others_lost(step)
    first, second = step.apply(given, context), step.apply(other, context)
    written = [name for name, made in bound.derivations.items() if made.kind != "IDENTITY"]

    assert first.counts == second.counts
    assert first.frame.select(*IDENTITY, *written).equals(second.frame.select(*IDENTITY, *written))
    for one, two in ((first.dropped, second.dropped), (first.quarantined, second.quarantined)):
        assert (one is None) == (two is None)
        assert one is None or one.equals(two, null_equal=True)


@pytest.mark.parametrize("step", SERVICE_STEPS, ids=lambda step: step.name)
def test_our_steps_look_at_nothing_but_what_they_declare(step):
    look_at_nothing_else(step, Lender())


def test_presidio_looks_at_nothing_but_what_it_declares():
    look_at_nothing_else(scrub.Presidio("text", ("EMAIL_ADDRESS",), language="fr"), Lender())


@pytest.mark.parametrize("step", KEYED_STEPS, ids=lambda step: f"{step.name}-{getattr(step, 'keep', '')}")
def test_the_keys_of_our_steps_hold_nothing_but_what_they_declare(step):
    _, given, other = with_others_lost(step)
    first, second = (
        found if isinstance(found, Keys) else Keys(found) for found in (step.keys(f, Lender()) for f in (given, other))
    )

    for one, two in ((first.rows, second.rows), (first.certain, second.certain), (first.evidence, second.evidence)):
        assert (one is None) == (two is None)
        assert one is None or one.equals(two, null_equal=True)


def test_a_join_asks_for_nothing_but_what_it_declares():
    step = enrich.Join("facts", on={"text": "key", "number": "key"}, columns=["fact"])
    _, given, other = with_others_lost(step)

    assert step.asks(given).height > 100
    assert step.asks(given).equals(step.asks(other))
