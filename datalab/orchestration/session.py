"""One Dagster run's hold on the lab: opened on first use, told what was acquired and worked off, closed with the run."""

from __future__ import annotations

import dataclasses
import getpass
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import dagster as dg

from datalab.engine.drive import Executed
from datalab.errors import DatalabError, UsageError
from datalab.lab.lab import Lab, open_lab
from datalab.lab.run import Begun, alone, begin, conclude, known, work
from datalab.model.pipeline import Pipeline
from datalab.model.settings import Settings
from datalab.model.summary import RunSummary
from datalab.orchestration.simpl import BusinessLog, number, word

T = TypeVar("T")
REQUESTED_BY_TAG = "datalab/requested_by"
_USER_TAGS = (REQUESTED_BY_TAG, "dagster/user", "user")
_SECONDS_BETWEEN = 3.0


@dataclass(slots=True)
class RunLog:
    """The face of a Dagster run: sentences at once, progress every few seconds, as counts and never a value (`datalab.lab.watch.Face`)."""

    log: Any
    _told: float = field(default_factory=time.monotonic)

    def say(self, what: str) -> None:
        """Log a sentence."""
        self.log.info(what)

    def progress(self, what: str, done: int, total: int | None, note: str = "") -> None:
        """Log how far something is, now and then."""
        if time.monotonic() - self._told >= _SECONDS_BETWEEN:
            self._told = time.monotonic()
            self.log.info("%s: %s of %s%s", what, done, "?" if total is None else total, f" ({note})" if note else "")


def spelled_out(function: Callable[..., T]) -> Callable[..., T]:
    """Replace the annotations, which are text here, by what they name: Dagster looks at them."""
    function.__annotations__ = get_type_hints(function)
    return function


def session_of(context: dg.OpExecutionContext | dg.AssetExecutionContext) -> Session:
    """Return the run's session, speaking into the log of the operation that asks."""
    session: Session = context.resources.lab
    session.face.log = context.log
    return session


@dataclass(slots=True)
class Session:
    """The acts of `datalab.lab.run`, shared by the operations of one Dagster run.

    In one process the operations see what the earlier ones acquired and made. An operation that finds nothing (it was
    materialised alone, or re-executed after a failure) begins anew: landed objects, agreements and receipts are reused.
    """

    settings: Settings
    actor: str
    face: RunLog
    business: BusinessLog
    _stack: ExitStack = field(default_factory=ExitStack)
    _lab: Lab | None = None
    _begun: dict[str, Begun] = field(default_factory=dict)
    _executed: dict[str, Executed] = field(default_factory=dict)

    @property
    def lab(self) -> Lab:
        """The lab, opened once."""
        if self._lab is None:
            self._lab = self._stack.enter_context(open_lab(self.settings, actor=self.actor))
        return self._lab

    def begin(self, pipeline: Pipeline, *, anew: bool = False) -> Begun:
        """Acquire and plan, unless an earlier operation of this run did."""
        if anew or pipeline.name not in self._begun:
            self._begun[pipeline.name] = begin(self.lab, pipeline, self.face)
            self._executed.pop(pipeline.name, None)
        return self._begun[pipeline.name]

    def work(self, pipeline: Pipeline) -> bool:
        """Work the stages off; return False where an earlier run of the same plan still stands and nothing was to be done."""
        begun = self.begin(pipeline)
        with alone(begun, self.face):
            if known(self.lab, begun):
                self.face.say(f"{pipeline.name}: unchanged, nothing to redo")
                return False
            self._executed[pipeline.name] = work(self.lab, begun, self.face)
        return True

    def conclude(self, pipeline: Pipeline) -> RunSummary:
        """Judge and write the candidate, or find it; raise ``GateFailed`` where the gate withholds it."""
        begun = self.begin(pipeline)
        with alone(begun, self.face):
            found = known(self.lab, begun)
            if found:
                return found
            executed = self._executed.get(pipeline.name) or work(self.lab, begun, self.face)
            return conclude(self.lab, begun, executed, self.face)

    def standing(self, pipeline: Pipeline) -> RunSummary:
        """Return what stands of the pipeline as it is now; raise ``UsageError`` where there is nothing to report on."""
        found = known(self.lab, self.begin(pipeline))
        if found is None:
            raise UsageError(
                "there is no candidate or release of this pipeline as it is now",
                where=pipeline.name,
                next=f"materialise {pipeline.name}/candidate first, or run the whole job",
            )
        return found

    def close(self) -> None:
        """Close the lab."""
        self._stack.close()


def lab_resource(settings: Settings) -> dg.ResourceDefinition:
    """Return the resource ``lab`` of the pipelines found through ``settings``."""

    @dg.resource(
        description="The Data Lab: its settings, ledger, landing folder and connectors.",
        config_schema={
            "requested_by": dg.Field(
                str,
                default_value="",
                description=f"Who asks for the run; it goes to the ledger. Without it: the run tag {REQUESTED_BY_TAG}, or the user.",
            ),
            "workers": dg.Field(
                dg.Any,
                is_required=False,
                description="Worker processes (a whole number, also as text); without it as datalab.toml says.",
            ),
            "business_log": dg.Field(
                str,
                default_value="",
                description="Folder of the business logs (simpl_run_<run id>.json); without it logs in the lab's home.",
            ),
        },
    )
    def lab(context: dg.InitResourceContext) -> Iterator[Session]:
        try:
            session = _session(context, settings)
        except DatalabError as error:
            raise dg.Failure(str(error), allow_retries=False) from None
        try:
            yield session
        finally:
            session.close()

    return lab


def _session(context: dg.InitResourceContext, settings: Settings) -> Session:
    """Return the session that a run's tags and configuration ask for; raise ``UsageError`` for a variable without a value."""
    tags, config = context.run.tags if context.run else {}, context.resource_config
    named = word(config["requested_by"], "requested_by")
    who = named or next((tags[tag] for tag in _USER_TAGS if tags.get(tag)), "") or getpass.getuser()
    workers = number(config.get("workers"), "workers", settings.workers)
    folder = Path(word(config["business_log"], "business_log") or settings.path(settings.home) / "logs")
    business = BusinessLog(settings.path(folder), context.run.run_id if context.run else "none", settings.participant)
    return Session(dataclasses.replace(settings, workers=workers), f"dagster:{who}", RunLog(context.log), business)
