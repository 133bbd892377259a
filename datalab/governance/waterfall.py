"""What became of the rows, step by step: figures of one event (``run.done``), so that in, out and left out always add up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from datalab.governance.evidence import Evidence
from datalab.governance.figures import Figure, Key, figure, over, total
from datalab.model.event import Event

INTAKE = "00 intake"
"""Label under which the engine counts records that could not be read."""
_IN = ("rows", "rows_in")
_MADE = ("rows", "generated")


@dataclass(frozen=True, slots=True)
class Loss:
    """Rows that a step left out for one reason. ``kind`` is dropped or quarantined."""

    kind: str
    reason: str
    rows: Figure


@dataclass(frozen=True, slots=True)
class Fall:
    """One line of the waterfall: a step, its rows in and out, what was left out and what it made (None where nothing)."""

    label: str
    service: str
    before: Figure
    after: Figure
    dropped: Figure | None
    quarantined: Figure | None
    losses: tuple[Loss, ...]
    made: Figure | None

    @property
    def largest(self) -> float:
        """The length of the whole line: rows in, and rows made."""
        return self.before.number + (self.made.number if self.made else 0)


def waterfall(evidence: Evidence) -> tuple[Fall, ...]:
    """Return the lines from the first record read to the rows released; empty while the run is not done."""
    done = evidence.last("run.done")
    if done is None:
        return ()
    rows = done.body["rows"]
    services = {step["label"]: step["service"] for step in evidence.steps}
    seen = dict.fromkeys((*rows["dropped"], *rows["quarantined"]))
    labels = [INTAKE, *services, *(label for label in seen if label != INTAKE and label not in services)]
    generating = labels_that_generate(evidence)
    falls: list[Fall] = []
    gone: list[Sequence[Key]] = []
    come: list[Sequence[Key]] = [_IN]
    for label in labels:
        before = total(done, come, gone)
        here = _losses(done, rows, label)
        gone += [("rows", loss.kind, label, loss.reason) for loss in here]
        made = figure(done, *_MADE) if label in generating else None
        if made is not None:
            come.append(_MADE)
        falls.append(
            Fall(
                label=label,
                service=services.get(label, "reading" if label == INTAKE else "engine"),
                before=before,
                after=total(done, come, gone),
                dropped=_sum(done, rows, "dropped", label),
                quarantined=_sum(done, rows, "quarantined", label),
                losses=here,
                made=made,
            )
        )
    return tuple(falls)


def labels_that_generate(evidence: Evidence) -> set[str]:
    """Return the label of the step that generates rows: the last one, where rows were generated at all."""
    return {evidence.steps[-1]["label"]} if evidence.synthetic and evidence.steps else set()


def counts(evidence: Evidence, label: str) -> dict[str, Figure]:
    """Return what a step counted (repairs, findings), over all stages it took part in."""
    places: dict[str, list[tuple[Event, Sequence[Key]]]] = {}
    for event in _stages(evidence):
        for name in event.body["counts"].get(label, {}):
            places.setdefault(name, []).append((event, ("counts", label, name)))
    return {name: over(found) for name, found in places.items()}


def split_order(evidence: Evidence, done: Event) -> list[tuple[str, int]]:
    """Return the splits with their rows in the pipeline's order (an event keeps them by name)."""
    rows = done.body["splits"]
    names = [*(name for name in evidence.pipeline.splits.shares if name in rows), *rows]
    return [(name, rows[name]) for name in dict.fromkeys(names)]


def _stages(evidence: Evidence) -> list[Event]:
    """The last event of each stage: a stage that was resumed is told of again."""
    return list({event.body["stage"]: event for event in evidence.of_type("stage.done")}.values())


def _losses(done: Event, rows: Mapping[str, Any], label: str) -> tuple[Loss, ...]:
    return tuple(
        Loss(kind, reason, figure(done, "rows", kind, label, reason))
        for kind in ("dropped", "quarantined")
        for reason in rows[kind].get(label, {})
    )


def _sum(done: Event, rows: Mapping[str, Any], kind: str, label: str) -> Figure | None:
    """All rows of one kind that a step left out; None where it left out none, because then no event speaks of them."""
    places: list[Sequence[Key]] = [("rows", kind, label, reason) for reason in rows[kind].get(label, {})]
    return total(done, places) if places else None
