from __future__ import annotations

import contextlib
import datetime as dt
import os
import ssl
from pathlib import Path

import pytest

from datalab.errors import SettingsError, SourceError
from datalab.ports import tls as module
from datalab.ports import transport
from datalab.ports.http import HttpClient, Limits, Reach
from datalab.ports.landing import Landing
from datalab.ports.tls import Tls
from datalab.ports.validity import validity
from tests.unit.ports.authority import Authority, Peer

QUICK = Limits(connect=2, idle=2, seconds=5, attempts=1)
HERE = "datalab.toml, [connectors.node]"


@pytest.fixture(scope="module")
def issuer(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.fixture(scope="module")
def lab(issuer):
    return issuer.issue("lab")


@pytest.fixture
def peer(issuer):
    running = []

    def start(*hosts, issued=None, **options):
        served = issued or issuer.issue("-".join(hosts).replace(".", "_"), *hosts)
        running.append(Peer(served, **options))
        return running[-1]

    yield start
    for one in running:
        one.close()


def ask(said, url, *, hosts=frozenset(), **more):
    found = Tls.read(said, [url], HERE)
    with HttpClient(Reach(hosts, loopback=True, tls=found), QUICK) as client:
        return client.get(url, **more)


def settings(issuer, issued, **more):
    return {
        "ca_file": str(issuer.file), "client_certificate": str(issued.certificate), "client_key": str(issued.key), **more,
    }  # fmt: skip


def test_a_peer_that_demands_a_certificate_gets_it(peer, issuer, lab):
    one = peer("localhost", trusts=issuer)
    assert ask(settings(issuer, lab), f"https://localhost:{one.port}/").body == {}
    assert one.shown == ["lab"]


def test_certificate_and_key_may_stand_in_one_file(peer, issuer, lab, tmp_path):
    both = tmp_path / "both.pem"
    both.touch(mode=0o600)
    both.write_bytes(lab.key.read_bytes() + lab.certificate.read_bytes())
    one = peer("localhost", trusts=issuer)
    said = {"ca_file": str(issuer.file), "client_certificate": str(both)}
    assert ask(said, f"https://localhost:{one.port}/").status == 200
    assert one.shown == ["lab"]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_without_a_certificate_the_error_says_what_is_missing(peer, issuer, version):
    one = peer("localhost", trusts=issuer, versions=[("maximum_version", version)])
    with pytest.raises(SourceError, match=r"demands a client certificate|handshake") as caught:
        ask({"ca_file": str(issuer.file)}, f"https://localhost:{one.port}/")
    assert "client_certificate" in caught.value.next
    assert one.shown == []


def test_a_certificate_of_another_authority_is_not_taken(peer, issuer, stranger):
    one = peer("localhost", trusts=issuer)
    with pytest.raises(SourceError, match="does not take the client certificate"):
        ask(settings(issuer, stranger.issue("somebody")), f"https://localhost:{one.port}/")
    assert one.shown == []


def test_a_peer_of_another_authority_is_not_believed(peer, issuer, stranger, lab):
    one = peer("localhost", trusts=issuer)
    with pytest.raises(SourceError, match="is not accepted") as caught:
        ask(settings(stranger, lab), f"https://localhost:{one.port}/")
    assert "ca_file" in caught.value.next
    with pytest.raises(SourceError, match="is not accepted") as caught:
        ask({}, f"https://localhost:{one.port}/")
    assert "ca_file" in caught.value.next
    assert one.shown == []


def test_a_certificate_for_another_host_is_not_believed(peer, issuer, lab):
    one = peer("localhost", trusts=issuer)
    with pytest.raises(SourceError, match=r"is not accepted: .*mismatch") as caught:
        ask(settings(issuer, lab), f"https://127.0.0.1:{one.port}/")
    assert "address" in caught.value.next
    assert one.shown == []


def test_a_peer_whose_certificate_ended_is_not_believed(peer, issuer, lab):
    old = issuer.issue("old", "localhost", start=dt.timedelta(days=-3), end=dt.timedelta(days=-2))
    one = peer(issued=old, trusts=issuer)
    with pytest.raises(SourceError, match="expired"):
        ask(settings(issuer, lab), f"https://localhost:{one.port}/")


def test_the_certificate_is_not_shown_to_the_host_of_a_redirect(peer, issuer, lab, monkeypatch):
    trusting = ssl.create_default_context(cafile=issuer.file)
    monkeypatch.setattr(transport, "public", lambda: trusting)
    home = peer("localhost", trusts=issuer, status="302 Found")
    other = peer("127.0.0.1", trusts=issuer, demands=False)
    home.location = f"https://127.0.0.1:{other.port}/"
    assert ask(settings(issuer, lab), f"https://localhost:{home.port}/", token="tok-1234567890").body == {}
    assert (home.shown, other.shown) == (["lab"], [None])


def test_a_private_authority_says_nothing_about_other_hosts(peer, issuer, lab):
    home = peer("localhost", trusts=issuer, status="302 Found")
    other = peer("127.0.0.1")
    home.location = f"https://127.0.0.1:{other.port}/"
    with pytest.raises(SourceError, match=r"certificate of 127\.0\.0\.1 is not accepted"):
        ask(settings(issuer, lab), f"https://localhost:{home.port}/")
    assert other.shown == []


def test_a_host_that_was_named_besides_gets_the_same(peer, issuer, lab):
    home = peer("localhost", trusts=issuer, status="302 Found")
    other = peer("127.0.0.1", trusts=issuer)
    home.location = f"https://127.0.0.1:{other.port}/"
    said = settings(issuer, lab, tls_hosts=["127.0.0.1"])
    assert ask(said, f"https://localhost:{home.port}/").body == {}
    assert other.shown == ["lab"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the server's old version
def test_nothing_older_than_tls_1_2_is_spoken(peer, issuer, lab):
    assert Tls.read(settings(issuer, lab), ["https://localhost"], HERE).context().minimum_version == ssl.TLSVersion.TLSv1_2
    assert module.public().minimum_version == ssl.TLSVersion.TLSv1_2
    old = [("minimum_version", ssl.TLSVersion.TLSv1_1), ("maximum_version", ssl.TLSVersion.TLSv1_1)]
    one = peer("localhost", trusts=issuer, versions=old)
    one.context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(SourceError, match=r"TLS 1\.2"):
        ask(settings(issuer, lab), f"https://localhost:{one.port}/")
    new = peer("localhost", trusts=issuer, versions=[("maximum_version", ssl.TLSVersion.TLSv1_2)])
    ask(settings(issuer, lab), f"https://localhost:{new.port}/")
    assert new.versions == ["TLSv1.2"]


def test_an_encrypted_key_opens_with_the_password_of_the_environment(peer, issuer, monkeypatch):
    locked = issuer.issue("locked", password="open-sesame-42")
    one = peer("localhost", trusts=issuer)
    said = settings(issuer, locked, client_key_password_env="LAB_KEY_PASSWORD")
    monkeypatch.setenv("LAB_KEY_PASSWORD", "open-sesame-42")
    ask(said, f"https://localhost:{one.port}/")
    assert one.shown == ["locked"]


def test_a_renewed_certificate_is_read_anew(peer, issuer, tmp_path):
    first, second = issuer.issue("first"), issuer.issue("second")
    both = tmp_path / "both.pem"
    both.touch(mode=0o600)
    one = peer("localhost", trusts=issuer)
    for issued in (first, second):
        both.write_bytes(issued.certificate.read_bytes() + issued.key.read_bytes())
        ask({"ca_file": str(issuer.file), "client_certificate": str(both)}, f"https://localhost:{one.port}/")
    assert one.shown == ["first", "second"]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_file_comes_whole_through_tls(peer, issuer, lab, tmp_path, version):
    data = bytes(range(256)) * 20_000
    one = peer("localhost", trusts=issuer, answer=data, versions=[("maximum_version", version)])
    found = Tls.read(settings(issuer, lab), [f"https://localhost:{one.port}"], HERE)
    with HttpClient(Reach(loopback=True, tls=found), QUICK) as client:
        landed = client.download(f"https://localhost:{one.port}/", Landing(tmp_path), "a.bin", limit=len(data))
    assert landed.path.read_bytes() == data


def broken(issuer, folder):
    """Yield the settings that will not do, what is said of them, and what to do."""
    fine, other = issuer.issue("fine"), issuer.issue("other")
    ended = issuer.issue("ended", start=dt.timedelta(days=-3), end=dt.timedelta(days=-2))
    young = issuer.issue("young", start=dt.timedelta(days=2), end=dt.timedelta(days=3))
    open_ = issuer.issue("open", mode=0o640)
    locked = issuer.issue("locked-2", password="open-sesame-42")
    (folder / "text.pem").write_text("nothing\n")
    (folder / "text.pem").chmod(0o600)
    (folder / "cut.pem").write_bytes(fine.certificate.read_bytes()[:200] + b"\n-----END CERTIFICATE-----\n")
    text, gone = str(folder / "text.pem"), str(folder / "gone.pem")
    yield settings(issuer, fine) | {"client_certificate": gone}, "cannot be read", "path"
    yield settings(issuer, fine) | {"client_certificate": str(folder)}, "cannot be read", "path"
    yield settings(issuer, fine) | {"client_key": gone}, "cannot be read", "path"
    yield settings(issuer, fine) | {"ca_file": gone}, "cannot be read", "path"
    yield settings(issuer, fine) | {"ca_file": text}, "no certificate", "authority"
    yield settings(issuer, fine) | {"client_certificate": text}, "no certificate", "BEGIN CERTIFICATE"
    yield settings(issuer, fine) | {"client_certificate": str(folder / "cut.pem")}, "no certificate", "BEGIN CERTIFICATE"
    yield settings(issuer, fine) | {"client_key": text}, "no private key", "client_key"
    yield settings(issuer, fine) | {"client_key": str(other.key)}, "does not belong", "issued for"
    yield settings(issuer, ended), "ended on", "new one"
    yield settings(issuer, young), "only begins on", "clock"
    yield settings(issuer, open_), r"others .* can read .*0640", "chmod 600"
    yield settings(issuer, locked), "encrypted", "client_key_password_env"
    yield settings(issuer, locked, client_key_password_env="NOT_SET_AT_ALL"), "NOT_SET_AT_ALL", "set it"
    yield settings(issuer, locked, client_key_password_env="WRONG_PASSWORD"), "does not open", "WRONG_PASSWORD"


def test_what_will_not_do_is_told_with_what_to_do(issuer, tmp_path, monkeypatch):
    monkeypatch.setenv("WRONG_PASSWORD", "not-the-password-1")
    for said, words, advice in broken(issuer, tmp_path):
        with (
            pytest.raises(SettingsError, match=words) as caught,
            HttpClient(Reach(tls=Tls.read(said, ["https://a.example"], HERE))),
        ):
            pass
        told = str(caught.value)
        assert advice in caught.value.next, told
        assert HERE in told
        assert "not-the-password-1" not in told
        key = Path(said["client_key"])
        if key.exists():
            assert not any(line in told for line in key.read_text().splitlines() if "-" not in line and len(line) > 10)


def test_a_key_that_belongs_to_another_account_is_its_owners_affair(issuer, monkeypatch):
    shared = issuer.issue("shared", mode=0o640)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)
    Tls.read(settings(issuer, shared), ["https://a.example"], HERE).context()


@pytest.mark.parametrize(
    ("said", "address", "words"),
    [
        ({"client_certificate": 1}, "https://a.example", "text in quotes"),
        ({"client_certificate": ""}, "https://a.example", "text in quotes"),
        ({"tls_hosts": "b.example", "ca_file": "x"}, "https://a.example", "a list"),
        ({"tls_hosts": ["b.example"]}, "https://a.example", "without"),
        ({"client_key": "k.pem"}, "https://a.example", "without client_certificate"),
        ({"client_key_password_env": "X", "ca_file": "x"}, "https://a.example", "without client_certificate"),
        ({"client_certificate": "c.pem"}, "http://a.example", "not spoken to by TLS"),
    ],
)
def test_a_table_that_says_half_of_it_is_refused(said, address, words):
    with pytest.raises(SettingsError, match=words):
        Tls.read(said, [address], HERE)


def test_nothing_said_is_nothing_done():
    assert Tls.read({"url": "http://a.example", "hosts": []}, ["http://a.example"], HERE) == Tls()


def test_names_are_compared_as_they_stand_on_the_wire():
    found = Tls.read({"ca_file": "x"}, ["https://Münster.example:8443/x"], HERE)
    assert found.covers("xn--mnster-3ya.example")
    assert found.covers("MÜNSTER.example")
    assert not found.covers("munster.example")


def test_dates_are_those_of_the_certificate(issuer, lab):
    from cryptography import x509

    for path in (lab.certificate, issuer.file):
        known = x509.load_pem_x509_certificate(path.read_bytes())
        der = ssl.PEM_cert_to_DER_cert(path.read_text())
        assert validity(der) == (known.not_valid_before_utc, known.not_valid_after_utc)
        for cut in range(0, len(der) - 1, 7):
            with contextlib.suppress(ValueError):
                assert validity(der[:cut]) == (known.not_valid_before_utc, known.not_valid_after_utc)
