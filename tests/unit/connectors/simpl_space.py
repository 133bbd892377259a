"""A sandbox's Simpl node inside the test process, and a node that does whatever a test tells it."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

from datalab_connectors.sandbox.catalogue import PREFIX
from datalab_connectors.simpl import SimplConnector

from datalab.model.agreement import Intent
from datalab.policy import decide_acquisition
from tests.unit.connectors.in_process import provider_parts, served

RESEARCH = Intent("https://w3id.org/dpv#ResearchAndDevelopment", "count bicycles", legal_basis="eu-gdpr:A6-1-e", territory="LU")
BICYCLES = f"{PREFIX}bicycles"
BASE = "/contract-consumption/v1"
OFFERS = {"offers": [{"assetId": "a", "providerParticipantId": "did:web:p", "policy": {"policyConstraints": []}}]}


class Recorder:
    """ASGI middleware that keeps every exchange whole."""

    def __init__(self, app):
        self.app = app
        self.exchanges = []

    async def __call__(self, scope, receive, send):
        kept = SimpleNamespace(
            method=scope["method"], path=scope["raw_path"].decode(), query=scope["query_string"].decode(), sent=b"", status=0,
            type="", got=b"", headers={name.decode(): value.decode() for name, value in scope["headers"]},
        )  # fmt: skip

        async def hear():
            event = await receive()
            kept.sent += event.get("body", b"")
            return event

        async def say(event):
            if event["type"] == "http.response.start":
                kept.status = event["status"]
                kept.type = dict(event["headers"]).get(b"content-type", b"").decode().partition(";")[0]
            kept.got += event.get("body", b"")
            await send(event)

        await self.app(scope, hear, say)
        self.exchanges.append(kept)


@contextlib.contextmanager
def running(folder, holdings):
    """Run a sandbox with its node in this process: url, node, realm, recorder."""
    from datalab_connectors.sandbox.app import build
    from datalab_connectors.sandbox.consumption import ConsumerNode

    with provider_parts(folder, holdings) as parts:
        node = ConsumerNode(folder, parts.shelf, parts.url, f"{parts.url}/2025-1", parts.client)
        recorder = Recorder(build(parts.side, parts.exchange, base=parts.url, node=node))
        with served(recorder, parts.listener):
            parts.post.start()
            node.start()
            yield SimpleNamespace(url=parts.url, node=node, shelf=parts.shelf, recorder=recorder, provider=parts.side)
            parts.post.stop()
            node.close()


def agreed(connector, dataset=BICYCLES, intent=RESEARCH):
    """Go through search and contract; return offer, decision and agreement."""
    offer = connector.offer(dataset)
    decision = decide_acquisition(offer, intent, moment=dt.datetime.now(dt.UTC), actor="steward")
    assert decision.permitted, decision.reasons
    return offer, decision, connector.negotiate(offer, intent, decision)


def quiet(what, done, total):
    """Take progress and say nothing."""


class Stub:
    """A node that answers as told: ``says[(method, path)]`` is a body, a (status, body), or a function of the handler."""

    def __init__(self):
        self.says, self.heard = {}, []

    def __enter__(self):
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                path = self.path.partition("?")[0]
                sent = self.rfile.read(int(self.headers.get("content-length", 0)))
                stub.heard.append(
                    SimpleNamespace(method=self.command, path=path, query=self.path, body=sent, headers=dict(self.headers))
                )
                answer = stub.says.get((self.command, path), stub.says.get((self.command, "*"), (404, {})))
                if callable(answer):
                    answer = answer(self)
                if answer is not None:
                    status, body = answer if isinstance(answer, tuple) else (200, answer)
                    self.answer(status, body)

            def do_POST(self):
                self.do_GET()

            def answer(self, status, body, **headers):
                raw = body if isinstance(body, bytes) else json.dumps(body).encode()
                kind = "application/json" if status < 400 else "application/problem+json"
                self.send_response(status)
                for name, value in {"content-type": kind, "content-length": str(len(raw)), **headers}.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def connector(self, folder, **more):
        return SimplConnector("node", {"url": self.url, "dialect": "v1", "patience": 2, **more}, folder)

    def describes(self, described, identifier=BICYCLES):
        from urllib.parse import quote

        self.says["GET", f"/xfsc-advsearch-be/v1/selfDescriptions/{quote(identifier, safe='')}"] = described


def asked_for(stub, path, method="POST"):
    """Return the requests that a stub got below its contract consumption."""
    return [kept for kept in stub.heard if (kept.method, kept.path) == (method, f"{BASE}{path}")]
