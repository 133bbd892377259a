"""Language identification for whole columns, by default among the 24 official EU languages; offline, the same on every machine.

The model is that of py3langid (naive Bayes over byte n-grams; Lui and Baldwin 2012), read from the package; the arithmetic is ours: the
n-gram automaton runs over all texts in lock-step, and scores are integers (the model's half-precision weights are exact
multiples of 1/256), so that no processor or library rounds differently. CLD2 was left out: another engine where its wheel
exists would be another result.
"""

from __future__ import annotations

import functools
import importlib.metadata
from typing import Any

import numpy as np
import polars as pl

from datalab.errors import NotFound, UsageError
from datalab.kernels.hashing import text_buffers

Array = np.ndarray[Any, np.dtype[Any]]

EU24 = (
    "bg", "cs", "da", "de", "el", "en", "es", "et", "fi", "fr", "ga", "hr",
    "hu", "it", "lt", "lv", "mt", "nl", "pl", "pt", "ro", "sk", "sl", "sv",
)  # fmt: skip
"""ISO 639-1 codes of the official languages of the Union (Regulation No 1 of 1958, as amended)."""

HEAD = 1000
"""Characters of a text that are looked at: accuracy does not grow with more."""
_ROWS = 2048


def engine() -> str:
    """Return the name and version of the model: part of the fingerprint of every step that uses it."""
    return f"py3langid {importlib.metadata.version('py3langid')}"


def identify(texts: pl.Series, languages: tuple[str, ...] = EU24) -> pl.DataFrame:
    """Return ``language`` (ISO 639-1, null where a text has no letter) and ``confidence`` (Float64, 0 to 1, three decimals).

    The answer is one of ``languages``: a text in another language is given the nearest of them.
    Each distinct text is worked on once.
    """
    heads = texts.str.slice(0, HEAD)
    distinct = heads.unique().drop_nulls()
    distinct = distinct.filter(distinct.str.contains(r"\p{L}"))
    best, confidence = _classify(_prepared(distinct), languages)
    names = pl.Series(languages, dtype=pl.String).gather(pl.Series(best, dtype=pl.UInt32))
    known = pl.DataFrame({"text": distinct, "language": names, "confidence": pl.Series(confidence, dtype=pl.Float64)})
    found = heads.to_frame("text").join(known, on="text", how="left", maintain_order="left")
    return found.select("language", pl.col("confidence").fill_null(0.0))


def _prepared(texts: pl.Series) -> pl.Series:
    """As the model was trained: NFC, and text in capitals lowered."""
    text, upper = pl.col("t"), pl.col("t").str.to_uppercase()
    lower = text.str.to_lowercase()
    shouted = (text == upper) & (text != lower)
    return texts.to_frame("t").select(pl.when(shouted).then(lower).otherwise(text).str.normalize("NFC")).to_series()


@functools.cache
def _automaton() -> tuple[Array, Array, Array, Array, Array, tuple[str, ...]]:
    """Return (next state, row of state, feature of state or -1, weights · 256, priors · 2^20, labels)."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    model = LanguageIdentifier.from_model_file(MODEL_FILE)
    moves = np.asarray(model.tk_nextmove).astype(np.int32)
    rows = np.asarray(model.tk_row).astype(np.int32) << 8
    weights = np.rint(np.asarray(model.nb_ptc, dtype=np.float64) * 256).astype(np.int64)
    priors = np.rint(np.asarray(model.nb_pc, dtype=np.float64) * 2**20).astype(np.int64)
    return moves, rows, np.asarray(model.tk_output).astype(np.int32), weights, priors, tuple(model.nb_classes)


@functools.lru_cache(maxsize=8)
def _tables(languages: tuple[str, ...]) -> tuple[Array, Array]:
    """Return the weights and priors of ``languages``, one column each; raise for one that the model does not know."""
    *_, weights, priors, labels = _automaton()
    if not languages:
        raise UsageError("no language to choose from", next="name at least one ISO 639-1 code")
    for language in languages:
        if language not in labels:
            raise NotFound.among("language", language, labels, where="language identification")
        if labels.count(language) > 1:
            raise UsageError(f"language {language!r} is written in several scripts, which is not supported yet")
    columns = [labels.index(language) for language in languages]
    return np.ascontiguousarray(weights[:, columns]), priors[columns]


def _classify(texts: pl.Series, languages: tuple[str, ...]) -> tuple[Array, Array]:
    """Return the place of the best language and the confidence in it. Texts of like length run together."""
    weights, priors = _tables(languages)
    data, offsets = text_buffers(texts)
    lengths = np.diff(offsets)
    order = np.argsort(-lengths, kind="stable")
    best, confidence = np.zeros(len(texts), dtype=np.uint32), np.zeros(len(texts))
    for first in range(0, len(order), _ROWS):
        rows = order[first : first + _ROWS]
        scores = _scores(data, offsets[rows], lengths[rows], weights) + priors
        best[rows] = scores.argmax(axis=1)
        scaled = (scores - scores.max(axis=1, keepdims=True)) / 2**20 / np.sqrt(np.maximum(lengths[rows], 1))[:, None]
        confidence[rows] = np.round(1 / np.exp(scaled).sum(axis=1), 3)  # temperature √bytes, as py3langid calibrates it
    return best, confidence


def _scores(data: Array, starts: Array, lengths: Array, weights: Array) -> Array:
    """Return Σ log(1 + count) · weight over the n-grams of each text, times 2^20; ``lengths`` descend."""
    from scipy.sparse import csr_array

    features = np.sort(_walk(data, starts, lengths), axis=1)
    fresh = features >= 0
    fresh[:, 1:] &= features[:, 1:] != features[:, :-1]
    places = np.flatnonzero(fresh)
    width = features.shape[1]
    rows = places // width
    last_of_row = np.append(rows[1:] != rows[:-1], True)
    after = np.where(last_of_row, (rows + 1) * width, np.append(places[1:], 0))
    counts = np.rint(np.log1p(np.arange(width + 1)) * 4096).astype(np.int64)[after - places]
    pointers = np.searchsorted(rows, np.arange(len(starts) + 1))
    table = csr_array((counts, features.ravel()[places], pointers), shape=(len(starts), len(weights)))
    return np.asarray(table @ weights)


def _walk(data: Array, starts: Array, lengths: Array) -> Array:
    """Run the automaton over all texts, byte by byte: the feature met at each byte, -1 where none. Shape (texts, longest)."""
    moves, row_of, feature_of, *_ = _automaton()
    longest = int(lengths.max(initial=1))
    met = np.full((max(longest, 1), len(starts)), -1, dtype=np.int32)
    active = np.searchsorted(-lengths, -np.arange(longest), side="left")
    state = np.zeros(len(starts), dtype=np.int32)
    for place, count in enumerate(active.tolist()):
        state = moves[row_of[state[:count]] + data[starts[:count] + place]]
        met[place, :count] = feature_of[state]
    return np.ascontiguousarray(met.T)
