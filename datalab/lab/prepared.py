"""A prepared run: acquired and planned where there is a network and a ledger, to be worked off where there is neither."""

from __future__ import annotations

import json
import pickle
import platform
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from datalab.engine.engines import Engine
from datalab.engine.folder import RunFolder, writing
from datalab.engine.intake import take_in_references
from datalab.errors import UsageError
from datalab.lab.acquire import Acquired
from datalab.lab.lab import Lab
from datalab.lab.run import Begun, alone, begin, carry_on, conclude, known, start, work
from datalab.lab.watch import Face
from datalab.model.pipeline import Pipeline
from datalab.model.settings import Settings
from datalab.model.summary import RunSummary

_ACQUIRED = "acquired.pickle"


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a prepared run keeps beside its plan. ``at``: seconds since the epoch."""

    acquired: Acquired
    after: int
    at: float
    libraries: dict[str, str]


def prepare_run(lab: Lab, pipeline: Pipeline, face: Face) -> Begun:
    """Acquire and plan ``pipeline``, and keep both in the run folder for `load_prepared`; raise as `datalab.lab.run.begin` does."""
    begun = begin(lab, pipeline, face)
    with alone(begun, face):
        start(lab, begun)
        take_in_references(begun.plan, begun.folder)
        begun.folder.write(_ACQUIRED, pickle.dumps(_Kept(begun.acquired, begun.after, time.time(), _libraries()), protocol=5))
    with writing(_pointer(lab.home, pipeline.name)) as temporary:
        temporary.write_text(json.dumps({"plan": begun.plan.id, "fingerprint": pipeline.fingerprint}), encoding="utf-8")
    return begun


def load_prepared(settings: Settings, pipeline: Pipeline) -> Begun:
    """Load what was prepared for ``pipeline`` as it is now; raise ``UsageError`` where that is nothing, or something else."""
    home = settings.path(settings.home)
    try:
        pointer = json.loads(_pointer(home, pipeline.name).read_bytes())
        folder = RunFolder(home / "runs" / pointer["plan"])
        kept: _Kept = pickle.loads(folder.path(_ACQUIRED).read_bytes())  # noqa: S301 - our own file in a 0700 folder
        plan = folder.load_plan()
    except FileNotFoundError:
        raise _anew(pipeline, "no prepared run is there") from None
    if pointer["fingerprint"] != pipeline.fingerprint:
        raise _anew(pipeline, "the pipeline was changed since it was prepared")
    for name, wanted in kept.libraries.items():
        if (here := _libraries()[name]) != wanted:
            raise UsageError(
                f"the run was prepared with {name} {wanted}, here is {here}: the results would differ",
                where=f"pipeline {pipeline.name} on {platform.node()}",
                next="use the same environment on all machines, or prepare the run again with this one",
            )
    return Begun(kept.acquired, plan, folder, kept.after, time.perf_counter() - max(0.0, time.time() - kept.at))


def finish_run(lab: Lab, pipeline: Pipeline, face: Face, engine: Engine | None = None) -> RunSummary:
    """Work off what is still missing of a prepared run, tell the ledger in the order of stages and parts, judge, write the candidate.

    Raises as `datalab.lab.run.run_pipeline` does. It needs no network.
    """
    begun = load_prepared(lab.settings, pipeline)
    if not any(lab.ledger.events(subject=begun.plan.id, type="plan.made")):
        raise UsageError(
            "this ledger does not know the prepared run: it is not the one that was open when it was prepared",
            where=f"pipeline {pipeline.name} on {platform.node()}",
            next="finish on the machine where it was prepared, or let [ledger] url lead to the same ledger",
        )
    with alone(begun, face):
        standing = known(lab, begun)
        if standing:
            return standing
        executed = carry_on(lab, begun, face, engine) if _open(lab, begun) else work(lab, begun, face, engine)
        return conclude(lab, begun, executed, face)


def _open(lab: Lab, begun: Begun) -> bool:
    """Whether the start that the preparation told the ledger still waits for its end."""
    told = [event.type for event in lab.ledger.events(subject=begun.plan.id, after=begun.after)]
    return "run.started" in told and "gate.decided" not in told


def _pointer(home: Path, name: str) -> Path:
    return home / "prepared" / f"{name}.json"


def _libraries() -> dict[str, str]:
    return {"Python": ".".join(platform.python_version_tuple()[:2]), **{name: version(name) for name in ("polars", "pyarrow")}}


def _anew(pipeline: Pipeline, what: str) -> UsageError:
    return UsageError(what, where=f"pipeline {pipeline.name}", next=f"prepare it: datalab run {pipeline.name} --prepare")
