"""Which engine works a plan off: the local pool, or Beam on a runner that was proven to hold what is relied on.

The result does not depend on it (law 2): every engine is handed the same tasks and leaves the same receipts.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from datalab.engine.drive import Workers
from datalab.engine.folder import RunFolder
from datalab.engine.plan import Plan
from datalab.engine.pool import Pool
from datalab.errors import NotFound, UsageError
from datalab.model.settings import Settings

LOCAL, BEAM = "local", "beam"


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine by name. ``runner`` and ``options`` are for Beam: see `datalab.engine.beam.runners`."""

    name: str = LOCAL
    runner: str = ""
    options: Mapping[str, str] = field(default_factory=dict)


def chosen(settings: Settings, name: str = "", runner: str = "", options: Mapping[str, str] | None = None) -> Engine:
    """Return the engine that was asked for; what was left open comes from the settings. Raise ``UsageError`` when it cannot be had."""
    engine = name or (BEAM if runner else settings.engine)
    if engine not in (LOCAL, BEAM):
        raise NotFound.among("engine", engine, (LOCAL, BEAM), where="--engine, or [engine] kind in datalab.toml")
    if engine == LOCAL:
        if runner or options:
            raise UsageError(
                "the local engine has no runners", next="add --engine beam, or leave --runner and --runner-option out"
            )
        return Engine()
    from datalab.engine.beam.runners import find_runner

    same = not runner or runner == settings.runner
    known = find_runner(runner or settings.runner)
    merged = {**(settings.runner_options if same else {}), **(options or {})}
    known.check(merged)
    return Engine(BEAM, known.name, merged)


def workers_for(plan: Plan, folder: RunFolder, settings: Settings, engine: Engine) -> AbstractContextManager[Workers]:
    """Return the workers of ``engine`` for one plan. Leaving the context ends them."""
    if engine.name == BEAM:
        from datalab.engine.beam import BeamWorkers

        return BeamWorkers(plan, folder, settings, runner=engine.runner, options=engine.options)
    return Pool(
        plan,
        folder,
        workers=settings.workers,
        memory_mb=settings.worker_memory_mb,
        attempts=settings.attempts,
        part_seconds=settings.part_seconds,
    )
