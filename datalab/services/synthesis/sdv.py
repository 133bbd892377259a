"""The one door to SDV: its Gaussian copula, fitted to what may be said of the columns.

SDV is under the Business Source License 1.1, so this module is reached only after ``synthesise.Table`` has seen the licence
accepted. pandas lives here and nowhere else in the service. A fitted synthesizer could be kept only by pickle and samples
only in sequence; what is kept instead is the table it generated, so that any range of it gives the same rows.
"""

from __future__ import annotations

import functools
import io
import logging
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from datalab.errors import MissingExtra, UsageError
from datalab.services.synthesis.bayesnet import row_uniforms
from datalab.services.synthesis.domain import Domain, is_label, is_real, whole_numbers

MAX_POOL = 1_000_000
_TABLE = "table"


def fit_pool(train: pl.DataFrame, domains: Sequence[Domain], *, total: int, seed: int) -> tuple[bytes, dict[str, Any]]:
    """Fit SDV's Gaussian copula to ``train`` and return ``total`` generated rows (Arrow IPC), and what is known of the fit.

    ``domains`` keep rare values from SDV: a rare category is replaced by a frequent one by chance, an extreme number by the
    nearest that is not. Columns of which nothing may be said stay out and come back empty.
    """
    if total > MAX_POOL:
        raise UsageError(
            f"SDV would have to generate {total} rows at once, more than {MAX_POOL}",
            where="step synthesis.table",
            next='give rows=…, or use engine="bayesnet"',
        )
    known = [domain for domain in domains if domain.bins]
    pool = train.clear()
    if known and total and train.height > 1:
        pool = _generate(_tamed(train, known, seed), known, train.schema, total, seed)
    buffer = io.BytesIO()
    pool.write_ipc(buffer)
    # The metadata is not among the details: SDV's own form of it lists values and ranges of the real rows.
    return buffer.getvalue(), {"model": "SDV GaussianCopulaSynthesizer", "licence": "BUSL-1.1", "pool_rows": pool.height}


def replay(model: bytes, schema: pl.Schema, start: int, count: int) -> pl.DataFrame:
    """Return rows ``start … start + count - 1`` of what SDV generated; columns it left out are null."""
    pool = _pool(model)
    if start + count > pool.height:
        raise UsageError(
            f"SDV generated {pool.height} rows, {start + count} are asked for",
            where="step synthesis.table",
            next="give rows=… before the model is fitted",
        )
    return pool.slice(start, count).select(schema.names())


@functools.lru_cache(maxsize=1)
def _pool(model: bytes) -> pl.DataFrame:
    return pl.read_ipc(io.BytesIO(model))


def _tamed(train: pl.DataFrame, known: Sequence[Domain], seed: int) -> pl.DataFrame:
    """Return the known columns with rare values replaced; dates and times as microseconds or days, for SDV to treat as numbers."""
    columns = []
    for place, domain in enumerate(known):
        column = train[domain.name]
        if is_label(column.dtype):
            codes = domain.encode(column)
            rare = (codes == domain.bins) & column.is_not_null().to_numpy()
            frequent = codes[codes < domain.bins]
            chance = row_uniforms(seed, place * len(codes), len(codes), 1)[:, 0]
            codes[rare] = frequent[(chance[rare] * len(frequent)).astype(np.int64)]
            text = pl.Series([*domain.labels, None], dtype=pl.String)
            columns.append(text.gather(np.where(codes < domain.bins, codes, len(domain.labels))).alias(domain.name))
            continue
        low, high = float(domain.lows[0]), float(domain.highs[-1])
        if is_real(column.dtype):
            real = column.cast(pl.Float64)
            columns.append(real.set(~real.is_finite().fill_null(value=True), None).clip(low, high))
        else:
            # As distances from the smallest value: small enough to be exact as a float.
            columns.append((whole_numbers(column) - domain.origin).cast(pl.Float64).clip(low, high))
    return pl.DataFrame(columns)


def _generate(tamed: pl.DataFrame, known: Sequence[Domain], schema: pl.Schema, total: int, seed: int) -> pl.DataFrame:
    pandas, metadata_type, synthesizer_type = _sdv()
    kinds = {name: {"sdtype": "categorical" if dtype == pl.String else "numerical"} for name, dtype in tamed.schema.items()}
    spec = {"METADATA_SPEC_VERSION": "V2", "tables": {_TABLE: {"columns": kinds}}, "relationships": []}
    frame = pandas.DataFrame(
        {
            name: tamed[name].to_numpy() if kinds[name]["sdtype"] == "numerical" else tamed[name].to_list()
            for name in tamed.columns
        }
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice on formats and performance, some of it with values in it
        # Declared, not detected: detection reads meanings into names and stores values and ranges.
        synthesizer = synthesizer_type(metadata_type.load_from_dict(spec))
        synthesizer.fit({_TABLE: frame})
        synthesizer._set_random_state(seed % 2**32)  # noqa: SLF001 - SDV has no public way to give a seed
        made = synthesizer.sample(total)
    # Its documentation promises a dict by table, single-table synthesizers have answered with the table itself.
    made = (made[_TABLE] if isinstance(made, dict) else made).head(total)
    columns = {name: pl.Series(name, [None] * len(made), dtype=dtype) for name, dtype in schema.items()}
    for domain in known:
        columns[domain.name] = _back(domain, made[domain.name], schema[domain.name])
    return pl.DataFrame(list(columns.values()))


def _back(domain: Domain, made: Any, dtype: pl.DataType) -> pl.Series:
    """Turn one pandas column into the type and onto the grid that the real one has."""
    missing = made.isna().to_numpy()
    if is_label(dtype):
        text = pl.Series(domain.name, made.astype(object).where(~missing, None).tolist(), dtype=pl.String)
        return (text == "true" if dtype == pl.Boolean else text).cast(dtype).alias(domain.name)
    values = made.to_numpy(dtype=np.float64, na_value=0.0)
    values = np.clip(np.where(missing, 0.0, values), domain.lows[0], domain.highs[-1])
    return domain.series(values, ~missing, dtype)


def _sdv() -> tuple[Any, Any, Any]:
    """Import pandas, SDV's metadata and its Gaussian copula; quiet, because SDV logs what it is given."""
    try:
        import pandas as pd
        from sdv.metadata import Metadata
        from sdv.single_table import GaussianCopulaSynthesizer
    except ImportError:
        raise MissingExtra.needed("sdv", "the engine sdv-gaussian-copula") from None
    for name in ("sdv", "rdt", "copulas", "SingleTableSynthesizer"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return pd, Metadata, GaussianCopulaSynthesizer
