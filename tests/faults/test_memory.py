"""Ten times the rows take no more than 1.1 times the memory, in the parent and in every worker."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.unit.cli.conftest import environment

SCRIPT = """
import json, sys
from pathlib import Path
from datalab import Pipeline, Purpose, Release, Source, Splits, clean, scrub, standardise
from datalab.engine.worker import peak_memory
from datalab.lab import open_lab, run_pipeline
from datalab.model.settings import load_settings

if __name__ == "__main__":
    root, rows = Path(sys.argv[1]), int(sys.argv[2])
    (root / "datalab.toml").write_text('[lab]\\nactor = "Sam"\\n[engine]\\nworkers = 2\\n[secrets]\\npseudonyms = "file:key"\\n')
    (root / "key").write_text("0123456789abcdef" * 2)
    with (root / "rows.csv").open("w") as stream:
        stream.write("id,name,city,value,note\\n")
        for start in range(0, rows, 10_000):
            stream.writelines(
                f"{n},name {n * 7919 % rows},{('Bonn', 'Gent', 'Riga')[n % 3]},{n % 1000},a note of some words about visit {n}\\n"
                for n in range(start, start + 10_000)
            )
    (root / "expectations").mkdir()
    (root / "expectations" / "all.json").write_text(json.dumps({"name": "all", "meta": {}, "expectations": [
        {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "id"}, "severity": "critical"},
        {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "city"}, "severity": "critical"}]}))
    made = Pipeline(
        name="many", title="Many rows", owner="steward@datalab.example",
        purpose=Purpose("https://w3id.org/dpv#ScientificResearch", "measure"), legal_basis="eu-gdpr:A6-1-e",
        source=Source(dataset="rows.csv", attestation="Generated for this measurement."),
        steps=[standardise.Types({"value": "integer"}), clean.Required("id"), clean.DuplicatesByKey("id"),
               scrub.Columns({"name": scrub.Pseudonym()})],
        splits=Splits(shares={"train": 0.5, "test": 0.5}, together="id"),
        expectations="all", release=Release(licence="CC0-1.0", description="Many rows"),
    )
    with open_lab(load_settings(root / "datalab.toml")) as lab:
        summary = run_pipeline(made, lab=lab)
        [done] = lab.ledger.events(type="run.done")
    print(json.dumps({"rows": summary.rows.kept, "parent": peak_memory(), "worker": done.body["peak_bytes"], "seconds": summary.seconds}))
"""


def measured(folder, rows):
    folder.mkdir()
    script = folder / "measure.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(script), str(folder), str(rows)], env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_ten_times_the_rows_take_the_same_memory(tmp_path):
    one, ten = measured(tmp_path / "one", 400_000), measured(tmp_path / "ten", 4_000_000)
    for who in ("worker", "parent"):
        print(who, f"{one[who] >> 20} MiB -> {ten[who] >> 20} MiB, ratio {ten[who] / one[who]:.3f}")  # noqa: T201 - with -s, the figures
    assert (one["rows"], ten["rows"]) == (400_000, 4_000_000)
    assert ten["worker"] <= 1.1 * one["worker"], (one, ten)
    assert ten["parent"] <= 1.1 * one["parent"], (one, ten)
