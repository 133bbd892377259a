"""A provider inside the test process, with everything it says and hears on record."""

from __future__ import annotations

import json

import pytest

HOLDING = """
id = "bicycles"
title = "Vélos in Luxembourg"
description = "Bicycle counts of one square"
holder = "Ville de Luxembourg"
licence = "CC0-1.0"
keywords = ["bicycle", "traffic"]
languages = ["fr", "de"]
personal_data = false
issued = "2026-01-01"
policy = "policy.json"

[[distribution]]
id = "bicycles-csv"
file = "counts.csv"
format = "csv"
media_type = "text/csv"
title = "CSV"

[columns]
hour = "Hour of the day"
"""
POLICY = {
    "permission": [
        {
            "action": "use",
            "constraint": [{"leftOperand": "purpose", "operator": "isA", "rightOperand": "dpv:ResearchAndDevelopment"}],
        }
    ],
    "prohibition": [{"action": "distribute"}],
    "obligation": [{"action": "attribute"}],
}


class Recorder:
    """ASGI middleware that keeps every JSON body in both directions."""

    def __init__(self, app):
        self.app = app
        self.messages = []

    async def __call__(self, scope, receive, send):
        async def hear():
            event = await receive()
            self.keep("heard", event.get("body", b""))
            return event

        async def say(event):
            if event["type"] == "http.response.body":
                self.keep("said", event.get("body", b""))
            await send(event)

        await self.app(scope, hear, say)

    def keep(self, who, raw):
        try:
            body = json.loads(raw)
        except ValueError:
            return
        if isinstance(body, dict) and "@type" in body:
            self.messages.append((who, body))


@pytest.fixture
def holding(tmp_path):
    folder = tmp_path / "holdings" / "bicycles"
    folder.mkdir(parents=True)
    (folder / "holding.toml").write_text(HOLDING)
    (folder / "policy.json").write_text(json.dumps(POLICY))
    (folder / "counts.csv").write_text("hour,count\n" + "".join(f"{hour},{hour * 7}\n" for hour in range(24)))
    return folder


@pytest.fixture
def provider(tmp_path, holding):
    """A running provider: its parts, and recorder; its post is not started."""
    from datalab_connectors.sandbox.app import build

    from tests.unit.connectors.in_process import provider_parts, served

    with provider_parts(tmp_path / "provider", holding.parent) as parts:
        recorder = parts.recorder = Recorder(build(parts.side, parts.exchange, base=parts.url, page_size=1))
        original = parts.client.post

        def recorded(url, body, **more):
            recorder.messages.append(("sent", body))
            return original(url, body, **more)

        parts.client.post = recorded
        with served(recorder, parts.listener):
            yield parts


@pytest.fixture
def space(tmp_path, holding):
    """A sandbox with its Simpl node, in this process."""
    from tests.unit.connectors.simpl_space import running

    with running(tmp_path / "space", holding.parent) as found:
        yield found


@pytest.fixture
def simpl(space, tmp_path, monkeypatch):
    """A connector to that node, logged in by client credentials; called with further keys of its table."""
    from datalab_connectors.sandbox.identity import CLIENT, CLIENT_SECRET, REALM
    from datalab_connectors.simpl import SimplConnector

    monkeypatch.setenv("SIMPL_SECRET", CLIENT_SECRET)
    login = {"issuer": f"{space.url}{REALM}", "client_id": CLIENT, "client_secret_env": "SIMPL_SECRET"}

    def make(**more):
        return SimplConnector("node", {"url": space.url, "patience": 5, **login, **more}, tmp_path / "consumer")

    return make


@pytest.fixture
def stub():
    """A node that answers as a test tells it."""
    from tests.unit.connectors.simpl_space import Stub

    with Stub() as found:
        yield found
