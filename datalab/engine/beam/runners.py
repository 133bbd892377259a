"""Beam's runners: which were proven to hold what is relied on, and why the others are refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from datalab.errors import NotFound, UsageError

_OURS = {
    "runner": "--runner",
    "streaming": "nothing: a plan is a batch job",
    "environment_type": "nothing: workers come from datalab's own worker pool",
    "pickle_library": "nothing",
    "save_main_session": "nothing",
}
"""Beam options that are not the caller's to set, and what sets them."""


@dataclass(frozen=True, slots=True)
class Runner:
    """A proven runner. ``needs`` are the options it cannot do without; ``pool`` says whether it takes workers from a worker pool."""

    name: str
    beam: str
    what: str
    needs: tuple[str, ...] = ()
    pool: bool = True

    def check(self, options: Mapping[str, str]) -> None:
        """Raise ``UsageError`` for options that are missing or not the caller's to set."""
        for name in self.needs:
            if not options.get(name):
                raise UsageError(
                    f"the runner {self.name!r} needs the option {name!r}", next=f"add --runner-option {name}=HOST:PORT"
                )
        for name in options:
            if name in _OURS:
                raise UsageError(f"the runner option {name!r} is set by datalab", next=f"leave it out; instead: {_OURS[name]}")

    def arguments(self, options: Mapping[str, str], *, workers: int, pool: str) -> list[str]:
        """Return Beam's command line. ``workers`` is how many parts one machine works on at once, ``pool`` a worker pool's address."""
        given = dict(options)
        if self.pool:
            given = {"environment_config": pool, **given, "environment_type": "EXTERNAL"}
        if self.name == FNAPI.name:
            given = {"direct_running_mode": "multi_threading", "direct_num_workers": str(workers), **given}
        return [f"--runner={self.beam}", *(f"--{name}={value}" if value else f"--{name}" for name, value in given.items())]


FNAPI = Runner("fnapi", "FnApiRunner", "Beam's own runner in Python, on this machine, in worker processes", pool=False)
PORTABLE = Runner("portable", "PortableRunner", "a job server that speaks Beam's portable protocol", needs=("job_endpoint",))
FLINK = Runner("flink", "PortableRunner", "a Flink cluster behind Beam's Flink job server", needs=("job_endpoint",))
RUNNERS: Mapping[str, Runner] = {runner.name: runner for runner in (FNAPI, PORTABLE, FLINK)}

REFUSED: Mapping[str, str] = {
    "dask": "it corrupts pipelines without an error (Beam 2.77: tags get all elements, outputs of finish_bundle are lost, threads "
    "repeat elements)",
    "direct": "it changes its engine by what the pipeline holds and what it can download; say fnapi",
    "prism": "it keeps all data of a job in memory, needs a program that Beam downloads, and was not tried",
    "ray": "its adapter was left unfinished in 2023",
    "spark": "it was not tried, and Beam's Spark job server is for Spark 3",
    "dataflow": "it runs at one cloud provider only, on machines that do not share the lab's filesystem",
}
"""Runners that are refused, and why."""


def find_runner(name: str) -> Runner:
    """Return a proven runner by its name or Beam's (``flink``, ``FlinkRunner``); refuse the others with the reason."""
    short = name.lower().removesuffix("runner").strip("-_ ")
    if not short:
        raise UsageError(
            "Beam needs a runner", next=f"add --runner {_or(list(RUNNERS))}, or set runner in [engine] of datalab.toml"
        )
    if short in REFUSED:
        raise UsageError(
            f"the Beam runner {name!r} is refused: {REFUSED[short]}",
            next=f"use {_or(list(RUNNERS))}: those are proven (docs/how-to/beam-flink.md)",
        )
    if short not in RUNNERS:
        raise NotFound.among("Beam runner", name, RUNNERS)
    return RUNNERS[short]


def _or(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + " or " + names[-1]
