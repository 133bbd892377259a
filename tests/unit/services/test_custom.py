"""A steward's own step: held to what it declares, and found again by a worker."""

from __future__ import annotations

import pickle
import sys
import types

import polars as pl
import pytest

from datalab.errors import SchemaError, UsageError
from datalab.model.canonical import describe, digest
from datalab.model.step import Outcome
from datalab.services.custom import step

FRAME = pl.DataFrame(
    {"metres": [10.0, 20.0], "seconds": [1.0, None], "name": ["a", "b"], "_dl_source": [0, 0], "_dl_row": [5, 6]},
    schema_overrides={"_dl_source": pl.UInt32, "_dl_row": pl.UInt64},
)
SCHEMA = pl.Schema({"metres": pl.Float64, "seconds": pl.Float64, "name": pl.String})


def ratio(frame, factor=3.6):
    return frame.with_columns((pl.col("metres") / pl.col("seconds") * factor).alias("km_h"))


SOURCE = '''
import polars as pl
from datalab.services.custom import step

@step(reads=["metres", "seconds"], adds={"km_h": pl.Float64})
def speed_of(frame, factor=3.6):
    """Speed in km/h."""
    return frame.with_columns((pl.col("metres") / pl.col("seconds") * factor).alias("km_h"))
'''


@pytest.fixture
def speed_of(monkeypatch):
    module = types.ModuleType("stewards_steps")
    exec(SOURCE, module.__dict__)
    monkeypatch.setitem(sys.modules, "stewards_steps", module)
    return module.speed_of


def test_a_function_becomes_a_step(speed_of):
    made = speed_of(why="models want km/h")
    bound = made.bind(SCHEMA)
    assert made.name == "custom.speed-of"
    assert bound.schema["km_h"] == pl.Float64
    assert bound.derivations["km_h"].inputs == ("metres", "seconds")
    assert bound.derivations["km_h"].description == "Speed in km/h."
    frame = made.apply(FRAME, None).frame
    assert frame.columns == [*FRAME.columns, "km_h"]
    assert frame["km_h"].to_list() == [36.0, None]


def test_a_worker_finds_it_again(speed_of):
    made = speed_of(factor=1.0)
    again = pickle.loads(pickle.dumps(made))
    assert again == made
    assert again.apply(FRAME, None).frame["km_h"].to_list() == [10.0, None]


def test_source_and_parameters_decide_the_fingerprint():
    one = step(reads="metres")(keep)()
    assert digest(describe(one)) == digest(describe(step(reads=["metres"])(keep)()))
    assert digest(describe(one)) != digest(describe(step(reads="metres")(longer)()))
    declared = step(reads=["metres", "seconds"], adds={"km_h": pl.Float64})(ratio)
    assert digest(describe(declared())) != digest(describe(declared(factor=2.0)))


def keep(frame):
    return frame


def longer(frame):
    return frame.head(frame.height)


def fewer(frame):
    return frame.head(1)


def turned(frame):
    return frame.reverse()


def more(frame):
    return frame.with_columns(x=1)


def less(frame):
    return frame.drop("metres")


def rewritten(frame):
    return frame.with_columns(pl.col("metres") + 1)


def nothing(frame):
    return None


def leaking(frame):
    return Outcome(frame, dropped=pl.Series(["Jane Doe", None]))


def wrong_type(frame):
    return frame.with_columns(km_h=pl.lit("x"))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (fewer, "1 rows for 2"),
        (turned, "order"),
        (more, "added \\['x'\\]"),
        (less, "no column \\['metres'\\]"),
        (rewritten, "changed column 'metres'"),
        (nothing, "NoneType"),
        (leaking, "kebab"),
    ],
)
def test_what_it_does_not_declare_is_an_error(function, message):
    with pytest.raises(SchemaError, match=message) as caught:
        step(reads="metres")(function)().apply(FRAME, None)
    assert function.__name__ in str(caught.value)
    assert "Jane" not in str(caught.value)


def test_types_are_held_to():
    with pytest.raises(SchemaError, match="declares Float64"):
        step(reads="metres", adds={"km_h": pl.Float64})(wrong_type)().apply(FRAME, None)


def test_it_sees_only_what_it_reads():
    def look(frame):
        return frame

    with pytest.raises(pl.exceptions.ColumnNotFoundError):
        step(reads="name")(ratio)().apply(FRAME, None)
    with pytest.raises(UsageError, match="top level"):
        step(reads="name")(look)


def tidy(frame):
    odd = frame.select(pl.when(pl.col("metres") > 15).then(pl.lit("too-far"))).to_series()
    return Outcome(frame.with_columns(pl.col("metres").cast(pl.Int64)), dropped=odd, counts={"seen": frame.height})


def test_declared_changes_drops_and_counts():
    made = step(reads="metres", changes={"metres": pl.Int64})(tidy)()
    assert made.bind(SCHEMA).schema["metres"] == pl.Int64
    outcome = made.apply(FRAME, None)
    assert outcome.frame["metres"].to_list() == [10, 20]
    assert outcome.dropped.to_list() == [None, "too-far"]
    assert outcome.counts == {"seen": 2}
    assert made.apply(FRAME.head(0), None).frame.height == 0


def test_wrong_definitions_are_refused():
    with pytest.raises(UsageError, match="not in reads"):
        step(reads="a", changes={"b": pl.Int8})
    with pytest.raises(UsageError, match="parameters"):
        step(reads="metres")(keep)(colour="red")
    with pytest.raises(SchemaError, match="exists already"):
        step(reads="metres", adds={"name": pl.String})(keep)().bind(SCHEMA)
    with pytest.raises(SchemaError, match="did you mean 'metres'"):
        step(reads="meters")(keep)().bind(SCHEMA)
