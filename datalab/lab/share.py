"""One member's share of a prepared run: needs the run folder and nothing else, no network, no ledger."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from datalab.engine.crew import Crew
from datalab.engine.drive import execute
from datalab.engine.engines import Engine, workers_for
from datalab.engine.pool import usable_cores
from datalab.engine.signs import Lookout, Member, Sign
from datalab.lab.prepared import load_prepared
from datalab.lab.run import still_landed
from datalab.lab.watch import Face, ProgressWatcher
from datalab.model.pipeline import Pipeline
from datalab.model.settings import Settings

PATIENCE = 120.0
"""Seconds without a sign of life after which a member counts as gone: twice what an NFS client may hold an old view (acdirmax, 60 s)."""


@dataclass(frozen=True, slots=True)
class Share:
    """What a member did: parts worked, of them taken over from others, and found done by others or earlier."""

    member: Member
    plan: str
    worked: int
    taken_over: int
    found: int
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Return the ``--json`` form of ``datalab run NAME --shard I/N``."""
        return {
            "plan": self.plan,
            "shard": str(self.member),
            "worked": self.worked,
            "taken_over": self.taken_over,
            "found": self.found,
            "seconds": round(self.seconds, 3),
        }


def work_share(settings: Settings, pipeline: Pipeline, member: Member, face: Face, *, patience: float = PATIENCE) -> Share:
    """Work off one member's share of the prepared run of ``pipeline``; return when every part of every stage is done.

    Raises ``UsageError`` where nothing is prepared, ``RunFailed`` where a step is broken. The gate and the candidate are the
    business of `datalab.lab.prepared.finish_run`.
    """
    begun = load_prepared(settings, pipeline)
    plan, folder = begun.plan, begun.folder
    still_landed(begun.acquired)
    started = time.perf_counter()
    face.say(f"{pipeline.name}: shard {member} of {len(plan.stages)} stages")
    with (
        workers_for(plan, folder, settings, Engine()) as workers,
        Sign(folder, member, patience) as sign,
    ):
        lookout = Lookout(folder, patience)
        crew = Crew(workers, folder, sign, lookout, face.say, settings.workers or usable_cores())
        executed = execute(plan, folder, crew, ProgressWatcher(plan, face), member.owns)
    found = crew.seen + executed.resumed
    return Share(member, plan.id, crew.worked, crew.taken_over, found, time.perf_counter() - started)
