"""From messages to documents to Parquet files, seeded and pinned."""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.corpus import faults
from benchmarks.corpus.messages import fetch, messages
from benchmarks.measure import Unable
from benchmarks.workplace import CACHE

FILES, ROWS_PER_GROUP = 6, 2_000
DIGEST = "c8949e3777aa17431dc3b0dcb716777cf3dfce3fdfc62c4dcc88772909619011"
"""SHA-256 over ids and texts of all rows, in order."""
_ARRANGEMENTS = 2
"""How often a message is used, each time in other company: the catalogues alone hold half of the size wanted."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """Parquet files with ``id``, ``text``, ``url``, ``language`` and ``package``, and what was planted in them."""

    files: tuple[Path, ...]
    truth: Path
    rows: int
    bytes: int
    """UTF-8 bytes of the texts."""

    def as_data(self) -> dict[str, Any]:
        """Return what a row of the results says about its data."""
        return {"rows": self.rows, "bytes": self.bytes, "what": "documents of 1 to 4 kB in 24 languages, Parquet (zstd)"}


def corpus(files: int = FILES) -> Corpus:
    """Return the first ``files`` files of the corpus, made first if they are not there."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        index = CACHE / f"corpus-{DIGEST[:12]}" / "index.json"
        if not index.is_file():
            _build(index.parent)
    known = json.loads(index.read_text(encoding="utf-8"))
    chosen = known["files"][:files]
    return Corpus(
        files=tuple(index.parent / "documents" / one["name"] for one in chosen),
        truth=index.parent / "truth.parquet",
        rows=sum(one["rows"] for one in chosen),
        bytes=sum(one["bytes"] for one in chosen),
    )


def _build(folder: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    wheels = CACHE / "wheels"
    wheels.mkdir(exist_ok=True)
    rows, truth = planted(documents(messages(fetch(wheels))))
    found = hashlib.sha256()
    for row in rows:
        found.update(f"{row['id']}\0{row['text']}\0".encode())
    if found.hexdigest() != DIGEST:
        raise Unable(f"the corpus came out different: its digest is {found.hexdigest()}")
    (folder / "documents").mkdir(parents=True, exist_ok=True)
    size = -(-len(rows) // FILES)
    index = []
    for number in range(FILES):
        piece = rows[number * size : (number + 1) * size]
        name = f"documents-{number}.parquet"
        path = folder / "documents" / name
        pq.write_table(pa.Table.from_pylist(piece), path, compression="zstd", row_group_size=ROWS_PER_GROUP)
        index.append({"name": name, "rows": len(piece), "bytes": sum(len(row["text"].encode()) for row in piece)})
    pq.write_table(pa.Table.from_pylist(truth), folder / "truth.parquet")
    (folder / "index.json").write_text(json.dumps({"files": index}), encoding="utf-8")


def documents(texts: dict[str, list[tuple[str, str]]]) -> Iterator[dict[str, str]]:
    """Yield documents of 1 to 4 kB: messages of one language and package, joined as paragraphs."""
    for arrangement in range(_ARRANGEMENTS):
        for language, found in texts.items():
            rng = Random(f"documents {language} {arrangement}")
            order = sorted(range(len(found)), key=lambda place: (found[place][0], rng.random()))
            pieces: list[str] = []
            wanted, number = rng.randrange(1_000, 4_000), 0
            for here, place in enumerate(order):
                package, text = found[place]
                pieces.append(text)
                ends = here + 1 == len(order) or found[order[here + 1]][0] != package
                if ends or sum(len(piece.encode()) + 1 for piece in pieces) >= wanted:
                    identifier = f"{language}-{arrangement}-{number:05d}"
                    joined = "\n".join(" ".join(pieces[at : at + 3]) for at in range(0, len(pieces), 3))
                    url = f"https://{package.replace('_', '-')}.example.org/{identifier}"
                    yield {"id": identifier, "text": joined, "url": url, "language": language, "package": package}
                    pieces, number, wanted = [], number + 1, rng.randrange(1_000, 4_000)


def planted(rows: Iterator[dict[str, str]]) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Return the rows with all faults, shuffled, and the truth: id, kind, and the value or the id that is repeated."""
    rng = Random("planted")
    found, truth = [], []
    for row in rows:
        drawn, text = rng.random(), row["text"]
        if drawn < 0.03:
            text = faults.junk(rng)
            truth.append({"id": row["id"], "kind": "JUNK", "value": ""})
        elif drawn < 0.13:
            sentences = []
            for _ in range(rng.randrange(1, 4)):
                kind, value = faults.personal(rng)
                sentences.append(f"({value})")
                truth.append({"id": row["id"], "kind": kind, "value": value})
            text = f"{text} {' '.join(sentences)}"
        found.append({**row, "text": faults.dirty(rng, text) if rng.random() < 0.3 else text})
    copies = _copies(rng, found, truth)
    found += copies
    rng.shuffle(found)
    return found, truth


def _copies(rng: Random, rows: Sequence[dict[str, str]], truth: list[dict[str, str]]) -> list[dict[str, str]]:
    made = []
    for kind, change in (("EXACT", lambda text: text), ("NEAR", lambda text: faults.nearly(rng, text))):
        for place in rng.sample(range(len(rows)), len(rows) // 20):
            row = rows[place]
            copy = {**row, "id": f"{row['id']}-{kind.lower()}", "text": change(row["text"])}
            made.append(copy)
            truth.append({"id": copy["id"], "kind": kind, "value": row["id"]})
    return made
