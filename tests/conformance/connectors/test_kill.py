"""Kill -9 of the provider in the middle of a negotiation: after its restart there is exactly one agreement."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import signal
import sqlite3
import threading
import time

import pytest
from datalab_connectors.sandbox import SandboxConnector, start, status, stop
from datalab_connectors.sandbox.__main__ import main
from datalab_connectors.sandbox.server import check_host

from datalab.errors import UsageError
from datalab.model.agreement import Intent
from datalab.policy import decide_acquisition
from datalab.ports.landing import Landing

RESEARCH = Intent("https://w3id.org/dpv#ScientificResearch", "count bicycles", territory="LU")
HOLDING = 'id="a"\ntitle="A"\ndescription="A"\nholder="H"\npersonal_data=false\n[[distribution]]\nid="csv"\nfile="a.csv"\nformat="csv"\nmedia_type="text/csv"\n'


@pytest.fixture
def space(tmp_path):
    folder = tmp_path / "holdings" / "a"
    folder.mkdir(parents=True)
    (folder / "holding.toml").write_text(HOLDING)
    (folder / "policy.json").write_text('{"permission":[{"action":"use"}]}')
    (folder / "a.csv").write_text("a\n1\n")
    state = tmp_path / "provider"
    yield state, [tmp_path / "holdings"]
    stop(state)


@pytest.mark.parametrize("delay", [0.0, 0.004, 0.008, 0.012, 0.02])
def test_exactly_one_agreement_after_a_kill(space, tmp_path, delay):
    state, holdings = space
    running = start(state, holdings=holdings)
    connector = SandboxConnector("space", {"url": running.url, "patience": 20}, tmp_path / "consumer")
    offer = connector.offer("a")
    decision = decide_acquisition(offer, RESEARCH, moment=dt.datetime.now(dt.UTC), actor="steward")
    reached: list[object] = []
    consumer = threading.Thread(target=lambda: reached.append(connector.negotiate(offer, RESEARCH, decision)))
    consumer.start()
    time.sleep(delay)
    os.kill(running.pid, signal.SIGKILL)
    restarted = start(state, holdings=holdings)
    consumer.join(timeout=25)

    assert restarted.url == running.url
    [agreement] = reached
    assert connector.negotiate(offer, RESEARCH, decision) == agreement
    with contextlib.closing(sqlite3.connect(state / "provider.sqlite")) as store:
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            rows = store.execute("SELECT state, subject FROM process WHERE kind = 'negotiation'").fetchall()
            if rows == [("FINALIZED", agreement.id)]:
                break
            time.sleep(0.05)
    assert rows == [("FINALIZED", agreement.id)]


def test_a_fetch_goes_on_where_a_killed_provider_left_it(space, tmp_path):
    state, holdings = space
    (holdings[0] / "a" / "a.csv").write_bytes(b"0123456789abcde\n" * 2_000_000)
    running = start(state, holdings=holdings)
    connector = SandboxConnector("space", {"url": running.url}, tmp_path / "consumer")
    offer = connector.offer("a")
    decision = decide_acquisition(offer, RESEARCH, moment=dt.datetime.now(dt.UTC), actor="steward")
    agreement = connector.negotiate(offer, RESEARCH, decision)
    seen: list[int] = []

    def kill_once(what, done, total):
        if not seen:
            os.kill(running.pid, signal.SIGKILL)
            start(state, holdings=holdings)
        seen.append(done)

    [found] = connector.fetch(agreement, offer, "csv", Landing(tmp_path / "landing"), decision, kill_once)

    assert found.bytes == 32_000_000
    assert found.sha256 == offer.distributions[0].sha256
    assert seen == sorted(seen)
    with contextlib.closing(sqlite3.connect(state / "provider.sqlite")) as store:
        assert store.execute("SELECT state FROM process WHERE kind = 'transfer'").fetchall() == [("COMPLETED",)]


def test_start_status_stop(space):
    state, holdings = space
    assert status(state) is None
    running = start(state, holdings=holdings)
    assert start(state, holdings=holdings) == running == status(state)
    assert (state / "sandbox.log").exists()
    assert stop(state)
    assert status(state) is None
    assert not stop(state)


def test_two_starts_at_once_are_one_sandbox(space):
    state, holdings = space
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(start(state, holdings=holdings))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert len(set(found)) == 1


def test_the_sandbox_refuses_to_leave_loopback(tmp_path, capsys):
    with pytest.raises(UsageError, match="loopback"):
        check_host("0.0.0.0")
    assert main(["--state", str(tmp_path), "--host", "0.0.0.0"]) == 2
    assert "loopback" in capsys.readouterr().err
