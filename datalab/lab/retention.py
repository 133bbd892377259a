"""The end of the retention: remove what a run left and what was fetched for it; say what went, what stays, and why.

A run holds its working files, the objects it read from the landing folder, and its evidence. Its clock begins anew whenever it is run.
Where an agreement demands that the data be deleted, by a date or after use, the clock ends then, if that is sooner.
An object goes when no other run holds it, evidence when no candidate and no unexpired release asks for it: to verify, open and pull a
release that is still valid needs nothing that is removed here.
"""

from __future__ import annotations

import fcntl
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from datalab.engine.drive import NO_LOCKS, locked
from datalab.engine.folder import RunFolder
from datalab.engine.signs import crew_at_work
from datalab.errors import NotFound, UsageError
from datalab.lab.candidate import evidence_path, intact
from datalab.lab.clock import deletions, uses_ended
from datalab.lab.lab import Lab
from datalab.lab.locks import deciding
from datalab.lab.share import PATIENCE
from datalab.model.event import Event
from datalab.model.pipeline import RETENTION
from datalab.policy import Deletion
from datalab.policy.moments import interval, rfc3339

_DURATION = re.compile(r"P(?:(?P<years>[0-9]+)Y)?(?:(?P<months>[0-9]+)M)?(?:(?P<weeks>[0-9]+)W)?(?:(?P<days>[0-9]+)D)?")
_KEPT = frozenset({"lock", "plan.pickle", "done.json"})
"""Files of a run that hold no rows and no records of rows. Whatever else stands in its folder is removed."""


@dataclass(frozen=True, slots=True)
class Removed:
    """Something that was removed: ``what`` (working files, report, landing, evidence), its name, how many files and bytes."""

    what: str
    name: str
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Kept:
    """Something that was left in place, and why."""

    what: str
    name: str
    why: str


@dataclass(slots=True)
class Purged:
    """What one purge did. ``plan`` is "" for landed objects that no run holds."""

    plan: str
    removed: list[Removed] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        """Bytes removed."""
        return sum(item.bytes for item in self.removed)

    def as_json(self) -> dict[str, Any]:
        """Return the ``--json`` form; it is also the body of the event."""
        return {
            "plan": self.plan,
            "bytes": self.bytes,
            "removed": [{"what": i.what, "name": i.name, "files": i.files, "bytes": i.bytes} for i in self.removed],
            "kept": [{"what": item.what, "name": item.name, "why": item.why} for item in self.kept],
        }


@dataclass(frozen=True, slots=True)
class Due:
    """Something that must be gone by ``at``: ``what`` (run, landing, release, received), its name, why, and what to do about it."""

    what: str
    name: str
    at: datetime
    why: str
    next: str

    def as_json(self) -> dict[str, Any]:
        """Return the ``--json`` form."""
        return {"what": self.what, "name": self.name, "at": rfc3339(self.at), "why": self.why, "next": self.next}


@dataclass(frozen=True, slots=True)
class _Run:
    """What the ledger knows of a run: ``until`` is the end of its retention, ``objects`` the digests that it read."""

    plan: str
    pipeline: str
    until: datetime
    objects: frozenset[str]
    purged: bool
    why: str


def purge(lab: Lab, plan: str, *, actor: str, early: bool = False) -> Purged:
    """Remove the working files of a run whose retention is over (or ``early``), with the objects and evidence that only it holds."""
    runs = _runs(lab)
    if plan not in runs or not (lab.home / "runs" / plan).is_dir():
        raise NotFound("no such run", where=str(lab.home / "runs"), next="datalab runs lists them")
    run = runs[plan]
    if datetime.now(UTC) < run.until and not early:
        raise UsageError(
            f"the retention of this run lasts until {run.until:%Y-%m-%d}",
            where=f"run {plan}",
            next="add --early to remove it now",
        )
    done = Purged(plan)
    folder = RunFolder(lab.home / "runs" / plan)
    with locked(folder, lambda: None):  # never under a run that is at work
        if crew_at_work(folder, PATIENCE):  # shards hold no lock
            raise UsageError(
                "shards of this run are at work",
                where=f"run {plan}",
                next=f"wait for them or cancel their jobs (scancel); {PATIENCE:.0f} s after their last sign of life it can be removed",
            )
        for path in sorted(folder.root.iterdir()):
            if path.name not in _KEPT:
                done.removed.append(_remove(path, "report" if path.suffix == ".html" else "working files"))
        _purge_landing(lab, run.objects, _holders(lab, runs, without=plan), done)
        _purge_evidence(lab, run, done)
        body = {"early": early, "retention_until": f"{run.until:%Y-%m-%d}", **done.as_json()}
        lab.record("data.purged", plan, body, actor=actor)
    return done


def purge_landing(lab: Lab, *, actor: str, early: bool = False) -> Purged:
    """Remove landed objects that no run holds (they came for ``datalab plan``, or their runs were purged) once their clock is over."""
    done = Purged("")
    held = _holders(lab, _runs(lab), without="")
    until = _landed_until(lab)
    now = datetime.now(UTC)
    free = set()
    for digest, path in lab.landing.objects():
        end = until.get(digest) or datetime.fromtimestamp(path.stat().st_mtime, UTC) + duration(RETENTION)
        if now < end and not early and digest not in held:
            done.kept.append(Kept("landing", digest, f"its retention lasts until {end:%Y-%m-%d}; --early removes it now"))
        else:
            free.add(digest)
    _purge_landing(lab, frozenset(free), held, done)
    if done.removed:
        lab.record("data.purged", "landing", {"early": early, "retention_until": "", **done.as_json()}, actor=actor)
    return done


def purge_expired(lab: Lab, *, actor: str) -> list[Purged]:
    """Purge every run whose retention is over, then what lies in the landing folder for no run; what shards are at work on stays."""
    now = datetime.now(UTC)
    over = [run for run in _runs(lab).values() if run.until <= now and _left(lab, run)]
    done = []
    for run in over:
        if crew_at_work(RunFolder(lab.home / "runs" / run.plan), PATIENCE):
            done.append(Purged(run.plan, kept=[Kept("working files", run.plan, "shards of this run are at work")]))
        else:
            done.append(purge(lab, run.plan, actor=actor))
    return [*done, purge_landing(lab, actor=actor)]


def due(lab: Lab, within: timedelta = timedelta()) -> list[Due]:
    """Return what must be removed, now or ``within`` some time, soonest first: runs, fetched objects, and releases whose terms end.

    ``purge_expired`` removes runs and objects; candidates, releases, and what was received from other labs are left to a person.
    """
    runs = _runs(lab)
    found = [
        Due("run", run.plan, run.until, run.why, "datalab quarantine purge --all-expired")
        for run in runs.values()
        if _left(lab, run)
    ]
    held, until = _holders(lab, runs, without=""), _landed_until(lab)
    for digest, path in lab.landing.objects():
        if digest not in held:
            end = until.get(digest) or datetime.fromtimestamp(path.stat().st_mtime, UTC) + duration(RETENTION)
            found.append(Due("landing", digest, end, "no run holds it", "datalab quarantine purge --all-expired"))
    for name in lab.store.names():
        places = [
            *lab.store.candidate_folders(name),
            *(lab.store.release(name, version) for version in lab.store.versions(name)),
        ]
        for place in places:
            manifest = intact(place)
            bounds = interval(str(manifest.terms.get("valid_until", ""))) if manifest else None
            if bounds:
                found.append(Due("release", f"{name}/{place.name}", bounds[0], "its terms end", f"remove {place}"))
    found += _received(lab)
    return sorted((item for item in found if item.at <= datetime.now(UTC) + within), key=lambda item: (item.at, item.name))


def _received(lab: Lab) -> Iterator[Due]:
    """Yield the releases of other labs that stand where they were received and that terms want gone some day."""
    demands = deletions(lab)
    ends = {event.subject: str(event.body.get("valid_until", "")) for event in lab.ledger.events(type="agreement.concluded")}
    came = {str(event.body["target"]): event for event in lab.ledger.events(type="release.received")}
    for place, event in came.items():
        agreement = str(event.body["agreement"])
        demand, end = demands.get(agreement), interval(ends.get(agreement, ""))
        moments = [(demand.by, "its terms want it deleted")] if demand and demand.by else []
        moments += [(end[0], "its terms end")] if end else []
        if moments and Path(place).is_dir():
            yield Due("received", event.subject, *min(moments), f"remove {place}")


def duration(text: str) -> timedelta:
    """Read an ISO 8601 duration of years, months, weeks and days (a year is 365 days, a month 30)."""
    match = _DURATION.fullmatch(text)
    if not match or text == "P":
        raise UsageError(
            f"{text!r} is not an ISO 8601 duration in days, weeks, months or years", next="write for example P180D"
        )
    numbers = {unit: int(value or 0) for unit, value in match.groupdict().items()}
    return timedelta(days=numbers["years"] * 365 + numbers["months"] * 30 + numbers["weeks"] * 7 + numbers["days"])


def _runs(lab: Lab) -> dict[str, _Run]:
    """Return all runs by plan, each as its last start left it."""
    made = {event.subject: event for event in lab.ledger.events(type="plan.made")}
    purged = {event.subject: event.sequence for event in lab.ledger.events(type="data.purged")}
    by_agreement: dict[str, set[str]] = {}
    for event in lab.ledger.events(type="object.landed"):
        by_agreement.setdefault(str(event.body["agreement"]), set()).add(event.subject)
    demands, ended = deletions(lab), uses_ended(lab)
    found = {}
    for start in lab.ledger.events(type="run.started"):
        if start.subject in made:
            demanded = [demands[item] for item in start.body.get("agreements", ()) if item in demands]
            until, why = _first(_end(start, str(made[start.subject].body["retention"])), demanded, ended.get(start.subject))
            found[start.subject] = _Run(
                plan=start.subject,
                pipeline=str(start.body["pipeline"]),
                until=until,
                why=why,
                objects=_objects(start, by_agreement),
                purged=purged.get(start.subject, 0) > start.sequence,
            )
    return found


def _objects(start: Event, by_agreement: dict[str, set[str]]) -> frozenset[str]:
    if "objects" in start.body:
        return frozenset(start.body["objects"])
    return frozenset().union(*(by_agreement.get(item, ()) for item in start.body["agreements"]))


def _holders(lab: Lab, runs: dict[str, _Run], *, without: str) -> dict[str, str]:
    """Return why each landed object has to stay, by digest: a run inside its retention, or one that is at work."""
    now = datetime.now(UTC)
    held: dict[str, str] = {}
    for run in runs.values():
        if run.plan == without or run.purged:
            continue
        if now < run.until:
            why = f"run {run.plan} ({run.pipeline}) holds it until {run.until:%Y-%m-%d}"
        elif _at_work(lab, run.plan):
            why = f"run {run.plan} ({run.pipeline}) is at work on it"
        else:
            continue
        held.update(dict.fromkeys(run.objects, why))
    return held


def _at_work(lab: Lab, plan: str) -> bool:
    folder = RunFolder(lab.home / "runs" / plan)
    try:
        with folder.path("lock").open() as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
    return crew_at_work(folder, PATIENCE)


def _landed_until(lab: Lab) -> dict[str, datetime]:
    """Return the end of each landed object's own clock, which every acquisition begins anew, but never past a duty to delete."""
    demands = deletions(lab)
    found: dict[str, datetime] = {}
    for event in lab.ledger.events(type="object.landed"):
        demanded = [demands[item] for item in (str(event.body["agreement"]),) if item in demands]
        end, _ = _first(_end(event, str(event.body.get("retention", RETENTION))), demanded, None)
        found[event.subject] = max(end, found.get(event.subject, end))
    return found


def _purge_landing(lab: Lab, objects: frozenset[str], held: dict[str, str], done: Purged) -> None:
    for digest, path in list(lab.landing.objects()):
        if digest not in objects:
            continue
        if digest in held:
            done.kept.append(Kept("landing", digest, held[digest]))
        else:
            size = lab.landing.remove(path)
            done.removed.append(Removed("landing", digest, 1, size))


def _purge_evidence(lab: Lab, run: _Run, done: Purged) -> None:
    path = evidence_path(lab.home, run.plan)
    if not path.is_file():
        return
    if why := _asked_for(lab, run.plan):
        done.kept.append(Kept("evidence", path.name, why))
    else:
        done.removed.append(_remove(path, "evidence"))


def _asked_for(lab: Lab, plan: str) -> str:
    """Return which candidate or unexpired release of this run needs its evidence, "" where none does."""
    for name in lab.store.names():
        with deciding(lab, name):  # a candidate must not become a release between two looks
            places = [*lab.store.candidate_folders(name), *(lab.store.release(name, v) for v in lab.store.versions(name))]
            manifests = [manifest for place in places if (manifest := intact(place)) is not None]
        for manifest in manifests:
            if manifest.lineage["plan"] != plan:
                continue
            if not manifest.version:
                return f"the candidate of {name} waits for approval: approving it asks for this"
            end = interval(str(manifest.terms.get("valid_until", "")))
            if end is None or datetime.now(UTC) < end[1]:
                return f"{name}@{manifest.version} stands: pulling it and tracing its columns ask for this"
    return ""


def _left(lab: Lab, run: _Run) -> bool:
    """Whether something of a run is left to purge."""
    folder = lab.home / "runs" / run.plan
    return folder.is_dir() and (not run.purged or any(path.name not in _KEPT for path in folder.iterdir()))


def _remove(path: Path, what: str) -> Removed:
    files = list(_files(path))
    size = sum(item.stat().st_size for item in files)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
    return Removed(what, path.name, len(files), size)


def _files(path: Path) -> Iterator[Path]:
    yield from (item for item in (path.rglob("*") if path.is_dir() else [path]) if item.is_file())


def _end(event: Event, retention: str) -> datetime:
    return datetime.fromisoformat(event.at) + duration(retention)


def _first(retention: datetime, demanded: list[Deletion], ended: datetime | None) -> tuple[datetime, str]:
    """Return the earliest end of the lab's own retention and of what agreements demand, and which of them it is."""
    ends = [(retention, "the retention of the pipeline")]
    ends += [(item.by, "the terms demand deletion by then") for item in demanded if item.by]
    if ended is not None and any(item.after_use for item in demanded):
        ends.append((ended, "the terms demand deletion after use"))
    return min(ends, key=lambda end: end[0])
