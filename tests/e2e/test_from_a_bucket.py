"""From objects in a bucket to a candidate, with the commands that a steward types; no key is left behind anywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SETTINGS = """
[lab]
name = "Data Lab"
territory = "LU"
[connectors.measurements]
kind = "s3"
endpoint = "{url}"
bucket = "measurements"
prefix = "2026"
access_key = "env:STORE_ACCESS_KEY"
secret_key = "file:{key}"
attestation = "Measured by our own stations."
attested_by = "Ada Example, data steward"
personal_data = false
"""
PIPELINE = """
from datalab import Pipeline, Purpose, Release, Source, standardise

tides = Pipeline(
    name="tides",
    title="Tides",
    owner="Ada Example",
    purpose=Purpose("dpv:ScientificResearch", "learn the tides"),
    legal_basis="eu-gdpr:A6-1-e",
    source=Source(dataset="measurements:harbour", distribution="csv"),
    steps=[standardise.Types({"height": "decimal"})],
    release=Release(licence="CC-BY-4.0", description="Heights by the hour"),
)
"""


@pytest.mark.server
def test_a_pipeline_runs_on_a_bucket(s3server, tmp_path):
    folder = s3server.bucket("measurements") / "2026" / "harbour"
    folder.mkdir(parents=True)
    for name in ("a.csv", "b.csv"):
        (folder / name).write_text("hour,height\n1,3.2\n2,3.4\n")
    key, lab = tmp_path / "key", tmp_path / "lab"
    key.write_text(s3server.secret_key + "\n")
    (lab / "pipelines").mkdir(parents=True)
    (lab / "datalab.toml").write_text(SETTINGS.format(url=s3server.url, key=key))
    (lab / "pipelines" / "tides.py").write_text(PIPELINE)
    settings = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "connectors")])}
    settings["STORE_ACCESS_KEY"] = s3server.access_key

    def datalab(*words):
        command = [sys.executable, "-m", "datalab.cli", *words]
        return subprocess.run(command, cwd=lab, env=settings, capture_output=True, text=True, check=False)

    assert "measurements:harbour/a.csv" in datalab("discover", "a.csv", "--catalogue", "measurements").stdout
    done = datalab("run", "tides")
    assert done.returncode == 0, done.stderr
    assert "rows in                       4" in done.stdout
    assert "measurements:harbour, harbour/a.csv" in datalab("lineage", "tides", "--row", "train:0").stdout
    assert "nothing to redo" in datalab("run", "tides").stdout
    kept = [path for path in lab.rglob("*") if path.is_file() and s3server.secret_key.encode() in path.read_bytes()]
    assert kept == []
    settings["STORE_ACCESS_KEY"] = "AKNOBODYNOBODY"
    refused = datalab("run", "tides")
    assert refused.returncode == 4
    assert "refuses these keys" in refused.stderr
