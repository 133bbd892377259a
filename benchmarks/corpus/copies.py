"""More of the same corpus: copies with the words of every line in another order, so that no copy is near to another."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random

from benchmarks.corpus.build import CACHE, Corpus


def enlarged(data: Corpus, copies: int) -> Corpus:
    """Return ``data`` and ``copies`` - 1 variants of each of its files, kept in the cache.

    Equal lines are changed alike: what is near to each other within the corpus is so within a copy.
    """
    folder = CACHE / f"copies-{len(data.files)}-{copies}"
    if not folder.is_dir():
        unfinished = folder.with_suffix(".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        for number in range(1, copies):
            for path in data.files:
                _copy(path, unfinished / f"{number}-{path.name}", number)
        unfinished.rename(folder)
    return Corpus((*data.files, *sorted(folder.iterdir())), data.truth, data.rows * copies, data.bytes * copies)


def _copy(source: Path, target: Path, number: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    reader = pq.ParquetFile(source)
    with pq.ParquetWriter(target, reader.schema_arrow, compression="zstd") as writer:
        for group in range(reader.num_row_groups):
            table = reader.read_row_group(group)
            changed = {
                "id": [f"{number}-{one}" for one in table["id"].to_pylist()],
                "text": ["\n".join(_lines(text, number)) for text in table["text"].to_pylist()],
            }
            for name, values in changed.items():
                place = table.schema.get_field_index(name)
                table = table.set_column(place, table.schema.field(place), pa.array(values, table.schema.field(place).type))
            writer.write_table(table)


def _lines(text: str, number: int) -> Iterator[str]:
    for line in text.split("\n"):
        words = line.split(" ")
        Random(f"{number} {line}").shuffle(words)
        yield " ".join(words)
