from __future__ import annotations

import contextlib

import pytest
from datalab_connectors.dcat import DcatConnector
from datalab_connectors.dsp.connector import DspConnector
from datalab_connectors.edc import EdcConnector
from datalab_connectors.rest import RestConnector
from datalab_connectors.s3 import S3Connector
from datalab_connectors.simpl import SimplConnector

from datalab.errors import DatalabError, SettingsError, SourceError
from datalab.model.offer import Query
from tests.unit.ports.authority import Authority, Peer

KINDS = {
    "dsp": (DspConnector, "url", {}),
    "dcat": (DcatConnector, "url", {"harvest": True}),
    "edc": (EdcConnector, "url", {"provider": "https://museum.example/protocol", "provider_id": "did:web:museum.example"}),
    "rest": (RestConnector, "url", {"profile": "stac"}),
    "simpl": (SimplConnector, "url", {}),
    "s3": (S3Connector, "endpoint", {"bucket": "b", "anonymous": True}),
}


@pytest.fixture(scope="module")
def issuer(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def peer(issuer):
    one = Peer(issuer.issue("host", "localhost"), issuer)
    yield one
    one.close()


def search(kind, peer, folder, **said):
    made, address, more = KINDS[kind]
    connector = made("node", {address: f"https://localhost:{peer.port}", **more, **said}, folder)
    list(connector.search(Query("x")))


@pytest.mark.parametrize("kind", KINDS)
def test_every_connector_shows_its_certificate(kind, peer, issuer, tmp_path):
    lab = issuer.issue("lab")
    said = {"ca_file": str(issuer.file), "client_certificate": str(lab.certificate), "client_key": str(lab.key)}
    with contextlib.suppress(DatalabError):  # what the peer answers to is nobody's protocol
        search(kind, peer, tmp_path, **said)
    assert set(peer.shown) == {"lab"}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "s3"])  # botocore tries again, and again
def test_without_one_it_is_refused(kind, peer, issuer, tmp_path):
    with pytest.raises(SourceError):
        search(kind, peer, tmp_path, ca_file=str(issuer.file))
    assert peer.shown == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_that_others_can_read_is_refused_before_anything_is_sent(kind, peer, issuer, tmp_path):
    lab = issuer.issue("lab", mode=0o644)
    said = {"ca_file": str(issuer.file), "client_certificate": str(lab.certificate), "client_key": str(lab.key)}
    with pytest.raises(SettingsError, match="can read the private key"):
        search(kind, peer, tmp_path, **said)
    assert (peer.shown, peer.failures) == ([], [])


def test_a_store_takes_no_encrypted_key(peer, issuer, tmp_path):
    lab = issuer.issue("locked", password="open-sesame-42")
    said = {"ca_file": str(issuer.file), "client_certificate": str(lab.certificate), "client_key": str(lab.key)}
    with pytest.raises(SettingsError, match="encrypted") as caught:
        search("s3", peer, tmp_path, **said)
    assert "for S3" in caught.value.next
