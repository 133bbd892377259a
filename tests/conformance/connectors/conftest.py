"""What every connector must do, asked of each of them: a case says how to make one and how to spoil its source."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from datalab_connectors.dsp.connector import DspConnector
from datalab_connectors.files import FilesConnector
from datalab_connectors.sandbox import SandboxConnector, start, stop
from datalab_connectors.sandbox.identity import CLIENT, CLIENT_SECRET, REALM
from datalab_connectors.simpl import SimplConnector

from datalab.model.agreement import Intent
from datalab.policy import decide_acquisition
from datalab.ports.landing import Landing

RESEARCH = Intent("https://w3id.org/dpv#ScientificResearch", "count bicycles", legal_basis="eu-gdpr:A6-1-e", territory="LU")
TERMS = {
    "permission": [{"action": "use"}],
    "prohibition": [
        {
            "action": "use",
            "constraint": [{"leftOperand": "purpose", "operator": "isA", "rightOperand": "dpv:CommercialPurpose"}],
        }
    ],
}
HOLDING = """
id = "counts"
title = "Bicycle counts"
description = "One square, one day"
holder = "Ville de Luxembourg"
licence = "CC0-1.0"
personal_data = false
[[distribution]]
id = "csv"
file = "counts.csv"
format = "csv"
media_type = "text/csv"
"""


@dataclass
class Case:
    connector: Any
    dataset: str
    file: Path
    forbidden: tuple[Any, Intent]
    """A connector and an intent that its terms forbid."""
    garbled: Callable[[], Any]
    """A connector whose source talks rubbish."""
    landing: Landing

    def permit(self, offer, intent=RESEARCH, **changes):
        import dataclasses

        decision = decide_acquisition(offer, intent, moment=dt.datetime.now(dt.UTC), actor="steward")
        return dataclasses.replace(decision, **changes) if changes else decision


def _write(folder):
    folder.mkdir(parents=True)
    (folder / "holding.toml").write_text(HOLDING)
    (folder / "policy.json").write_text(json.dumps(TERMS))
    file = folder / "counts.csv"
    file.write_text("hour,count\n" + "1,2\n" * 5000)
    return file


DSP = {
    "dsp": {},
    "dsp-2024-1": {"version": "2024-1"},
    "dsp-push": {"transport": "push"},
    "dsp-2024-1-push": {"version": "2024-1", "transport": "push"},
}
SIMPL = {"simpl": {}, "simpl-pull": {"transport": "pull"}}


def simpl_table(url, monkeypatch, **more):
    monkeypatch.setenv("SIMPL_SECRET", CLIENT_SECRET)
    login = {"issuer": f"{url}{REALM}", "client_id": CLIENT, "client_secret_env": "SIMPL_SECRET"}
    return {"url": url, "patience": 20, **login, **more}


@pytest.fixture(params=["sandbox", "files", *DSP, *SIMPL])
def case(request, tmp_path):
    import dataclasses

    file = _write(tmp_path / "holdings" / "counts")
    landing = Landing(tmp_path / "landing")
    if request.param == "files":
        table = {"root": str(file.parent), "attestation": "Made by us, free of rights.", "attested_by": "steward"}
        connector = FilesConnector("own", table, tmp_path / "state")
        bare = FilesConnector("own", {"root": str(file.parent)}, tmp_path / "state")
        yield Case(
            connector,
            "counts.csv",
            file,
            (bare, RESEARCH),
            lambda: FilesConnector("own", {"root": "/nowhere"}, tmp_path),
            landing,
        )
        return
    if request.param in SIMPL:
        url = start(tmp_path / "provider", holdings=[tmp_path / "holdings"]).url
        rubbish = request.getfixturevalue("rubbish")
        table = simpl_table(url, request.getfixturevalue("monkeypatch"), **SIMPL[request.param])
        connector = SimplConnector("space", table, tmp_path / "state")
        yield Case(
            connector,
            "did:web:registry.sandbox.datalab.example:DataOffering:counts",
            file,
            (connector, dataclasses.replace(RESEARCH, commercial=True)),
            lambda: SimplConnector("space", {"url": rubbish}, tmp_path / "rubbish"),
            landing,
        )
        stop(tmp_path / "provider")
        return
    kind = DspConnector if request.param in DSP else SandboxConnector
    table = {"state": str(tmp_path / "provider"), "holdings": [str(tmp_path / "holdings")], "patience": 10}
    if kind is DspConnector:
        running = start(tmp_path / "provider", holdings=[tmp_path / "holdings"])
        table = {"url": running.url, "patience": 10, **DSP[request.param]}
    connector = kind("space", table, tmp_path / "state")
    commercial = dataclasses.replace(RESEARCH, commercial=True)
    rubbish = request.getfixturevalue("rubbish")
    yield Case(
        connector,
        "counts",
        file,
        (connector, commercial),
        lambda: kind("space", {"url": rubbish}, tmp_path / "rubbish"),
        landing,
    )
    stop(tmp_path / "provider")


@pytest.fixture
def rubbish():
    """The address of a server that answers everything with something else than asked for."""
    import threading
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Rubbish(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("content-length", "9")
            self.end_headers()
            self.wfile.write(b"<garbage>")

        def do_POST(self):
            self.do_GET()

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Rubbish) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()
