"""A small lab in a folder: settings, one pipeline file, a CSV under attestation, and a suite."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from datalab.model.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parents[3]
PIPELINE = """
from __future__ import annotations

from datalab import Pipeline, Purpose, Release, Source, clean, enrich

{variable} = Pipeline(
    name="{name}",
    title="People of towns",
    owner="steward@example.org",
    purpose=Purpose("https://w3id.org/dpv#ResearchAndDevelopment", "try the orchestration"),
    legal_basis="eu-gdpr:A6-1-e",
    source=Source(dataset="people.csv", attestation={attestation!r}),
    steps=[
        clean.Required("town", why="a person without a town is of no use here"),
        clean.DuplicatesByKey("id"),
        enrich.TextStatistics("note"),
        clean.Required("note"),
    ],
    expectations="people",
    release=Release(licence="CC0-1.0", description="People", rows_per_shard=50),
    part_rows=40,
    quarantine_limit=0.1,
)
"""


def expectation(kind: str, severity: str = "critical", **kwargs: object) -> dict[str, object]:
    return {"type": kind, "kwargs": kwargs, "severity": severity}


SOUND = [
    expectation("expect_column_values_to_be_unique", column="id"),
    expectation("expect_column_values_to_not_be_null", column="town"),
    expectation("expect_column_values_to_be_in_set", "warning", column="town", value_set=["Bonn", "Gent"]),
]


@dataclass
class House:
    """A lab in a temporary folder, and the few acts that the tests need."""

    root: Path

    @property
    def settings(self) -> Settings:
        return load_settings(self.root / "datalab.toml")

    def people(self, count: int = 120) -> None:
        """Write ``count`` people; every 20th has no town, every 30th repeats the identifier before, one line is broken."""
        rows = ["id,town,note"]
        for n in range(count):
            town = "" if n % 20 == 0 else ("Bonn", "Gent", "Riga")[n % 3]
            rows.append(f"{n - 1 if n % 30 == 29 else n},{town},a short note of person {n}")
        (self.root / "people.csv").write_text("\n".join([*rows, "broken,line,with,far,too,many,cells"]) + "\n")

    def pipeline(self, name: str = "town-people", *, attestation: str = "made up for this test", suite=SOUND) -> None:
        variable = name.replace("-", "_")
        text = PIPELINE.format(name=name, variable=variable, attestation=attestation)
        (self.root / "pipelines" / f"{variable}.py").write_text(text)
        body = {"name": "people", "expectations": suite}
        (self.root / "expectations" / "people.json").write_text(json.dumps(body))

    def definitions(self):
        from datalab.orchestration.building import build_definitions

        return build_definitions(self.settings)

    def run(self, job: str = "town_people", *, instance=None, config=None, tags=None, selection=None):
        """Run a job in this process."""
        resolved = self.definitions().resolve_job_def(job)
        return resolved.execute_in_process(
            instance=instance, run_config=config, tags=tags, raise_on_error=False, asset_selection=selection
        )


def environment(**more: str) -> dict[str, str]:
    """Return the environment in which another process finds this repository."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "connectors")])
    return {**os.environ, "PYTHONPATH": path, "NO_COLOR": "1", **more}


def make_house(root: Path) -> House:
    for folder in ("pipelines", "expectations"):
        (root / folder).mkdir()
    (root / "datalab.toml").write_text('[lab]\nname = "Test lab"\nterritory = "DE"\n\n[engine]\nworkers = 1\n')
    house = House(root)
    house.people()
    house.pipeline()
    return house
