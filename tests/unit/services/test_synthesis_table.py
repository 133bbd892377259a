"""Steward's view of ``synthesise.Table``: what it accepts, what it generates, what it refuses."""

from __future__ import annotations

import datetime as dt
import io
import os
import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalab.errors import GateFailed, PolicyRefusal, SchemaError, UsageError, VerificationFailed
from datalab.model.canonical import canonical_json
from datalab.model.step import ROW, SOURCE
from datalab.services import synthesis as synthesise


@dataclass
class Ctx:
    seed: int = 7
    part: int = 0


def identified(frame: pl.DataFrame) -> pl.DataFrame:
    rows = np.arange(frame.height, dtype=np.uint64)
    return frame.with_columns(pl.Series(SOURCE, np.zeros(frame.height, dtype=np.uint32)), pl.Series(ROW, rows))


def people(n: int = 3_000, seed: int = 1) -> pl.DataFrame:
    r = np.random.default_rng(seed)
    age = np.clip(r.normal(45, 18, n), 0, 100).astype(int)
    smoker = r.random(n) < 0.1 + 0.3 * (age < 40)
    bmi = np.round(26 + age * 0.05 + r.normal(0, 3, n), 1)
    bmi[r.random(n) < 0.1] = np.nan
    days = np.datetime64("2020-01-01") + r.integers(0, 700, n)
    return pl.DataFrame(
        {
            "age": age,
            "smoker": smoker,
            "bmi": bmi,
            "ward": np.where(smoker, "lungs", r.choice(["heart", "hips", "Žilina ♥"], n)),
            "seen": pl.Series(days).cast(pl.Date),
        }
    )


def mark(frame: pl.DataFrame, rows: int, **values) -> pl.DataFrame:
    first = pl.int_range(pl.len()) < rows
    return frame.with_columns(pl.when(first).then(pl.lit(value)).otherwise(name).alias(name) for name, value in values.items())


def fit(step, frame, folder=None, seed=7):
    return step.fit(lambda: iter([identified(frame)]), Ctx(seed), folder)


def passed(fitted):
    return all(test.passed for test in fitted.privacy)


def test_a_table_becomes_one_of_the_same_shape_with_the_same_dependencies(tmp_path):
    real, step = people(8_000), synthesise.Table()
    fitted = fit(step, real, tmp_path)
    made = step.sample(fitted, 0, 8_000, Ctx())
    assert made.schema == real.schema == step.bind(real.schema).schema
    assert float(fitted.quality["marginals"]) > 0.95
    assert float(fitted.quality["pairs"]) > 0.9
    assert passed(fitted)
    assert not made.filter(~pl.col("smoker") & (pl.col("ward") == "lungs")).height  # never so in the real rows
    canonical_json(dict(fitted.details))
    assert made["bmi"].null_count() == pytest.approx(800, abs=150)


@settings(max_examples=15, deadline=None)
@given(start=st.integers(0, 150_000), cut=st.integers(0, 200), count=st.integers(200, 400))
def test_a_row_is_the_same_however_the_range_is_cut(start, cut, count):
    step, fitted = _small()
    whole = step.sample(fitted, start, count, Ctx())
    pieces = [step.sample(fitted, start, cut, Ctx()), step.sample(fitted, start + cut, count - cut, Ctx())]
    assert pl.concat(pieces).equals(whole)
    assert not step.sample(fitted, start, count, Ctx(8)).equals(whole)


_CACHE = []


def _small():
    if not _CACHE:
        step = synthesise.Table()
        _CACHE.append((step, fit(step, people(500))))
    return _CACHE[0]


def test_the_model_does_not_depend_on_the_order_or_cut_of_the_rows():
    frame, step = identified(people(2_000)), synthesise.Table()
    one = step.fit(lambda: iter([frame]), Ctx(), None)
    other = step.fit(lambda: frame.reverse().iter_slices(300), Ctx(), None)
    assert one == other


def test_a_small_sample_limit_bounds_what_is_learnt():
    fitted = fit(synthesise.Table(sample_limit=1_000), people(5_000))
    assert fitted.details["rows_seen"] == 5_000
    assert fitted.details["rows_learnt"] + fitted.details["rows_held_back"] == 1_000


def test_step_and_fitted_cross_a_process_boundary_and_the_model_is_no_pickle():
    step, fitted = _small()
    again = pickle.loads(pickle.dumps((step, fitted)))
    assert again == (step, fitted)
    assert fitted.model[:2] == b"PK"
    with np.load(io.BytesIO(fitted.model), allow_pickle=False) as archive:
        assert all(archive[name].dtype != object for name in archive.files)
    broken = pickle.loads(pickle.dumps(fitted))
    object.__setattr__(broken, "model", fitted.model[:-200])
    with pytest.raises(VerificationFailed, match="cannot be read"):
        step.sample(broken, 0, 1, Ctx())


def test_excluded_and_subject_columns_are_not_in_the_output():
    real = people(600).with_columns(pl.Series("name", [f"person {i}" for i in range(600)]), pl.int_range(600).alias("id") % 200)
    step = synthesise.Table(exclude="name", subject="id")
    bound = step.bind(real.schema)
    assert "name" not in bound.schema
    assert "id" not in bound.schema
    assert bound.reads == set(real.columns) - {"name"}
    assert {item.kind for item in bound.derivations.values()} == {"GENERATED"}
    assert all(item.masking for item in bound.derivations.values())
    fitted = fit(step, real)
    assert fitted.details["never_learnt"] == ["name", "id"]
    assert b"person 1" not in fitted.model


@pytest.mark.parametrize(
    "column",
    [
        pl.Series("key", [f"ID-{i}" for i in range(3_000)]),
        pl.Series("key", range(10**9, 10**9 + 3_000)),
        pl.Series("key", [float(i) for i in range(3_000)]),
        pl.Series("key", [2**64 - 1 - i for i in range(3_000)], dtype=pl.UInt64),
        pl.Series("key", [f"street {i % 1_000}" for i in range(3_000)]),  # nearly all below k
    ],
)
def test_a_column_that_identifies_is_refused_by_name_and_without_a_value(column):
    with pytest.raises(SchemaError, match="'key'") as caught:
        fit(synthesise.Table(), people().with_columns(column))
    assert "exclude=('key',)" in caught.value.next
    assert "ID-" not in str(caught.value)
    assert "street" not in str(caught.value)


def test_five_thousand_rare_categories_are_refused_and_a_measure_is_not():
    many = people(20_000).with_columns(pl.Series("code", [f"c{i % 5_001}" for i in range(20_000)]))
    with pytest.raises(SchemaError, match="code"):
        fit(synthesise.Table(), many)
    income = people(1_000).with_columns(pl.Series("income", np.random.default_rng(0).permutation(1_000) * 37))
    step = synthesise.Table(measures="income")
    made = step.sample(fit(step, income), 0, 1_000, Ctx())
    assert made["income"].mean() == pytest.approx(income["income"].mean(), rel=0.1)


def test_rare_values_and_extremes_are_never_emitted():
    real = people(5_000)
    real = mark(real, 9, ward="unique disease", age=119)
    step = synthesise.Table()
    made = step.sample(fit(step, real), 0, 50_000, Ctx())
    assert "unique disease" not in set(made["ward"])
    assert made["age"].max() <= 100
    assert b"unique disease" not in fit(step, real).model


def test_rare_means_few_people_where_one_person_has_many_rows():
    real = people(5_000).with_columns(pl.int_range(pl.len()).floordiv(50).alias("id"))
    real = mark(real, 250, ward="rare disease", age=119)  # 250 rows, 5 people
    assert "rare disease" in set(_made(synthesise.Table(exclude="id"), real)["ward"])
    kept = _made(synthesise.Table(subject="id"), real)
    assert "rare disease" not in set(kept["ward"])
    assert kept["age"].max() < 119


def _made(step, real):
    return step.sample(fit(step, real), 0, 5_000, Ctx())


@pytest.mark.parametrize(
    "frame",
    [
        people(3).clear(),
        people(1),
        people(150),
        pl.DataFrame({"a": pl.Series([None] * 50, dtype=pl.String), "b": pl.Series([None] * 50, dtype=pl.Float64)}),
        pl.DataFrame({"a": [None] * 50}),
    ],
)
def test_a_table_too_small_to_judge_is_withheld_with_the_reason(frame):
    step = synthesise.Table()
    fitted = fit(step, frame)
    (test,) = fitted.privacy
    assert (test.name, test.passed) == ("table-size", False)
    assert step.sample(fitted, 0, 20, Ctx()).schema == frame.schema


@pytest.mark.parametrize(
    "columns",
    [
        {"one": ["a", "b", "b"] * 300},
        {"constant": ["x"] * 900, "other": [1.5] * 900},
        {"none": pl.Series([None] * 900, dtype=pl.Int64), "some": [1, 2, 3] * 300},
        {"weird": [float("nan"), float("inf"), -float("inf"), 1.0, 2.0, 3.0] * 150},
        {"emoji": ["👩‍⚕️", "ﷺ", "", " ", "a\x00b", "Ω" * 500] * 150},
        {f"w{i}": [i, i + 1, None] * 300 for i in range(60)},
        {"enum": pl.Series(["a", "b", "c"] * 300, dtype=pl.Enum(["a", "b", "c"])), "price": pl.Series([1, 2, 3] * 300, dtype=pl.Decimal(10, 2))},
        {"huge": [-(2**60), 0, 2**60] * 300, "tiny": [1e-300, 2e-300, 1e300] * 300},
        {
            "time": [dt.time(1, 2), dt.time(3, 4), None] * 300,
            "took": [dt.timedelta(seconds=i % 7) for i in range(900)],
            "at": pl.Series([dt.datetime(2024, 5, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=97 * i) for i in range(900)]).cast(
                pl.Datetime("ns", "UTC")
            ),
        },
    ],
)  # fmt: skip
def test_hostile_columns_are_learnt_and_come_back_in_their_type(columns):
    real, step = pl.DataFrame(columns), synthesise.Table()
    fitted = fit(step, real)
    made = step.sample(fitted, 0, 500, Ctx())
    assert made.schema == real.schema
    assert [test.name for test in fitted.privacy][:2] == ["table-size", "exact-copies"]
    for name in real.columns:
        if real[name].n_unique() < 50 and not real.schema[name].is_float():
            assert set(made[name].to_list()) <= set(real[name].to_list())


def test_no_frame_at_all_is_an_error_that_says_so():
    with pytest.raises(GateFailed, match="nothing to learn"):
        synthesise.Table().fit(lambda: iter([]), Ctx(), None)


def test_bind_refuses_what_cannot_be_learnt():
    step = synthesise.Table()
    with pytest.raises(SchemaError, match="List"):
        step.bind(pl.Schema({"a": pl.List(pl.Int8), "b": pl.Int8}))
    with pytest.raises(SchemaError, match="201 columns"):
        step.bind(pl.Schema({f"c{i}": pl.Int8 for i in range(201)}))
    with pytest.raises(SchemaError, match="no column is left"):
        synthesise.Table(exclude="a").bind(pl.Schema({"a": pl.Int8}))
    with pytest.raises(SchemaError) as caught:
        synthesise.Table(exclude="nmae").bind(pl.Schema({"name": pl.String}))
    assert "did you mean 'name'" in caught.value.next


@pytest.mark.parametrize(
    "wrong",
    [{"rows": 0}, {"rows": "all"}, {"engine": "gan"}, {"parents": 3}, {"rare": 1}, {"holdout": 0.0}, {"offering": "free"}],
)
def test_parameters_that_make_no_sense_are_refused(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        synthesise.Table(**wrong)


def test_total_follows_rows():
    assert synthesise.Table().total(5) == synthesise.Table("same").total(5) == 5
    assert synthesise.Table(12).total(5) == 12


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({}, "commercial offering"),
        ({"accept_busl": True}, "commercial offering"),
        ({"accept_busl": True, "offering": "commercial"}, "commercial offering"),
        ({"offering": "non-commercial"}, "nobody has accepted"),
    ],
)
def test_sdv_is_refused_without_its_licence(terms, reason):
    step = synthesise.Table(engine="sdv-gaussian-copula", **terms)
    with pytest.raises(PolicyRefusal, match=reason):
        step.bind(people(10).schema)
    with pytest.raises(PolicyRefusal, match=reason):
        fit(step, people(10))


def test_sdv_behind_its_door_generates_the_same_rows_for_any_cut():
    step = synthesise.Table(1_500, engine="sdv-gaussian-copula", accept_busl=True, offering="non-commercial")
    real = people(1_000).with_columns(pl.Series("none", [None] * 1_000, dtype=pl.String))
    real = mark(real, 3, ward="unique disease")
    fitted = fit(step, real)
    whole = step.sample(fitted, 0, 1_500, Ctx())
    assert whole.schema == real.schema
    assert whole.height == 1_500
    assert pl.concat([step.sample(fitted, 0, 7, Ctx()), step.sample(fitted, 7, 1_493, Ctx())]).equals(whole)
    assert set(whole["ward"].drop_nulls()) <= {"lungs", "heart", "hips", "Žilina ♥"}
    assert "range" not in str(fitted.details)
    assert len(fitted.privacy) == 6
    with pytest.raises(UsageError, match="1500 rows"):
        step.sample(fitted, 1_000, 501, Ctx())


def test_flights_of_new_york_keep_their_statistics():
    folder = os.environ.get("DATALAB_REFERENCE_DATA")
    if not folder:
        pytest.skip("DATALAB_REFERENCE_DATA is not set")
    flights = pl.read_parquet(Path(folder) / "samples" / "tables" / "nycflights13_flights_60k.parquet")
    fitted = fit(synthesise.Table(), flights)
    assert float(fitted.quality["marginals"]) >= 0.95
    assert float(fitted.quality["pairs"]) >= 0.9
    assert passed(fitted)
