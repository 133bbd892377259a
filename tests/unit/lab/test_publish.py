"""One Data Lab feeds another: approve, publish, serve; discover, negotiate, fetch, verify."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from datalab_connectors.dsp.connector import DspConnector

import datalab
from datalab.errors import DatalabError, NotFound, PolicyRefusal, SettingsError, SourceError, UsageError, VerificationFailed
from datalab.governance.ledger import SqliteLedger
from datalab.lab.publish import publish_release, published, withdraw_release
from datalab.lab.receive import receive_release, unpack
from datalab.lab.release import approve
from datalab.lab.retention import due
from datalab.lab.run import run_pipeline
from datalab.lab.serve import Witness, _reach
from datalab.model.agreement import Intent
from datalab.model.offer import Query
from datalab.model.settings import _REACH
from datalab.policy import decide_acquisition, parse
from datalab.policy.combined import combined_rules
from datalab.policy.moments import rfc3339
from datalab.ports.tls import TLS_KEYS
from datalab.staging.verify import verify_release
from tests.unit.lab.workshop import APPROVER, opened, pipeline
from tests.unit.ports.authority import Authority, Peer

KEY = "0123456789abcdef0123456789abcdef"
OTHER = "did:web:other-lab.example"
RESEARCH = Intent("https://w3id.org/dpv#ScientificResearch", "", "eu-gdpr:A6-1-e", "LU")


@pytest.fixture(scope="module")
def issuer(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def serving(tmp_path_factory, space, issuer):
    """A lab that publishes version 1 of the visitors, and its process."""
    root = tmp_path_factory.mktemp("publisher")
    with opened(root, space, participant="did:web:this-lab.example") as lab:
        run_pipeline(pipeline(), lab=lab)
        approve(lab, "visitors", actor=APPROVER)
        text = (root / "datalab.toml").read_text()
        (root / "key2").write_text(KEY)
        text += 'other = "file:key2"\n[publish]\nlisten = "127.0.0.1:0"\n'
        own = issuer.issue("this-lab")
        text += f'ca_file = "{issuer.file}"\nclient_certificate = "{own.certificate}"\nclient_key = "{own.key}"\n'
        text += 'tls_hosts = ["localhost"]\n'
        (root / "datalab.toml").write_text(f'{text}consumers = {{ "{OTHER}" = "other" }}\n')
        item = publish_release(lab, "visitors", actor="Sam Steward")
        process, url = start_serving(root)
        yield lab, item, url
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) in {0, -signal.SIGTERM}
        process.stdout.close()


def start_serving(root):
    environment = {**os.environ, "DATALAB_CONFIG": str(root / "datalab.toml")}
    command = [sys.executable, "-m", "datalab.cli", "serve"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    assert line.startswith("serving 1 release at "), line
    return process, line.rsplit(" ", 1)[-1].strip()


@pytest.fixture
def other(tmp_path, space, serving, monkeypatch):
    """Another lab, with a connector to the first."""
    monkeypatch.setenv("OTHER_KEY", KEY)
    with opened(tmp_path / "other", space, participant=OTHER) as lab:
        lab._connectors["first"] = connector(serving[2], tmp_path / "state")
        yield lab


def connector(url, state, **changes):
    table = {"kind": "dsp", "url": url, "participant": OTHER, "key_env": "OTHER_KEY", "patience": 10, **changes}
    return DspConnector("first", table, state)


@pytest.mark.parametrize("version", ["2025-1", "2024-1"])
def test_another_lab_finds_agrees_fetches_and_verifies(serving, other, tmp_path, version):
    lab, item, url = serving
    other._connectors["first"] = connector(url, tmp_path / "state", version=version)
    [found] = other.connector("first").search(Query("museum"))
    assert found.dataset_id == item.id == "visitors@1"

    place, manifest, agreement = receive_release(other, "first:visitors@1", tmp_path / "here", RESEARCH)

    assert place == tmp_path / "here" / "visitors" / "1"
    assert verify_release(place).manifest.digest == item.digest == manifest.digest
    assert datalab.open_dataset(place).polars().height == sum(manifest.splits.values())
    assert agreement.consumer == OTHER
    rules = json.loads(agreement.policy.verbatim)
    assert [rule["action"].rpartition("/")[2] for rule in rules["obligation"]] == ["anonymize"]
    assert rules["prohibition"][0]["constraint"][0]["rightOperand"] == "dpv:CommercialPurpose"
    granted = [event for event in lab.ledger.events() if event.type in {"agreement.granted", "release.served"}]
    assert {event.actor for event in granted} == {OTHER}
    assert {event.subject for event in granted} == {item.id}
    assert [event.type for event in other.ledger.events()][-4:-1] == ["decision.made", "agreement.concluded", "object.landed"]


def test_idle_callers_do_not_shut_out_another_lab(serving, other):
    parts = urlsplit(serving[2])
    idle = [socket.create_connection((parts.hostname, parts.port), timeout=5) for _ in range(400)]
    try:
        assert [offer.dataset_id for offer in other.connector("first").search(Query("museum"))] == ["visitors@1"]
    finally:
        for link in idle:
            link.close()


def test_answers_go_under_the_certificate_of_the_lab(serving, other, issuer, tmp_path):
    door = Peer(issuer.issue("proxy", "localhost"), issuer)
    try:
        first = connector(serving[2], tmp_path / "state", callback=f"https://localhost:{door.port}", patience=3)
        offer = first.offer("visitors@1")
        decision = decide_acquisition(offer, RESEARCH, moment=_now(), actor="x", participant=OTHER)
        with pytest.raises(DatalabError):  # nobody behind the door speaks the protocol
            first.negotiate(offer, RESEARCH, decision)
        assert set(door.shown) == {"this-lab"}
    finally:
        door.close()


def test_where_answers_may_go(serving):
    settings = dataclasses.replace(serving[0].settings, publish_reach={"hosts": ["10.1.2.3"], "ca_file": "authority.pem"})
    assert set(TLS_KEYS) < set(_REACH)
    reach = _reach(settings, "10.0.0.1")
    assert (reach.hosts, reach.loopback, reach.tls.covers("10.1.2.3")) == ({"10.1.2.3"}, False, True)
    with pytest.raises(SourceError, match="not one of those allowed"):
        reach.check_url("https://elsewhere.example/")
    with pytest.raises(SettingsError, match="no host is named"):
        _reach(dataclasses.replace(settings, publish_reach={"ca_file": "authority.pem"}), "10.0.0.1")


def test_the_publisher_decides_for_itself(serving, other):
    """The other lab forges its own decision; the publisher's door still says no."""
    commercial = dataclasses.replace(RESEARCH, purpose="https://w3id.org/dpv#CommercialPurpose", commercial=True)
    first = other.connector("first")
    offer = first.offer("visitors@1")
    decision = decide_acquisition(offer, commercial, moment=_now(), actor="x", participant=OTHER)
    assert not decision.permitted
    with pytest.raises(PolicyRefusal, match="the provider refused"):
        first.negotiate(offer, commercial, dataclasses.replace(decision, permitted=True))
    assert [event.type for event in serving[0].ledger.events()][-1] == "agreement.refused"


@pytest.mark.parametrize("changes", [{"key_env": "WRONG"}, {"key_env": ""}, {"participant": "did:web:stranger.example"}])
def test_strangers_see_nothing(serving, tmp_path, monkeypatch, changes):
    monkeypatch.setenv("OTHER_KEY", KEY)
    monkeypatch.setenv("WRONG", "f" * 32)
    stranger = connector(serving[2], tmp_path, **changes)
    with pytest.raises(DatalabError, match="404"):
        stranger.offer("visitors@1")
    with pytest.raises(DatalabError, match="404"):
        next(stranger.search(Query("")))


def test_published_twice_is_published_once_and_withdrawn_is_gone(tmp_path, space):
    with opened(tmp_path, space) as lab:
        run_pipeline(pipeline(), lab=lab)
        with pytest.raises(NotFound):
            publish_release(lab, "visitors", actor="Sam")
        approve(lab, "visitors", actor=APPROVER)
        first = publish_release(lab, "visitors", actor="Sam")
        assert publish_release(lab, "visitors@1", actor="Sam").body == first.body
        assert [event.type for event in lab.ledger.events()].count("release.offered") == 1
        assert withdraw_release(lab, "visitors", actor="Sam") == "visitors@1"
        assert list(published(lab)) == []
        with pytest.raises(NotFound):
            withdraw_release(lab, "visitors", actor="Sam")


class Stricter:
    """The connector to the serving lab, as if that lab had offered other terms: a provider of ours offers none that count uses."""

    def __init__(self, inner, terms):
        self.inner = inner
        self.policy = parse(json.dumps(terms))

    def offer(self, identifier):
        return dataclasses.replace(self.inner.offer(identifier), policy=self.policy)

    def negotiate(self, offer, intent, decision):
        return dataclasses.replace(self.inner.negotiate(*self._plain(offer, intent)), policy=self.policy)

    def fetch(self, agreement, offer, distribution, landing, decision, progress):
        plain, _, decision = self._plain(offer, agreement.intent)
        return self.inner.fetch(agreement, plain, distribution, landing, decision, progress)

    def _plain(self, offer, intent):
        plain = self.inner.offer(offer.dataset_id)
        return plain, intent, decide_acquisition(plain, intent, moment=_now(), actor="x", participant=OTHER)


def test_terms_of_a_received_release_bind(other, tmp_path):
    """Uses are counted, and the day by which it must be gone is watched: a release is data like any other."""
    once = {"leftOperand": "count", "operator": "lteq", "rightOperand": 1}
    soon = f"{_now() + dt.timedelta(days=3):%Y-%m-%dT%H:%M:%SZ}"
    gone = {"leftOperand": "dateTime", "operator": "lteq", "rightOperand": soon}
    terms = {
        "permission": [{"action": "use", "constraint": [once]}],
        "obligation": [{"action": "delete", "constraint": [gone]}],
    }
    other._connectors["first"] = Stricter(other.connector("first"), terms)
    place, _, agreement = receive_release(other, "first:visitors@1", tmp_path / "here", RESEARCH)

    with pytest.raises(PolicyRefusal, match="number 2 of its kind"):
        receive_release(other, "first:visitors@1", tmp_path / "there", RESEARCH)
    assert not (tmp_path / "there").exists()
    [landed] = other.ledger.events(type="object.landed")
    assert landed.body["agreement"] == agreement.id
    assert due(other) == []
    found = {item.what: item for item in due(other, dt.timedelta(days=4))}
    assert found.keys() == {"landing", "received"}
    assert {rfc3339(item.at) for item in found.values()} == {soon}
    assert found["received"].next == f"remove {place}"
    shutil.rmtree(place)
    assert [item.what for item in due(other, dt.timedelta(days=4))] == ["landing"]


def test_an_archive_is_not_trusted(tmp_path):
    def archive(*members):
        path = tmp_path / "evil.tar"
        with tarfile.open(path, "w") as tar:
            for member in members:
                tar.addfile(member)
        return path

    link = tarfile.TarInfo("manifest.json")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    for member in (tarfile.TarInfo("../out"), tarfile.TarInfo("/abs"), tarfile.TarInfo("a/../../out"), link):
        with pytest.raises(VerificationFailed):
            unpack(archive(member), tmp_path / "here")
    double = tarfile.TarInfo("a")
    with pytest.raises(VerificationFailed):
        unpack(archive(double, double), tmp_path / "here")
    (tmp_path / "no.tar").write_bytes(b"garbage" * 1000)
    with pytest.raises(VerificationFailed):
        unpack(tmp_path / "no.tar", tmp_path / "here")
    assert not list((tmp_path / "here").rglob("*"))


def test_serving_needs_to_know_who_may_ask(tmp_path, space):
    from datalab.lab.serve import serve

    with opened(tmp_path, space) as lab, pytest.raises(UsageError, match="nobody may ask"):
        serve(lab, print)


def test_several_policies_are_as_strict_as_all_of_them():
    use = {"action": "use"}
    ban = {"action": "distribute"}
    eu = {"leftOperand": "spatial", "operator": "isPartOf", "rightOperand": "EU"}
    one = json.dumps({"@id": "1", "permission": [use], "prohibition": [ban]})
    two = json.dumps(
        {
            "@id": "2",
            "permission": [{"action": "use", "constraint": [eu], "target": "x"}],
            "obligation": [{"action": "attribute"}],
        }
    )
    assert combined_rules([one]) == {"permission": [use], "prohibition": [ban]}
    assert combined_rules([one, two]) == {
        "permission": [{"action": "use", "constraint": [eu]}],
        "prohibition": [ban],
        "obligation": [{"action": "attribute"}],
    }
    with pytest.raises(PolicyRefusal):
        combined_rules([one, json.dumps({"permission": [{"action": "read"}]})])
    with pytest.raises(PolicyRefusal):
        combined_rules([])


def _now():
    return dt.datetime.now(dt.UTC)


def test_what_was_handed_out_is_witnessed_once(lab, monkeypatch):
    def process(pid):
        return SimpleNamespace(kind="transfer", pid=pid, party=OTHER, subject="agreement", data={"holding": "visitors@1"})

    first = Witness(lab)
    for pid in ("one", "one", "two"):
        first(process(pid), "start")
    Witness(lab)(process("two"), "start")  # after a restart the same move is heard again
    read = []
    real = SqliteLedger.events
    monkeypatch.setattr(SqliteLedger, "events", lambda self, **more: (read.append(one) or one for one in real(self, **more)))
    first(process("three"), "start")
    first(process("three"), "suspension")
    assert len(read) == 1, "what was read before is not read again, but for its own last event"
    monkeypatch.undo()
    assert [event.body["process"] for event in lab.ledger.events(type="release.served")] == ["one", "two", "three"]
