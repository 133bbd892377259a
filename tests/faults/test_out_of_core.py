"""Data larger than memory: a whole chain over more than 800 MB of Arrow data with workers that may use 700 MB, the parent no more.

A tenth of the rows are one and the same text, a third ask for one and the same entry of the reference: no worker may hold them all.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.unit.cli.conftest import environment

ROWS = int(os.environ.get("DATALAB_TEST_ROWS", "720_000"))
"""They are 827 MiB of Arrow data, as the test says with -s."""
LIMIT = 700
TABLES = """
import numpy as np, polars as pl, sys
from pathlib import Path

WORDS, VOCABULARY = 170, 60_000

def texts(numbers, vocabulary, words):
    flat = pl.Series(vocabulary).gather(words.reshape(-1))
    return flat.reshape((len(numbers), words.shape[1])).arr.join(" ")

def write(root, rows):
    vocabulary = [f"w{n:05d}" for n in range(VOCABULARY)]
    (root / "documents").mkdir()
    arrow = 0
    for start in range(0, rows, 50_000):
        number = np.arange(start, min(start + 50_000, rows))
        kind = number % 10
        origin = np.where(kind < 6, number, np.where(kind < 8, number - 6, np.where(kind == 8, number - 3, 5)))
        words = np.empty((len(number), WORDS), dtype=np.int64)
        for place in range(WORDS):  # a hash of (origin, place): the same text for the same origin
            mixed = (origin.astype(np.uint64) * np.uint64(1_000_003) + np.uint64(place)) * np.uint64(0x9E3779B97F4A7C15)
            mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
            words[:, place] = (mixed >> np.uint64(33)) % np.uint64(VOCABULARY)
        words[kind == 8, 80] = (words[kind == 8, 80] + 1) % VOCABULARY
        text = texts(number, vocabulary, words)
        spaced = pl.Series(kind == 7)
        frame = pl.DataFrame({"id": number, "text": text, "town": np.where(number % 3 == 0, 0, number % (2 * rows))})
        frame = frame.with_columns(pl.when(spaced).then(pl.col("text").str.replace(" ", "  ")).otherwise("text").alias("text"))
        frame = frame.with_columns(pl.format("town{}", "town").alias("town"))
        arrow += frame.estimated_size()
        frame.write_parquet(root / "documents" / f"{start:08d}.parquet", row_group_size=10_000)
    (root / "reference").mkdir()
    towns = np.arange(2 * rows)
    pl.DataFrame({"town": towns, "mayor": towns}).with_columns(
        pl.format("town{}", "town").alias("town"), pl.format("somebody {} of {}", "mayor", "mayor").alias("mayor")
    ).write_csv(root / "reference" / "towns.csv")
    print(arrow)

write(Path(sys.argv[1]), int(sys.argv[2]))
"""
PIPELINE = """
from datalab import Pipeline, Purpose, Release, Source, Splits, clean, enrich, standardise

large = Pipeline(
    name="large", title="Larger than memory", owner="steward@datalab.example",
    purpose=Purpose("https://w3id.org/dpv#ScientificResearch", "measure"), legal_basis="eu-gdpr:A6-1-e",
    source=Source(dataset="documents", attestation="Generated for this test."),
    references={"towns": Source(dataset="reference", attestation="Generated for this test.")},
    steps=[
        standardise.Text("text"), clean.Required("text"), clean.ExactDuplicates("text"), clean.NearDuplicates("text", keep="longest"),
        enrich.Join("towns", on="town", columns=["mayor"], missing="drop"), clean.Sample(share=1.0),
    ],
    splits=Splits(shares={"train": 0.9, "test": 0.1}, together="id"),
    release=Release(licence="CC0-1.0", description="Larger than memory", order="shuffled", bytes_per_shard=32_000_000),
)
"""
RUN = """
import sys
from datalab.cli.main import main
from datalab.engine.worker import peak_memory
try:
    main(["run", "large", "--json"])
finally:
    print(peak_memory(), file=sys.stderr)
"""


@pytest.mark.slow
def test_a_chain_over_data_larger_than_its_workers(tmp_path):
    made = subprocess.run([sys.executable, "-c", TABLES, str(tmp_path), str(ROWS)], capture_output=True, text=True, check=True)
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "large.py").write_text(PIPELINE)
    engine = f"[engine]\nworkers = 2\nworker_memory_mb = {LIMIT}\nreference_mb = 1\nattempts = 1\n"
    (tmp_path / "datalab.toml").write_text(f'[lab]\nactor = "Sam"\n{engine}')
    done = subprocess.run(
        [sys.executable, "-c", RUN], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    parent = int(done.stderr.splitlines()[-1])
    answer = json.loads(done.stdout)
    print(f"{int(made.stdout) >> 20} MiB of Arrow data, parent {parent >> 20} MiB, {answer['seconds']:.0f} s")  # noqa: T201
    assert answer["rows_in"] == ROWS
    assert {reason: count for reasons in answer["dropped"].values() for reason, count in reasons.items()} == {
        "exact-duplicate": 3 * ROWS // 10,
        "near-duplicate": ROWS // 10,
    }
    assert answer["rows_out"] == 6 * ROWS // 10
    assert answer["shards"] >= int(made.stdout) * 6 // 10 // 32_000_000
    assert parent < LIMIT << 20
