"""Two labs that write to one ledger never continue from the same event."""

from __future__ import annotations

import subprocess
import sys

from datalab.governance.ledger import SqliteLedger
from tests.unit.cli.conftest import environment

WRITER = """
import sys
from pathlib import Path
from datalab.governance.ledger import Entry, SqliteLedger
with SqliteLedger(Path(sys.argv[1])) as ledger:
    for number in range(60):
        ledger.append([Entry("test.one", sys.argv[2], "race", {"number": number}), Entry("test.two", sys.argv[2], "race", {})])
"""


def test_three_writers_at_once_make_one_whole_chain(tmp_path):
    path = tmp_path / "ledger.sqlite"
    names = ("Ada", "Bea", "Cem")
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), name], env=environment()) for name in names]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0]
    with SqliteLedger(path) as ledger:
        assert ledger.verify().sequence == 360
        events = list(ledger.events())
    for name in names:
        mine = [event for event in events if event.actor == name]
        assert [event.body["number"] for event in mine if event.type == "test.one"] == list(range(60))
    pairs = list(zip(events[::2], events[1::2], strict=True))
    assert all(one.actor == two.actor and two.type == "test.two" for one, two in pairs), "a batch stays together"
