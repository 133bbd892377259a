"""What every connector must do, asked of each of them: a case says how to make one and how to spoil its source."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from datalab_connectors.dcat import DcatConnector
from datalab_connectors.dsp.connector import DspConnector
from datalab_connectors.edc import EdcConnector
from datalab_connectors.files import FilesConnector
from datalab_connectors.rest import RestConnector
from datalab_connectors.s3 import S3Connector
from datalab_connectors.sandbox import SandboxConnector, start, stop
from datalab_connectors.sandbox.identity import CLIENT, CLIENT_SECRET, REALM
from datalab_connectors.simpl import SimplConnector

from datalab.model.agreement import Intent
from datalab.policy import decide_acquisition
from datalab.ports.landing import Landing
from datalab.ports.objectput import put_verified
from tests.conformance.connectors.faulty import site
from tests.edc.stand_in import KEY, stand_in

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
    troubled: Callable[..., list[str]] | None = None
    """Let the next requests meet troubles: called with "catalogue" or "file" and their kinds (`faulty.Site.trouble`)."""

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
EDC = {"edc": {"transport": "pull"}, "edc-push": {"transport": "push"}}
SIMPL = {"simpl": {}, "simpl-pull": {"transport": "pull"}}


CATALOGUE = """
@prefix dcat: <http://www.w3.org/ns/dcat#> . @prefix dct: <http://purl.org/dc/terms/> .
@prefix spdx: <http://spdx.org/rdf/terms#> . @prefix foaf: <http://xmlns.com/foaf/0.1/> .
<counts> a dcat:Dataset ; dct:title "Bicycle counts"@en ; dct:description "One square, one day"@en ;
  dct:publisher [ a foaf:Agent ; foaf:name "Ville de Luxembourg" ] ; dcat:distribution <counts/csv> .
<counts/csv> a dcat:Distribution ; dct:title "CSV" ; dcat:accessURL <counts.csv> ; dcat:downloadURL <counts.csv> ;
  dct:license <https://creativecommons.org/licenses/by-nc/4.0/> ; dct:format "CSV" ;
  spdx:checksum [ spdx:algorithm spdx:checksumAlgorithm_sha256 ; spdx:checksumValue "%s" ] .
<boats> a dcat:Dataset ; dct:title "Boats" ; dct:description "None here" .
"""


def _dcat(rubbish, file, landing, state):
    """Yield the case of a catalogue in Turtle on a web server that can misbehave."""
    import dataclasses

    with site() as web:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        web.pages["/catalog.ttl"] = ("text/turtle", (CATALOGUE % digest).encode())
        web.pages["/counts.csv"] = lambda _: ("text/csv", file.read_bytes())
        connector = DcatConnector("space", {"url": f"{web.url}/catalog.ttl", "patience": 3}, state)
        places = {"catalogue": "/catalog.ttl", "file": "/counts.csv"}
        yield Case(
            connector,
            f"{web.url}/counts",
            file,
            (connector, dataclasses.replace(RESEARCH, commercial=True)),
            lambda: DcatConnector("space", {"url": rubbish}, state / "rubbish"),
            landing,
            lambda place, *kinds: web.trouble(places[place], *kinds),
        )


def _stored(request, tmp_path, file, landing):
    """The case of a bucket on a real S3 server; its object is the file that the server holds it in."""
    server = request.getfixturevalue("s3server")
    table = {"kind": "s3", **server.table("conformance"), "prefix": tmp_path.name, "attested_by": "steward"}
    connector = S3Connector("own", {**table, "attestation": "Made by us, free of rights."}, tmp_path / "state")
    bare = S3Connector("own", table, tmp_path / "state")
    rubbish = S3Connector("own", {**table, "endpoint": request.getfixturevalue("rubbish")}, tmp_path / "state")
    with server.store() as store:
        put_verified(store, file, "conformance", f"{tmp_path.name}/counts.csv")
    held = server.folder / "conformance" / tmp_path.name / "counts.csv"
    return Case(connector, "counts.csv", held, (bare, RESEARCH), lambda: rubbish, landing)


def _stac(rubbish, file, landing, state):
    """Yield the case of a REST catalogue: a STAC API of one item, whose licence forbids commercial use."""
    import dataclasses

    with site() as web:
        asset = {
            "href": "/counts.csv",
            "type": "text/csv",
            "file:checksum": f"1220{hashlib.sha256(file.read_bytes()).hexdigest()}",
        }
        described = {"title": "Bicycle counts", "license": "CC-BY-NC-4.0"}
        item = {"id": "counts", "collection": "bicycles", "properties": described, "assets": {"csv": asset}}
        for path, body in {
            "/search": {"features": [item]},
            "/collections/bicycles/items/counts": item,
            "/collections/bicycles": {},
        }.items():
            web.pages[path] = ("application/json", json.dumps(body).encode())
        web.pages["/counts.csv"] = lambda _: ("text/csv", file.read_bytes())
        connector = RestConnector("stac", {"profile": "stac", "url": web.url, "patience": 3}, state)
        places = {"catalogue": "/collections/bicycles/items/counts", "file": "/counts.csv"}
        yield Case(
            connector,
            "bicycles/counts",
            file,
            (connector, dataclasses.replace(RESEARCH, commercial=True)),
            lambda: RestConnector("stac", {"profile": "stac", "url": rubbish}, state),
            landing,
            lambda place, *kinds: web.trouble(places[place], *kinds),
        )


def _managed(request, tmp_path, file, landing):
    """Yield the case of an EDC connector: a stand-in for its management API, before a real provider."""
    import dataclasses

    request.getfixturevalue("monkeypatch").setenv("EDC_KEY", KEY)
    with (
        _provider(tmp_path) as space,
        stand_in(tmp_path / "stand-in") as (url, _),
        site(url.removesuffix("/management")) as edc,
    ):
        table = {"api_key": "env:EDC_KEY", "provider": space.url, "provider_id": "did:web:provider.example", "patience": 10}
        connector = EdcConnector("space", {"url": f"{edc.url}/management", **table, **EDC[request.param]}, tmp_path / "state")
        places = {"catalogue": (edc, "/management/v3/catalog"), "file": (space, "/2025-1/data/")}
        yield Case(
            connector,
            "counts",
            file,
            (connector, dataclasses.replace(RESEARCH, commercial=True)),
            lambda: EdcConnector("space", {"url": request.getfixturevalue("rubbish"), **table}, tmp_path / "rubbish"),
            landing,
            lambda place, *kinds: places[place][0].trouble(places[place][1], *kinds),
        )


def simpl_table(url, monkeypatch, **more):
    monkeypatch.setenv("SIMPL_SECRET", CLIENT_SECRET)
    login = {"issuer": f"{url}{REALM}", "client_id": CLIENT, "client_secret_env": "SIMPL_SECRET"}
    return {"url": url, "patience": 20, **login, **more}


def _node(rubbish, file, landing, state):
    """Yield the case of a Simpl node on a web server that can misbehave; its data is pulled from there."""
    import dataclasses
    import itertools

    from datalab_connectors.dsp.holdings import File, Holding
    from datalab_connectors.sandbox.description import self_description

    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    held = File("csv", file, "csv", "text/csv", "CSV", file.stat().st_size, digest)
    holding = Holding("counts", "c", "Bicycle counts", "One square, one day", "Ville de Luxembourg", TERMS, (held,))
    with site() as web:
        described = self_description(holding, web.url, "https://provider.example/protocol")
        del described["credentialSubject"]["simpl:contractTemplate"]
        dataset = described["credentialSubject"]["@id"]
        found = {"totalCount": 1, "items": [{"n": {"claimsGraphUri": [dataset], "offeringType": "data"}}]}
        catalogue, contracts = "/xfsc-advsearch-be/v1/selfDescriptions", "/contract-consumption/v1"
        place = f"{catalogue}/{quote(dataset, safe='')}"
        numbers = itertools.count(1)

        def json_page(body):
            return lambda query: ("application/json", json.dumps(body(query)).encode())

        pages = {
            catalogue: lambda query: found if "counts" in query else {"totalCount": 0, "items": []},
            f"{catalogue}/advanced": lambda _: found,
            place: lambda _: described,
            f"{contracts}/connectorCatalog/assets": lambda _: {"offers": [{"assetId": "counts"}]},
            f"{contracts}/contracts": lambda _: {"contractNegotiationId": str(next(numbers))},
            **{
                f"{contracts}/contracts/{n}": lambda _, n=n: {"state": "FINALIZED", "contractAgreementId": f"agreed-{n}"}
                for n in range(1, 9)
            },
            f"{contracts}/resourceAddresses/sharingMethods/REST_API/templates": lambda _: [{"id": "14"}],
            f"{contracts}/resourceAddresses/templates/14/schema": lambda _: {},
            f"{contracts}/transfers": lambda _: {"transferProcessId": "t"},
            f"{contracts}/transfers/t": lambda _: {"state": "STARTED"},
            f"{contracts}/transfers/t/edr": lambda _: {"baseUrl": f"{web.url}/counts.csv", "authorizationHeaderValue": "x"},
        }
        web.pages |= {path: json_page(body) for path, body in pages.items()}
        web.pages["/counts.csv"] = lambda _: ("text/csv", file.read_bytes())
        connector = SimplConnector("space", {"url": web.url, "dialect": "v1", "transport": "pull", "patience": 3}, state)
        places = {"catalogue": place, "file": "/counts.csv"}
        yield Case(
            connector,
            dataset,
            file,
            (connector, dataclasses.replace(RESEARCH, commercial=True)),
            lambda: SimplConnector("space", {"url": rubbish}, state / "rubbish"),
            landing,
            lambda place, *kinds: web.trouble(places[place], *kinds),
        )


@contextlib.contextmanager
def _provider(tmp_path):
    """Run a sandbox behind a site that can misbehave: what others know of it is the site's address."""
    with site() as space:
        running = start(tmp_path / "provider", holdings=[tmp_path / "holdings"], options=["--address", space.url])
        space.upstream = running.url
        try:
            yield space
        finally:
            stop(tmp_path / "provider")


@pytest.fixture(
    params=["sandbox", "files", "dcat", *DSP, *SIMPL, "simpl-node", *EDC, "rest", pytest.param("s3", marks=pytest.mark.server)]
)
def case(request, tmp_path):
    import dataclasses

    file = _write(tmp_path / "holdings" / "counts")
    landing = Landing(tmp_path / "landing")
    if request.param == "dcat":
        yield from _dcat(request.getfixturevalue("rubbish"), file, landing, tmp_path / "state")
        return
    if request.param == "s3":
        yield _stored(request, tmp_path, file, landing)
        return
    if request.param == "rest":
        yield from _stac(request.getfixturevalue("rubbish"), file, landing, tmp_path / "state")
        return
    if request.param == "simpl-node":
        yield from _node(request.getfixturevalue("rubbish"), file, landing, tmp_path / "state")
        return
    if request.param in EDC:
        yield from _managed(request, tmp_path, file, landing)
        return
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
        rubbish = request.getfixturevalue("rubbish")
        with _provider(tmp_path) as space:
            table = simpl_table(space.url, request.getfixturevalue("monkeypatch"), **SIMPL[request.param])
            connector = SimplConnector("space", table, tmp_path / "state")
            places = {"catalogue": "/xfsc-advsearch-be/v1/selfDescriptions/did", "file": "/2025-1/data/"}
            yield Case(
                connector,
                "did:web:registry.sandbox.datalab.example:DataOffering:counts",
                file,
                (connector, dataclasses.replace(RESEARCH, commercial=True)),
                lambda: SimplConnector("space", {"url": rubbish}, tmp_path / "rubbish"),
                landing,
                lambda place, *kinds: space.trouble(places[place], *kinds),
            )
        return
    kind = DspConnector if request.param in DSP else SandboxConnector
    commercial = dataclasses.replace(RESEARCH, commercial=True)
    rubbish = request.getfixturevalue("rubbish")
    with contextlib.ExitStack() as stack:
        table = {"state": str(tmp_path / "provider"), "holdings": [str(tmp_path / "holdings")], "patience": 10}
        troubled = None
        stack.callback(stop, tmp_path / "provider")
        if kind is DspConnector:
            space = stack.enter_context(_provider(tmp_path))
            table = {"url": space.url, "patience": 10, **DSP[request.param]}
            places = {"catalogue": f"/{DSP[request.param].get('version', '2025-1')}/catalog/", "file": "/2025-1/data/"}

            def troubled(place, *kinds):
                return space.trouble(places[place], *kinds)

        connector = kind("space", table, tmp_path / "state")
        yield Case(
            connector,
            "counts",
            file,
            (connector, commercial),
            lambda: kind("space", {"url": rubbish}, tmp_path / "rubbish"),
            landing,
            troubled,
        )


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
