"""Every way to work a plan off, by name. A new engine is one more entry of `ENGINES`, and every law holds for it.

An engine is a function of a lab folder, the name of a pipeline and the lab's home; when it returns, a candidate stands there.
It works through processes of its own, as a user would call them; ``None`` from `missing` means that it can be tried here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.engines import clusters
from tests.unit.cli.conftest import Answer, process

Run = Callable[[Path, str, Path], None]


@dataclass(frozen=True, slots=True)
class Engine:
    """How a plan is worked off; ``missing`` says what this machine lacks for it, "" for nothing. ``cluster``: it needs servers."""

    run: Run
    missing: Callable[[], str] = lambda: ""
    cluster: bool = False


def good(answer: Answer) -> Answer:
    assert answer.code == 0, answer.err
    return answer


def datalab(folder: Path, home: Path, *arguments: object, **more: str) -> Answer:
    """Call the command line in the lab of ``home``; it must succeed."""
    return good(process(folder, *arguments, DATALAB_HOME=str(home), **more))


def local(workers: int) -> Engine:
    def run(folder: Path, name: str, home: Path) -> None:
        datalab(folder, home, "run", name, "--json", DATALAB_WORKERS=str(workers))

    return Engine(run)


def crew(count: int, *, one_after_the_other: bool = False) -> Engine:
    """The shards of a prepared run as processes of their own, at the same time or in turn; then the finish."""

    def run(folder: Path, name: str, home: Path) -> None:
        datalab(folder, home, "run", name, "--prepare")
        shards = [f"{index}/{count}" for index in range(count)]
        patience = "1" if one_after_the_other else "60"

        def work(shard: str) -> dict:
            more = {"DATALAB_WORKERS": "1"}
            return json.loads(
                datalab(folder, home, "run", name, "--shard", shard, "--patience", patience, "--json", **more).out
            )

        with ThreadPoolExecutor(1 if one_after_the_other else count) as together:
            answers = list(together.map(work, shards))
        taken = [answer["taken_over"] for answer in answers]
        assert bool(sum(taken)) == one_after_the_other, taken
        assert all(answer["worked"] for answer in answers[: 1 if one_after_the_other else count])
        datalab(folder, home, "run", name, "--finish")

    return Engine(run)


def beam(
    runner: str, more: Callable[[], Sequence[str]] = tuple, *, missing: Callable[[], str] = clusters.without_beam
) -> Engine:
    """Beam on one of its runners; ``more`` starts the servers it needs and returns the options that name them."""

    def run(folder: Path, name: str, home: Path) -> None:
        datalab(folder, home, "run", name, "--json", "--engine", "beam", "--runner", runner, *more(), DATALAB_WORKERS="2")

    return Engine(run, missing, cluster=True)


ENGINES: Mapping[str, Engine] = {
    "1-worker": local(1),
    "2-workers": local(2),
    "shards-at-once": crew(2),
    "shards-in-turn": crew(2, one_after_the_other=True),
    "beam-fnapi": beam("fnapi"),
    "beam-fnapi-multi-processing": beam("fnapi", lambda: clusters.options(direct_running_mode="multi_processing")),
    "beam-portable": beam("portable", clusters.portable_options),
    "beam-flink": beam("flink", clusters.flink_options, missing=clusters.without_flink),
}


def result(home: Path, name: str) -> tuple[str, dict, dict[str, bytes]]:
    """Return what a candidate says and holds: its digest, its account of the rows, the bytes of its data files."""
    [candidate] = (home / "candidates" / name).iterdir()
    manifest = json.loads((candidate / "manifest.json").read_bytes())
    data = {path.relative_to(candidate).as_posix(): path.read_bytes() for path in sorted(candidate.glob("data/*/*.parquet"))}
    return manifest["digest"], manifest["rows"], data
