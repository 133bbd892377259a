"""The library's own engine: the domains of the columns and a Bayesian network over their codes, held without pickle."""

from __future__ import annotations

import functools
import io
import json
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from datalab.errors import VerificationFailed
from datalab.services.synthesis.domain import Domain, as_plain, learn
from datalab.services.synthesis.network import Network, fit_network

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = "datalab-bayesnet/1"
_BATCH = 65_536
_WORDS = 4
"""A Philox4x64 counter yields four numbers."""
_ARRAYS = ("lows", "highs", "weights", "starts", "edges")


@dataclass(frozen=True, slots=True)
class BayesNet:
    """A fitted table model. It holds shared values and counts of rows, so it is sensitive though no row is in it."""

    domains: tuple[Domain, ...]
    network: Network

    def sample(self, schema: pl.Schema, seed: int, start: int, count: int) -> pl.DataFrame:
        """Return rows ``start … start + count - 1`` of the endless table that ``seed`` stands for."""
        pieces = [self._rows(schema, seed, at, min(_BATCH, start + count - at)) for at in range(start, start + count, _BATCH)]
        return pl.concat(pieces) if pieces else pl.DataFrame(schema=schema)

    def _rows(self, schema: pl.Schema, seed: int, start: int, count: int) -> pl.DataFrame:
        columns = len(self.domains)
        uniforms = row_uniforms(seed, start, count, 2 * columns)
        codes = self.network.sample(uniforms[:, :columns])
        return pl.DataFrame(
            [
                domain.decode(codes[:, place], uniforms[:, columns + place], schema[domain.name])
                for place, domain in enumerate(self.domains)
            ]
        )

    def to_bytes(self) -> bytes:
        """Return the model as an uncompressed npz archive of plain arrays and one JSON header."""
        header = {
            "format": FORMAT,
            "order": self.network.order,
            "parents": self.network.parents,
            "domains": [as_plain(domain) for domain in self.domains],
        }
        arrays: dict[str, NDArray[Any]] = {"header": np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)}
        arrays |= {f"table{place}": table for place, table in enumerate(self.network.tables)}
        for place, domain in enumerate(self.domains):
            arrays |= {f"{name}{place}": getattr(domain, name) for name in _ARRAYS}
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        return buffer.getvalue()


def fit_bayesnet(
    train: pl.DataFrame, people: pl.Series | None = None, *, rare: int, parents: int, measures: Iterable[str], where: str
) -> BayesNet:
    """Learn a table model from the training rows; raise ``SchemaError`` for a column that identifies rows.

    ``people`` says whose row each is; None, that every row is one person's.
    """
    quantities = frozenset(measures)
    domains = tuple(learn(train[name], people, rare=rare, measure=name in quantities, where=where) for name in train.columns)
    codes = np.empty((train.height, len(domains)), dtype=np.int32, order="F")
    for place, domain in enumerate(domains):
        codes[:, place] = domain.encode(train[domain.name])
    sizes, emitted = [domain.size for domain in domains], [domain.emitted for domain in domains]
    return BayesNet(domains, fit_network(codes, sizes, emitted, parents))


@functools.lru_cache(maxsize=2)
def load_bayesnet(model: bytes) -> BayesNet:
    """Read a model from its bytes; kept for the next range of the same model. Raise ``VerificationFailed`` if broken."""
    try:
        with np.load(io.BytesIO(model), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        header = json.loads(arrays["header"].tobytes())
        if header["format"] != FORMAT:
            raise ValueError(header["format"])
        domains = tuple(
            Domain(
                labels=tuple(plain.pop("labels")),
                **{name: arrays[f"{name}{place}"] for name in _ARRAYS},
                **plain,
            )
            for place, plain in enumerate(header["domains"])
        )
        tables = tuple(arrays[f"table{place}"] for place in range(len(domains)))
        parents = tuple(tuple(chosen) for chosen in header["parents"])
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise VerificationFailed(
            "the fitted model cannot be read", where=f"{type(error).__name__}", next="run the pipeline again to fit it anew"
        ) from None
    return BayesNet(domains, Network(tuple(header["order"]), parents, tables, tuple(domain.size for domain in domains)))


def row_uniforms(seed: int, start: int, count: int, width: int) -> NDArray[np.float64]:
    """Return numbers in [0, 1), shape (count, width): those of row r depend on ``seed`` and r alone.

    Philox4x64-10 (Salmon et al., SC 2011) is a function of key and counter: row r begins at counter r * ceil(width / 4).
    """
    words = -(-width // _WORDS)
    generator = np.random.Generator(np.random.Philox(key=seed % 2**128, counter=start * words))
    return generator.random((count, words * _WORDS))[:, :width]
