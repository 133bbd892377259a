"""Kill -9 of the node in the middle of a contract: after its restart there is one contract, it stands, and its data comes."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import signal
import sqlite3
import threading
import time

import pytest
from datalab_connectors.sandbox import start, stop
from datalab_connectors.sandbox.identity import CLIENT, CLIENT_SECRET, REALM
from datalab_connectors.simpl import SimplConnector

from datalab.errors import SourceError
from datalab.model.agreement import Intent
from datalab.policy import decide_acquisition
from datalab.ports.landing import Landing

RESEARCH = Intent("https://w3id.org/dpv#ScientificResearch", "count bicycles", territory="LU")
HOLDING = 'id="a"\ntitle="A"\ndescription="A"\nholder="H"\npersonal_data=false\n[[distribution]]\nid="csv"\nfile="a.csv"\nformat="csv"\nmedia_type="text/csv"\n'


@pytest.mark.parametrize("delay", [0.0, 0.01, 0.03, 0.08])
def test_a_contract_survives_its_node(tmp_path, monkeypatch, delay):
    folder, state = tmp_path / "holdings" / "a", tmp_path / "node"
    folder.mkdir(parents=True)
    (folder / "holding.toml").write_text(HOLDING)
    (folder / "policy.json").write_text('{"permission":[{"action":"use"}]}')
    (folder / "a.csv").write_text("a\n1\n")
    running = start(state, holdings=[tmp_path / "holdings"])
    monkeypatch.setenv("SIMPL_SECRET", CLIENT_SECRET)
    login = {"issuer": f"{running.url}{REALM}", "client_id": CLIENT, "client_secret_env": "SIMPL_SECRET"}
    connector = SimplConnector("space", {"url": running.url, "patience": 15, **login}, tmp_path / "consumer")
    offer = connector.offer("did:web:registry.sandbox.datalab.example:DataOffering:a")
    decision = decide_acquisition(offer, RESEARCH, moment=dt.datetime.now(dt.UTC), actor="steward")
    reached: list[object] = []

    def negotiate():
        for _ in range(10):  # what a user does who is told to try again
            with contextlib.suppress(SourceError):
                reached.append(connector.negotiate(offer, RESEARCH, decision))
                return
            time.sleep(0.2)

    consumer = threading.Thread(target=negotiate)
    consumer.start()
    time.sleep(delay)
    os.kill(running.pid, signal.SIGKILL)
    restarted = start(state, holdings=[tmp_path / "holdings"])
    consumer.join(timeout=40)
    try:
        assert restarted.url == running.url
        [agreement] = reached
        assert connector.negotiate(offer, RESEARCH, decision) == agreement
        [landed] = connector.fetch(
            agreement, offer, "csv", Landing(tmp_path / "landing"), decision, lambda what, done, total: None
        )
        assert landed.path.read_text() == "a\n1\n"
        with contextlib.closing(sqlite3.connect(state / "node.sqlite")) as store:
            states = store.execute("SELECT state FROM process WHERE kind = 'negotiation'")
            assert "FINALIZED" in {state for (state,) in states}
    finally:
        stop(state)
