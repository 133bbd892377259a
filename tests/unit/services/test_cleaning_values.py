"""Rules for single values: which rows fall, why, and what is refused before the run."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import pytest

from datalab.errors import NotFound, SchemaError, UsageError
from datalab.model.canonical import describe, digest
from datalab.model.step import IDENTITY, MapStep
from datalab.services import cleaning as clean


def verdicts(step: MapStep, **columns: Any) -> list[str | None]:
    frame = pl.DataFrame(columns)
    frame = frame.with_columns(
        pl.Series("_dl_source", [0] * frame.height, dtype=pl.UInt32), pl.Series("_dl_row", range(frame.height), dtype=pl.UInt64)
    )
    step.bind(pl.Schema({name: kind for name, kind in frame.schema.items() if name not in IDENTITY}))
    outcome = step.apply(frame, None)
    assert outcome.frame.equals(frame)
    assert outcome.dropped.len() == frame.height
    assert step.apply(frame.head(0), None).dropped.len() == 0
    return outcome.dropped.to_list()


def test_required():
    assert verdicts(clean.Required("a"), a=["x", None, "", " \t"]) == [None, "missing", "missing", "missing"]
    assert verdicts(clean.Required(["a", "b"]), a=[1, None, 3], b=[0.5, 1.0, float("nan")]) == [None, "missing", "missing"]
    assert clean.Required("a") == clean.Required(["a"])
    assert clean.Required("a").name == "cleaning.required"


def test_in_range():
    assert verdicts(clean.InRange("a", 0, 10), a=[-1, 0, 10, 11, None]) == ["below-minimum", None, None, "above-maximum", None]
    assert verdicts(clean.InRange("a", maximum=1), a=[float("nan"), float("inf"), -9.5]) == [
        "not-a-number",
        "above-maximum",
        None,
    ]
    days = [dt.date(1899, 12, 31), dt.date(2000, 1, 1), None]
    assert verdicts(clean.InRange("a", minimum=dt.date(1900, 1, 1)), a=days) == ["below-minimum", None, None]


def test_in_set():
    assert verdicts(clean.InSet("a", ["x", "y"]), a=["x", "z", None, "X"]) == [None, "not-in-set", None, "not-in-set"]
    assert verdicts(clean.InSet("a", (1, 2)), a=[1, 3, None]) == [None, "not-in-set", None]


def test_matches_the_whole_text():
    texts = ["AB1", "xAB1", "AB1\n", "AB12", "", None]
    assert verdicts(clean.Matches("a", "[A-Z]{2}[0-9]|QQ"), a=texts) == [None] + ["no-match"] * 4 + [None]


def test_check_digits():
    codes = ["529900T8BM49AURSDO55", "529900T8BM49AURSDO56", "", None]
    assert verdicts(clean.CheckDigits("a", "lei"), a=codes) == [None, "wrong-check-digits", "wrong-check-digits", None]


@pytest.mark.parametrize(
    ("step", "schema", "message"),
    [
        (clean.Required("lie"), {"lei": pl.String}, "did you mean 'lei'"),
        (clean.InRange("a", 1), {"a": pl.String}, "does not compare"),
        (clean.InRange("a", "1"), {"a": pl.Int64}, "does not compare"),
        (clean.InRange("a", 5), {"a": pl.Date}, "does not compare"),
        (clean.InSet("a", [1]), {"a": pl.String}, "not of the type"),
        (clean.InSet("a", ["x"]), {"a": pl.Int8}, "not of the type"),
        (clean.Matches("a", "x"), {"a": pl.Int8}, "not text"),
        (clean.CheckDigits("a"), {"a": pl.Int64}, "not text"),
    ],
)
def test_what_does_not_fit_is_refused_before_the_run(step, schema, message):
    with pytest.raises(SchemaError, match=message) as caught:
        step.bind(pl.Schema(schema))
    assert step.name in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: clean.Required(()),
        lambda: clean.Required(["a", "a"]),
        lambda: clean.InRange("a"),
        lambda: clean.InRange("a", 2, 1),
        lambda: clean.InSet("a", []),
        lambda: clean.InSet("a", "abc"),
        lambda: clean.Matches("a", "(?=x)").bind(pl.Schema({"a": pl.String})),
    ],
)
def test_wrong_parameters_are_refused(wrong):
    with pytest.raises(UsageError):
        wrong()


def test_an_unknown_scheme_has_a_hint():
    with pytest.raises(NotFound, match="did you mean 'iban'"):
        clean.CheckDigits("a", "ibam")


def test_parameters_decide_the_fingerprint():
    def fingerprint(step):
        return digest(describe(step))

    assert fingerprint(clean.InRange("a", 1)) != fingerprint(clean.InRange("a", 2))
    assert fingerprint(clean.Required("a")) == fingerprint(clean.Required(("a",)))
    assert fingerprint(clean.TextQuality("a")) != fingerprint(clean.TextQuality("a", limits=clean.Limits(minimum_words=5)))
    assert "py3langid" in str(describe(clean.Language("a", keep="de")))
