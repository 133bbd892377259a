"""Single kernels against the way they are first written: polars' own functions on every row, or a library's function row by row.

CPU seconds are taken inside the child around warm calls, on the same parts of the corpus; what starts once (interpreter, models) does not
count on either side. The row-wise ways see the first documents only: their speed per byte does not depend on how many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.compare import figure
from benchmarks.measure import Command, Pairs, run_pairs
from benchmarks.registry import Scale
from benchmarks.row import Goal, Row

if TYPE_CHECKING:
    import polars as pl

GOALS = (
    Goal("kernel-nfc", "Unicode NFC where a mask over the bytes says so, against NFC of every row", "higher", floor=3, goal=5),
    Goal("kernel-white-space", r"Runs of white space to one space, against \s+ on every row", "higher", floor=1.3, goal=1.8),
    Goal("kernel-language-id", "Language among 24, against the same model's own classify, text by text", "higher", floor=10, goal=20),
    Goal("kernel-signals", "Quality signals from bytes, against patterns counted by polars for a part of them", "higher", floor=1.5, goal=2),
    Goal("kernel-repetition", "Repeated paragraphs and word runs (Gopher, table A1) of all texts at once, against text by text", "higher", floor=8, goal=12),
    Goal("kernel-lines", "The line rules of C4 on bytes, against line by line", "higher", floor=2, goal=2.5),
    Goal("kernel-minhash", "Band keys and shingle sets of all texts at once, against sets of shingles text by text", "higher", floor=5, goal=10),
    Goal("kernel-distinct", "Text in one form on distinct values, against all rows of a column of repeats", "higher", floor=1.3, goal=2),
)  # fmt: skip
_FIRST = 200
"""Documents that the row-wise ways see."""


def measure(scale: Scale) -> Iterator[Row]:
    """Time all kernels of a side in one child, sides by turns."""
    from benchmarks.corpus import corpus
    from benchmarks.textchain import PACKAGES

    data = corpus(1 if scale.quick else 2)
    files = [str(path) for path in data.files]
    mine, other = (Command("benchmarks.engine.kernels:timed", {"files": files, "side": side}) for side in ("ours", "theirs"))
    pairs = run_pairs(mine, other, scale.pairs, scale.say)
    for goal in GOALS:
        ours, theirs = (_speeds(pairs, side, goal.name) for side in ("ours", "theirs"))
        yield figure(
            goal,
            ours=median(ours),
            theirs=median(theirs),
            ratio=median(a / b for a, b in zip(ours, theirs, strict=True)),
            unit="MB/s",
            data=data.as_data(),
            packages=PACKAGES,
        )


def _speeds(pairs: Pairs, side: str, name: str) -> list[float]:
    return [one.result[name] for one in getattr(pairs, side)]


def timed(files: list[str], side: str) -> dict[str, float]:
    """Return megabytes of text per CPU second, by kernel."""
    from time import process_time

    import polars as pl

    parts = [pl.read_parquet(path, columns=["text"]).get_column("text") for path in files]
    repeated = parts[0].head(_FIRST).str.slice(0, 120).gather([place % _FIRST for place in range(200_000)])
    found = {}
    for name, kernel in (_ours() if side == "ours" else _theirs()).items():
        columns = [repeated] if name == "kernel-distinct" else parts
        if side == "theirs" and name in _ROW_BY_ROW:
            columns = [parts[0].head(_FIRST)]
        kernel(columns[0].head(50))
        before = process_time()
        for column in columns:
            kernel(column)
        found[name] = sum(int(column.str.len_bytes().sum()) for column in columns) / 1e6 / (process_time() - before)
    return found


_ROW_BY_ROW = ("kernel-language-id", "kernel-minhash", "kernel-repetition", "kernel-lines")


def _ours() -> Mapping[str, Callable[[pl.Series], Any]]:
    from datalab.kernels import languageid, textsignals, unicode
    from datalab.kernels.repetition import repetition
    from datalab.kernels.shinglesets import shingle_sets
    from datalab.kernels.textlines import filter_lines
    from datalab.services.standardisation import Text

    step = Text("text")
    context: Any = None  # this step asks for nothing
    return {
        "kernel-nfc": unicode.nfc,
        "kernel-white-space": unicode.collapse_white_space,
        "kernel-language-id": languageid.identify,
        "kernel-signals": textsignals.signals,
        "kernel-repetition": repetition,
        "kernel-lines": filter_lines,
        "kernel-minhash": lambda text: shingle_sets(text, 12, 5),
        "kernel-distinct": lambda text: step.apply(text.to_frame("text"), context),
    }


def _theirs() -> Mapping[str, Callable[[pl.Series], Any]]:
    import numpy as np
    import polars as pl
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    from datalab.kernels import languageid, unicode

    model = LanguageIdentifier.from_model_file(MODEL_FILE)
    model.set_languages(list(languageid.EU24))
    factors = np.random.default_rng(1).integers(1, 2**61, size=(2, 60), dtype=np.uint64)

    def every_row(text: pl.Series) -> pl.Series:
        return unicode.collapse_white_space(unicode.nfc(unicode.remove_controls(text)[0])[0])[0]

    def patterns(text: pl.Series) -> pl.DataFrame:
        column, word = pl.col("text"), r"[^ \n\t\r]+"
        lines = column.str.split("\n").list.eval(pl.element().str.strip_chars().filter(pl.element().str.len_bytes() > 0))
        return text.to_frame("text").select(
            column.str.count_matches(word).alias("words"),
            column.str.count_matches(r"[^ \n\t\r]*\p{L}[^ \n\t\r]*").alias("alpha"),
            (column.str.len_chars() - column.str.count_matches(r"[ \n\t\r]")).alias("ink"),
            column.str.count_matches("#", literal=True).alias("hashes"),
            column.str.count_matches(r"(?m)^[ \t]*[-•*●▪]").alias("bullets"),
            column.str.count_matches(r"(?m)(?:\.\.\.|…)[ \t\r]*$").alias("trailing"),
            (1 - lines.list.n_unique() / lines.list.len()).alias("repeated"),
        )

    def shingles(text: pl.Series) -> None:
        from hashlib import blake2b

        for one in text.to_list():
            words = one.lower().split()
            grams = {" ".join(words[place : place + 5]).encode() for place in range(max(len(words) - 4, 1))}
            hashes = [int.from_bytes(blake2b(gram, digest_size=8).digest(), "little") for gram in grams]
            (np.array(hashes, dtype=np.uint64)[:, None] * factors[0] + factors[1]).min(axis=0)

    return {
        "kernel-nfc": lambda text: text.str.normalize("NFC"),
        "kernel-white-space": lambda text: text.str.replace_all(r"\s+", " ").str.strip_chars(" "),
        "kernel-language-id": lambda text: [model.classify(one) for one in text.str.slice(0, languageid.HEAD).to_list()],
        "kernel-signals": patterns,
        "kernel-repetition": _repetition,
        "kernel-lines": _lines,
        "kernel-minhash": shingles,
        "kernel-distinct": every_row,
    }


def _repetition(text: pl.Series) -> list[tuple[int, ...]]:
    """Count what repeats itself as the paper tells it: words, runs of them as tuples, a counter or a set for each length."""
    from collections import Counter

    def covered(places: list[int], words: list[str], n: int) -> int:
        return sum(len(words[place]) for place in {place + step for place in places for step in range(n)})

    found = []
    for one in text.to_list():
        words = one.split()
        facts = []
        for n in range(2, 11):
            runs = list(zip(*(words[step:] for step in range(n)), strict=False))
            if n < 5:
                top, count = Counter(runs).most_common(1)[0] if runs else ((), 0)
                facts.append(covered([place for place, run in enumerate(runs) if run == top], words, n) if count > 1 else 0)
            else:
                seen: set[tuple[str, ...]] = set()
                again = []
                for place, run in enumerate(runs):
                    if run in seen:
                        again.append(place)
                    seen.add(run)
                facts.append(covered(again, words, n))
        paragraphs = [part for part in one.split("\n\n") if part.strip()]
        found.append((*facts, len(paragraphs) - len(set(paragraphs))))
    return found


def _lines(text: pl.Series) -> list[str]:
    """Keep lines as C4 does: strip, ends, words, then phrases in lower case."""
    import re

    phrases = ("javascript", "terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
    found = []
    for one in text.to_list():
        kept = []
        for line in re.sub(r"\[\d*\]|\[edit\]|\[citation needed\]", "", one).split("\n"):
            words = line.split()
            line = line.strip()  # noqa: PLW2901
            if len(words) < 5 or not line.endswith((".", "?", "!", '"', "'", "”", "»")) or line.endswith("..."):
                continue
            lower = line.lower()
            if max(map(len, words)) <= 1000 and not any(phrase in lower for phrase in phrases):
                kept.append(line)
        found.append("\n".join(kept))
    return found
