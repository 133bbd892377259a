"""A crew: several processes, on one machine or many, that work one plan off and meet only in its folder.

Each runs the whole plan, stage after stage. Of a stage's parts it works its own, and waits for the receipts of the others'. When the
owner of a part is gone, or never came, those that wait take its parts over. Nobody is in charge, and any member can be started
late, killed, or started again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from datalab.engine.drive import Workers
from datalab.engine.folder import RunFolder
from datalab.engine.signs import Lookout, Member, Sign
from datalab.engine.task import Task
from datalab.model.receipt import Receipt

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0
_SECONDS_BETWEEN = 30.0
"""How often it is said what is waited for."""


class Crew:
    """The `datalab.engine.drive.Workers` of one member: ``workers`` do its parts, and those it takes over.

    ``at_once`` is how many parts are taken over at a time, so that several that wait share what a lost one left.
    """

    def __init__(
        self, workers: Workers, folder: RunFolder, sign: Sign, lookout: Lookout, say: Callable[[str], None], at_once: int
    ) -> None:
        self._workers = workers
        self._folder = folder
        self._sign = sign
        self._member = sign.member
        self._lookout = lookout
        self._say = say
        self._at_once = max(1, at_once)
        self._lost: set[Member] = set()
        self.worked = self.taken_over = self.seen = 0

    def run(self, tasks: Sequence[Task]) -> Iterator[Receipt]:
        """Work off what is this member's, yield the others' receipts as they appear, take over what nobody works on."""
        pending = {task.part: task for task in tasks}
        for owner in {self._member.owner(part) for part in pending}:
            self._lookout.state(owner)  # patience counts from the first look
        own = [task for task in tasks if self._member.owns(task.part) and not self._elsewhere(task)]
        for receipt in self._workers.run(own):
            self.worked += 1
            del pending[receipt.part]
            yield receipt
        pause, told = _SHORTEST_PAUSE, time.monotonic()
        while pending:
            found = 0
            for receipt in self._appeared(pending):
                found += 1
                self.seen += 1
                yield receipt
            lost = list(islice(self._left_behind(pending), self._at_once))
            for receipt in self._workers.run(lost):
                self.worked += 1
                self.taken_over += 1
                del pending[receipt.part]
                yield receipt
            pause = _SHORTEST_PAUSE if found or lost else min(_LONGEST_PAUSE, pause * 1.5)
            if pending and time.monotonic() - told > _SECONDS_BETWEEN:
                told = time.monotonic()
                self._say(self._waiting_for(pending))
            if pending and not lost:
                time.sleep(pause)

    def _appeared(self, pending: dict[int, Task]) -> Iterator[Receipt]:
        """Yield the receipts that came since; of each owner's parts, in order, up to the first that is not there."""
        stage = next(iter(pending.values())).stage
        self._folder.look_anew(f"receipts/{stage:02d}")
        stuck: set[Member] = set()
        for part in list(pending):
            owner = self._member.owner(part)
            if owner in stuck:
                continue
            receipt = self._folder.others_receipt(stage, part)
            if receipt is None:
                if not self._lookout.gone(owner):  # the parts of one that is gone are done by others, in any order
                    stuck.add(owner)
                continue
            del pending[part]
            yield receipt

    def _left_behind(self, pending: dict[int, Task]) -> Iterator[Task]:
        """Yield tasks whose owner is gone, claimed for this member; members begin at different places."""
        tasks = list(pending.values())
        first = self._member.index * len(tasks) // self._member.count
        for task in [*tasks[first:], *tasks[:first]]:
            owner = self._member.owner(task.part)
            if owner != self._member and not self._lookout.gone(owner):
                continue
            if self._folder.others_receipt(task.stage, task.part):  # it came just before its owner went
                continue
            if self._lookout.may_take(self._sign, task.stage, task.part):
                if owner != self._member:
                    self._tell_loss(owner)
                yield task

    def _elsewhere(self, task: Task) -> bool:
        return self._lookout.taken(self._sign, task.stage, task.part)

    def _tell_loss(self, owner: Member) -> None:
        if owner not in self._lost:
            self._lost.add(owner)
            state = self._lookout.state(owner)
            why = f"has given no sign of life for {self._lookout.patience:.0f} s" if state == "silent" else f"is {state}"
            self._say(f"shard {owner} {why}: taking its parts over")

    def _waiting_for(self, pending: dict[int, Task]) -> str:
        counts: dict[Member, int] = {}
        for part in pending:
            owner = self._member.owner(part)
            counts[owner] = counts.get(owner, 0) + 1
        words = [f"{owner} ({count} parts, {self._lookout.state(owner)})" for owner, count in list(counts.items())[:4]]
        more = f" and {len(counts) - 4} more" if len(counts) > 4 else ""
        return f"waiting for shard {', '.join(words)}{more}"
