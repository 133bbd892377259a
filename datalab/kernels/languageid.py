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
from datalab.kernels.unicode import nfc, where_needed

Array = np.ndarray[Any, np.dtype[Any]]

EU24 = (
    "bg", "cs", "da", "de", "el", "en", "es", "et", "fi", "fr", "ga", "hr",
    "hu", "it", "lt", "lv", "mt", "nl", "pl", "pt", "ro", "sk", "sl", "sv",
)  # fmt: skip
"""ISO 639-1 codes of the official languages of the Union (Regulation No 1 of 1958, as amended)."""

HEAD = 1000
"""Characters of a text that are looked at: accuracy does not grow with more."""
WINDOW = 128
"""Characters of each of the two places that are read first in a longer text: its beginning and the middle of its head."""
_SURE = 0.99
_CELLS = 1 << 19
"""N-gram places worked on together: what a core keeps in its own cache."""


def engine() -> str:
    """Return the name and version of the model: part of the fingerprint of every step that uses it."""
    return f"py3langid {importlib.metadata.version('py3langid')}"


def identify(texts: pl.Series, languages: tuple[str, ...] = EU24) -> pl.DataFrame:
    """Return ``language`` (ISO 639-1, null where a text has no letter) and ``confidence`` (Float64, 0 to 1, three decimals).

    The answer is one of ``languages``: a text in another language is given the nearest of them. Of a text longer than three
    windows two are read first; if both say the same, and surely, that is the answer, otherwise the whole head is read.
    Each distinct text is worked on once.
    """
    heads = texts.str.slice(0, HEAD)
    distinct = heads.unique().drop_nulls()
    distinct = distinct.filter(distinct.str.contains(r"\p{L}"))
    best, confidence = _classify(distinct, languages)
    names = pl.Series(languages, dtype=pl.String).gather(pl.Series(best, dtype=pl.UInt32))
    known = pl.DataFrame({"text": distinct, "language": names, "confidence": pl.Series(confidence, dtype=pl.Float64)})
    found = heads.to_frame("text").join(known, on="text", how="left", maintain_order="left")
    return found.select("language", pl.col("confidence").fill_null(0.0))


def _prepared(texts: pl.Series) -> pl.Series:
    """As the model was trained: NFC, and text in capitals lowered."""
    lower_case = texts.str.contains("[a-zß-öø-ÿα-ωа-я]")  # none of these is in a text of capitals

    def lowered(rows: pl.Series) -> pl.Series:
        text, lower = pl.col("t"), pl.col("t").str.to_lowercase()
        shouted = (text == text.str.to_uppercase()) & (text != lower)
        return rows.to_frame("t").select(pl.when(shouted).then(lower).otherwise(text)).to_series()

    return nfc(where_needed(texts, ~lower_case, lowered)[0])[0]


@functools.cache
def _automaton() -> tuple[Array, Array, Array, Array, Array, tuple[str, ...]]:
    """Return (next state, row of state, feature of state or -1, weights as float16, priors · 2^16, labels).

    One state more than the automaton has stands for the place after the end of a text.
    """
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    model = LanguageIdentifier.from_model_file(MODEL_FILE)
    moves = np.asarray(model.tk_nextmove).astype(np.int32)  # a copy in large pages: twice as fast to walk
    rows = np.asarray(model.tk_row).astype(np.int32) << 8
    priors = np.rint(np.asarray(model.nb_pc, dtype=np.float64) * 2**16).astype(np.int64)
    features = np.append(np.asarray(model.tk_output), -1).astype(np.int32)
    return moves, rows, features, np.asarray(model.nb_ptc), priors, tuple(model.nb_classes)


@functools.lru_cache(maxsize=8)
def _tables(languages: tuple[str, ...]) -> tuple[Array, Array]:
    """Return the weights and priors of ``languages``, one column each; raise for one that the model does not know.

    What the languages have in common says nothing: weights are differences to the best of them. So a sum over the at most
    4,000 bytes of a head stays below 2^31 (4,000 · 177 · 2,615), and half the memory goes through the cache.
    """
    *_, weights, priors, labels = _automaton()
    if not languages:
        raise UsageError("no language to choose from", next="name at least one ISO 639-1 code")
    for language in languages:
        if language not in labels:
            raise NotFound.among("language", language, labels, where="language identification")
        if labels.count(language) > 1:
            raise UsageError(f"language {language!r} is written in several scripts, which is not supported yet")
    columns = [labels.index(language) for language in languages]
    chosen = np.rint(weights[:, columns].astype(np.float32) * 256).astype(np.int32)
    return np.ascontiguousarray(chosen - chosen.max(axis=1, keepdims=True)), priors[columns]


def _classify(texts: pl.Series, languages: tuple[str, ...]) -> tuple[Array, Array]:
    """Return the place of the best language and the confidence in it."""
    characters = texts.str.len_chars()
    windowed = characters > 3 * WINDOW
    best, confidence = np.zeros(len(texts), dtype=np.uint32), np.zeros(len(texts))
    open_ = ~windowed.to_numpy()
    if not open_.all():
        long, middles = texts.filter(windowed), characters.filter(windowed) // 2
        first = _scores(long.str.slice(0, WINDOW), languages)
        second = _scores(pl.select(pl.lit(long).str.slice(pl.lit(middles), WINDOW)).to_series(), languages)
        found, sure = _verdict(first[0] + second[0], first[1] + second[1], languages)
        agreed = (_verdict(*first, languages)[0] == _verdict(*second, languages)[0]) & (sure >= _SURE)
        rows = np.flatnonzero(~open_)
        best[rows], confidence[rows] = found, sure
        open_[rows[~agreed]] = True
    rows = np.flatnonzero(open_)
    best[rows], confidence[rows] = _verdict(*_scores(texts.gather(rows), languages), languages)
    return best, confidence


def _verdict(scores: Array, lengths: Array, languages: tuple[str, ...]) -> tuple[Array, Array]:
    """Return the best of each row of scores, and how sure that is: the temperature is √bytes, as py3langid calibrates it."""
    total = scores + _tables(languages)[1]
    scaled = (total - total.max(axis=1, keepdims=True)) / 2**16 / np.sqrt(np.maximum(lengths, 1))[:, None]
    return total.argmax(axis=1), np.round(1 / np.exp(scaled).sum(axis=1), 3)


def _scores(texts: pl.Series, languages: tuple[str, ...]) -> tuple[Array, Array]:
    """Return Σ log(1 + count) · weight over the n-grams of each text, times 2^16, and its bytes. Texts of like length run together."""
    data, offsets = text_buffers(_prepared(texts))
    lengths = np.diff(offsets)
    order = np.argsort(-lengths, kind="stable")
    scores = np.zeros((len(texts), len(languages)), dtype=np.int64)
    first = 0
    while first < len(order):
        rows = order[first : first + max(_CELLS // max(int(lengths[order[first]]), 256), 16)]
        scores[rows] = _scored(_walk(data, offsets[rows], lengths[rows]), _tables(languages)[0])
        first += len(rows)
    return scores, lengths


def _scored(features: Array, weights: Array) -> Array:
    """Return the scores of texts by the features met in them (one row each, -1 where none)."""
    from scipy.sparse import csr_array

    features.sort(axis=1)
    fresh = features >= 0
    fresh[:, 1:] &= features[:, 1:] != features[:, :-1]
    places = np.flatnonzero(fresh)
    width = features.shape[1]
    pointers = np.searchsorted(places, np.arange(len(features) + 1) * width)
    ends = np.empty_like(places)
    ends[:-1] = places[1:]
    filled = np.flatnonzero(np.diff(pointers))
    ends[pointers[filled + 1] - 1] = (filled + 1) * width  # the last run of a row goes to the end of the row
    counts = np.rint(np.log1p(np.arange(width + 1)) * 256).astype(np.int32)[ends - places]
    table = csr_array((counts, features.ravel()[places], pointers), shape=(len(features), len(weights)))
    return np.asarray(table @ weights)


def _walk(data: Array, starts: Array, lengths: Array) -> Array:
    """Run the automaton over all texts, byte by byte: the feature met at each byte, -1 where none. Shape (texts, longest); ``lengths`` descend."""
    moves, row_of, feature_of, *_ = _automaton()
    longest = int(lengths.max(initial=0))
    met = np.full((len(starts), longest | 1), len(feature_of) - 1, dtype=np.int32)  # an odd width spreads over the cache
    active = np.searchsorted(-lengths, -np.arange(longest), side="left")
    state, at = np.zeros(len(starts), dtype=np.int32), starts.copy()
    for place, count in enumerate(active.tolist()):
        state = moves[row_of[state[:count]] + data[at[:count]]]
        met[:count, place] = state
        at += 1
    return np.asarray(feature_of[met])
