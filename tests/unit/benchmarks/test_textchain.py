from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import textchain, workplace
from benchmarks.engine.against_naive_polars import naive, ours


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Two small Parquet files: prose, an address, a repeated text, text that no rule lets pass."""
    monkeypatch.setattr(workplace, "CACHE", tmp_path)
    prose = "Der Katalog nennt {} Bücher, die man heute noch kaufen kann, und {} weitere, die vergriffen sind."
    texts = [" ".join(prose.format(n * k, n + k) for k in range(1, 9)) for n in range(1, 40)]
    texts[3] += " Schreiben Sie an\u00a0anna.b@haus.example.org oder 81.2.69.142."
    rows = [{"id": str(n), "text": text} for n, text in enumerate([*texts, texts[5], "zu kurz"])]
    paths = [str(tmp_path / f"{number}.parquet") for number in range(2)]
    for number, path in enumerate(paths):
        pq.write_table(pa.Table.from_pylist(rows[number::2]), path, row_group_size=8)
    return paths


def test_a_run_and_a_loop_over_the_same_steps_keep_the_same_rows(files):
    run, loop = textchain.run(files, check=True), textchain.loop(files, check=True)
    assert run["rows_in"] == loop["rows_in"] == 41
    assert run["dropped"] == {"too-few-words": 1, "near-duplicate": 1}
    assert run["content"] == loop["content"]


def test_our_steps_and_naive_polars_write_the_same_texts(files):
    one, other = ours(files, check=True), naive(files, check=True)
    assert one["kept"] == 40
    assert one == other
    assert any("<EMAIL> oder <IP>." in text for text in one["texts"])
