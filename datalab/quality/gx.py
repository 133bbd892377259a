"""The one door to Great Expectations: it runs in a process of its own, sees only the columns it needs, and tells only counts.

It takes seconds and some 260 MB to import, and pandas on top: both end with the process. At most ``cap`` rows go in; beyond that
a sample is taken by a hash of the rows' identity, so that any cut into parts and any number of workers gives the same rows.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from datalab.errors import MissingExtra, UsageError
from datalab.kernels.hashing import hash_rows
from datalab.model.step import IDENTITY
from datalab.quality.result import GREAT_EXPECTATIONS, CheckResult
from datalab.quality.suite import Expectation

if TYPE_CHECKING:
    import pandas as pd

ROW_CAP = 1_000_000
TIMEOUT = 900.0
"""Seconds that Great Expectations gets before its checks count as failed."""
_SAMPLE_SEED = 0x5A4D
_RANK = "_dl_rank"

SAMPLE_CANNOT_TELL = frozenset(
    {
        "expect_column_values_to_be_unique",
        "expect_compound_columns_to_be_unique",
        "expect_column_unique_value_count_to_be_between",
        "expect_column_proportion_of_unique_values_to_be_between",
        "expect_column_distinct_values_to_equal_set",
        "expect_column_distinct_values_to_contain_set",
        "expect_column_sum_to_be_between",
        "expect_table_row_count_to_be_between",
        "expect_table_row_count_to_equal",
    }
)
"""Expectations about all rows together: a verdict on a sample would be wrong, so that beyond the cap they fail and say why."""
_AGGREGATES = frozenset(
    {
        "expect_column_mean_to_be_between",
        "expect_column_stdev_to_be_between",
        "expect_column_sum_to_be_between",
        "expect_column_proportion_of_non_null_values_to_be_between",
        "expect_column_proportion_of_unique_values_to_be_between",
        "expect_column_unique_value_count_to_be_between",
        "expect_column_pair_cramers_phi_value_to_be_less_than",
        "expect_column_kl_divergence_to_be_less_than",
        "expect_table_row_count_to_be_between",
        "expect_table_row_count_to_equal",
    }
)
"""What these observe is no value of a row: it may be told. A minimum, a median or a quantile is somebody's value."""


def require() -> None:
    """Raise ``MissingExtra`` unless Great Expectations is installed."""
    if importlib.util.find_spec("great_expectations") is None:
        raise MissingExtra.needed("quality", "an expectation that datalab does not compile itself")


def take_sample(frames: Iterable[pl.DataFrame], cap: int = ROW_CAP) -> pl.DataFrame:
    """Return the ``cap`` rows with the smallest hash of their identity, in order of identity: samples of samples are samples."""
    rows = pl.concat(list(frames))
    if rows.height > cap:
        ranked = rows.with_columns(hash_rows(rows, IDENTITY, _SAMPLE_SEED).alias(_RANK))
        rows = ranked.sort(_RANK, *IDENTITY).head(cap).drop(_RANK)
    return rows.sort(*IDENTITY)


def validate_apart(
    expectations: Sequence[Expectation],
    sample: pl.DataFrame | None,
    columns: Sequence[str],
    *,
    rows: int,
    cap: int = ROW_CAP,
    timeout: float = TIMEOUT,
    scratch: Path | None = None,
) -> list[CheckResult]:
    """Let Great Expectations judge ``sample`` in a process of its own; ``rows`` is the number of rows it stands for.

    The rows pass through a folder of mode 0700 in ``scratch`` (default: the system's), removed at the end.
    A process that dies or takes longer than ``timeout`` seconds gives results that did not succeed, with the reason.
    """
    if sample is None:
        raise UsageError(
            "expectations are left to Great Expectations, and no sample was taken", next="pass evaluate(state, sample)"
        )
    require()
    sampled = sample.height < rows
    asked = [item for item in expectations if not (sampled and item.type in SAMPLE_CANNOT_TELL)]
    answers = iter(_ask(asked, sample.select(*columns), timeout, scratch))
    results = []
    for item in expectations:
        if item in asked:
            results.append(_result(item, next(answers), {"sampled": True, "sample_rows": sample.height} if sampled else {}))
        else:
            reason = f"{rows} rows are more than the {cap} that Great Expectations gets, and a sample cannot tell"
            results.append(_result(item, {"success": False, "error": reason}, {}))
    return results


def _ask(
    expectations: Sequence[Expectation], frame: pl.DataFrame, timeout: float, scratch: Path | None
) -> list[Mapping[str, Any]]:
    if not expectations:
        return []
    with tempfile.TemporaryDirectory(prefix="datalab-gx-", dir=scratch) as name:  # mode 0700: the rows are sensitive
        folder = Path(name)
        request = [{"type": item.type, "kwargs": dict(item.kwargs)} for item in expectations]
        (folder / "request.json").write_text(json.dumps(request), "utf-8")
        frame.write_ipc(folder / "rows.arrow")
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "TQDM_DISABLE": "1"}
        command = [sys.executable, "-W", "ignore", "-m", "datalab.quality.gx", str(folder)]
        try:
            ended = subprocess.run(command, env=environment, cwd=folder, capture_output=True, timeout=timeout, check=False)
        except subprocess.TimeoutExpired:
            return [{"success": False, "error": f"Great Expectations took longer than {timeout:g} seconds"}] * len(request)
        if ended.returncode:
            return [{"success": False, "error": f"Great Expectations ended with code {ended.returncode}"}] * len(request)
        answers: list[Mapping[str, Any]] = json.loads((folder / "response.json").read_text("utf-8"))
        return answers


def _result(expectation: Expectation, answer: Mapping[str, Any], meta: Mapping[str, Any]) -> CheckResult:
    observed = answer.get("observed")
    return CheckResult(
        expectation,
        answer["success"],
        expectation.severity,
        element_count=answer.get("element_count"),
        unexpected_count=answer.get("unexpected_count"),
        missing_count=answer.get("missing_count"),
        observed="" if observed is None else json.dumps(observed),
        engine=GREAT_EXPECTATIONS,
        meta=meta,
        error=answer.get("error", ""),
    )


def validate_frame(expectations: Iterable[Mapping[str, Any]], frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Validate ``frame`` with Great Expectations, in this process, and return counts: no value of the data.

    Each answer has ``success``, and where they exist ``element_count``, ``unexpected_count``, ``missing_count``, ``observed``
    (an aggregate) and ``error`` (the class of an exception: its message may hold values).
    """
    import logging

    import great_expectations
    from great_expectations.expectations.registry import get_expectation_impl

    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
    context = great_expectations.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
    context.variables.analytics_enabled = False
    asset = context.data_sources.add_pandas("rows").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("rows").get_batch({"dataframe": as_pandas(frame)})
    told = {"result_format": "BASIC", "partial_unexpected_count": 0, "exclude_unexpected_values": True}
    answers = []
    for entry in expectations:
        try:
            expectation = get_expectation_impl(entry["type"])(**entry["kwargs"])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = batch.validate(expectation, result_format=told)
        except Exception as error:  # noqa: BLE001 - whatever a rule makes pandas raise is a failed rule, not a failed run
            answers.append({"success": False, "error": type(error).__name__})
            continue
        answers.append(_counts(entry["type"], found.to_json_dict()))
    return answers


def as_pandas(frame: pl.DataFrame) -> pd.DataFrame:
    """Convert for Great Expectations: numpy types, but integers with nulls stay integers and timestamps are nanoseconds.

    Its comparisons of dates work on ``datetime64[ns]`` only; times outside the years 1678 to 2261 keep their own unit.
    """
    import pandas as pd

    columns: dict[str, Any] = {}
    for column in frame.iter_columns():
        values = column.to_pandas()
        if column.dtype.is_integer() and column.dtype not in {pl.Int128, pl.UInt128} and column.null_count():
            wide = pl.UInt64 if column.dtype.is_unsigned_integer() else pl.Int64
            numbers = column.fill_null(0).cast(wide).to_numpy(writable=True)
            values = pd.Series(pd.arrays.IntegerArray(numbers, column.is_null().to_numpy(writable=True)))
        elif column.dtype == pl.Date or (isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone is None):
            values = _nanoseconds(column, values)
        columns[column.name] = values
    return pd.DataFrame(columns, index=pd.RangeIndex(frame.height))


def _nanoseconds(column: pl.Series, values: pd.Series) -> pd.Series:
    years = column.drop_nulls().dt.year()
    fits = not len(years) or (years.min() >= 1678 and years.max() <= 2261)  # type: ignore[operator]
    return values.astype("datetime64[ns]") if fits else values


def _counts(kind: str, found: Mapping[str, Any]) -> dict[str, Any]:
    information = found.get("exception_info") or {}
    raised = [information] if "raised_exception" in information else list(information.values())
    for one in raised:
        if one.get("raised_exception"):
            return {"success": False, "error": _exception_class(one.get("exception_traceback"))}
    result = found["result"]
    counts = {
        key: result[key] for key in ("element_count", "unexpected_count", "missing_count") if isinstance(result.get(key), int)
    }
    observed = result.get("observed_value")
    if kind in _AGGREGATES and isinstance(observed, (int, float)):
        counts["observed"] = observed
    return {"success": bool(found["success"]), **counts}


def _exception_class(traceback: str | None) -> str:
    """The class that stands in the last line of a traceback, and nothing of its message."""
    last = (traceback or "").strip().rsplit("\n", 1)[-1].split(":", 1)[0].rsplit(".", 1)[-1]
    return last if last.isidentifier() else "Exception"


def main(folder: Path) -> None:
    """Answer the request in ``folder``: ``request.json`` and ``rows.arrow`` in, ``response.json`` out."""
    request = json.loads((folder / "request.json").read_text("utf-8"))
    answers = validate_frame(request, pl.read_ipc(folder / "rows.arrow"))
    (folder / "response.json").write_text(json.dumps(answers), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
