from __future__ import annotations

import os
import re
import subprocess
import sys

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


def test_neither_a_run_nor_its_worker_loads_what_it_does_not_need(files):
    code = f"from benchmarks import textchain\nif __name__ == '__main__': print(textchain.run({files!r})['kept'])"
    env = {**os.environ, "PYTHONPROFILEIMPORTTIME": "1"}  # inherited by the worker
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    loaded = re.findall(r"^import time:.*\| +([\w.]+)$", done.stderr, re.MULTILINE)
    assert int(done.stdout) == 39
    assert loaded.count("polars") == 2  # the run's process and its worker are both seen
    assert {"pandas", "sklearn", "great_expectations", "presidio_analyzer", "sdv", "dagster", "apache_beam"} & {
        *loaded
    } == set()
