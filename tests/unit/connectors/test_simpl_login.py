"""Logging in at a node: a person with a browser, or a client with its secret; refreshed, kept for one user, and never told."""

from __future__ import annotations

import contextlib
import json
import socket
import stat
import threading
import time
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from datalab_connectors.sandbox.identity import REALM
from datalab_connectors.simpl import SimplConnector, login
from datalab_connectors.simpl.login import obtain_code

from datalab.errors import PolicyRefusal, ProtocolError, SettingsError, SourceError
from datalab.model.offer import Query
from tests.unit.connectors.simpl_space import BICYCLES


def browse(address):
    """Do what a browser does: open the address, and follow where it leads."""
    threading.Thread(target=lambda: httpx.get(address, trust_env=False, follow_redirects=True)).start()


@pytest.fixture
def person(space, tmp_path):
    """A connector whose node wants a person."""
    return SimplConnector("node", {"url": space.url, "issuer": f"{space.url}{REALM}"}, tmp_path / "person")


def held(tmp_path):
    return json.loads((tmp_path / "person" / "tokens.json").read_text())


def test_a_person_logs_in_once_and_the_lab_goes_on(space, person, tmp_path):
    with pytest.raises(SourceError, match="nobody is logged in") as caught:
        person.offer(BICYCLES)
    assert caught.value.next == "datalab login node"

    assert person.log_in(browse) == pytest.approx(300, abs=2)
    assert person.offer(BICYCLES).title == "Vélos in Luxembourg"
    another_process = SimplConnector("node", {"url": space.url, "issuer": f"{space.url}{REALM}"}, tmp_path / "person")
    assert list(another_process.search(Query("bicycle")))
    assert stat.S_IMODE((tmp_path / "person" / "tokens.json").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "person").iterdir() if path.name.startswith(".")] == []

    assert person.log_out()
    assert not person.log_out()
    with pytest.raises(SourceError, match="nobody is logged in"):
        person.offer(BICYCLES)


def test_a_token_is_refreshed_before_it_ends_and_when_it_is_refused(space, person, tmp_path):
    person.log_in(browse)
    first = held(tmp_path)
    space.node.realm._access.clear()  # the node restarted: it knows no token any more
    assert person.offer(BICYCLES)
    second = held(tmp_path)
    assert second["access"] != first["access"]
    assert second["refresh"] != first["refresh"]

    (tmp_path / "person" / "tokens.json").write_text(json.dumps({**second, "until": time.time() + 5}))
    assert person.offer(BICYCLES)
    assert held(tmp_path)["access"] != second["access"]


def test_two_at_once_refresh_once(space, person, tmp_path):
    person.log_in(browse)
    (tmp_path / "person" / "tokens.json").write_text(json.dumps({**held(tmp_path), "until": 0}))
    found = []
    threads = [threading.Thread(target=lambda: found.append(person.offer(BICYCLES))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    refreshed = [kept for kept in space.recorder.exchanges if b"refresh_token" in kept.sent]
    assert (len(found), len(refreshed)) == (3, 1)


def test_a_login_that_ended_asks_for_another(space, person, tmp_path):
    person.log_in(browse)
    space.node.realm._access.clear()
    space.node.realm._refresh.clear()
    with pytest.raises(SourceError, match="the login has ended") as caught:
        person.offer(BICYCLES)
    assert caught.value.next == "datalab login node"


def test_client_credentials_are_renewed_by_themselves(space, simpl):
    connector = simpl()
    assert connector.offer(BICYCLES)
    space.node.realm._access.clear()
    assert connector.offer(BICYCLES)


def test_a_wrong_secret_is_a_refusal_that_does_not_tell_it(simpl, monkeypatch):
    connector = simpl()
    monkeypatch.setenv("SIMPL_SECRET", "hunter2-hunter2-hunter2")
    with pytest.raises(PolicyRefusal, match="Invalid client") as caught:
        simpl().offer(BICYCLES)
    assert "hunter2" not in str(caught.value)
    monkeypatch.delenv("SIMPL_SECRET")
    with pytest.raises(SettingsError, match="SIMPL_SECRET"):
        simpl()
    assert "sandbox-only" not in repr(connector.__dict__)


def code(show, **more):
    return obtain_code("https://idp.example/auth", "https://idp.example", "cli", "openid", show, **more)


def answer(address, **said):
    asked = {key: values[0] for key, values in parse_qs(urlsplit(address).query).items()}
    query = urlencode({"state": asked["state"], **said})
    return httpx.get(f"{asked['redirect_uri']}?{query}", trust_env=False)


def later(act):
    return lambda address: threading.Thread(target=act, args=(address,)).start()


def test_the_listener_takes_one_answer_with_our_state_and_nothing_else():
    seen = []

    def strangers_first(address):
        redirect = parse_qs(urlsplit(address).query)["redirect_uri"][0]
        seen.append(httpx.get(redirect.replace("/callback", "/"), trust_env=False).status_code)
        seen.append(httpx.get(f"{redirect}?code=evil&state=guessed", trust_env=False).status_code)
        seen.append(answer(address, code="good").status_code)

    found = code(later(strangers_first), seconds=10)
    assert (found.value, seen[:2]) == ("good", [404, 404])
    assert "good" not in repr(found)
    assert found.verifier not in repr(found)


def test_what_the_identity_provider_refuses_or_another_one_answers():
    with pytest.raises(PolicyRefusal, match="access_denied"):
        code(later(lambda address: answer(address, error="access_denied")), seconds=10)
    with pytest.raises(SourceError, match="another identity provider"):
        code(later(lambda address: answer(address, code="x", iss="https://evil.example")), seconds=10)
    with pytest.raises(SourceError, match="nobody logged in"):
        code(lambda address: None, seconds=0.05)


@pytest.mark.parametrize(
    "body",
    [[], {}, {"access_token": 7}, {"access_token": "a\r\nx: y"}, {"access_token": "a", "token_type": "mac"}, b"<html>"],
    ids=str,
)
def test_an_answer_without_a_bearer_token_is_a_broken_protocol(stub, tmp_path, monkeypatch, body):
    monkeypatch.setenv("SECRET", "s" * 20)
    stub.says["POST", "/realm/protocol/openid-connect/token"] = body
    connector = stub.connector(tmp_path, issuer=f"{stub.url}/realm", client_secret_env="SECRET")
    with pytest.raises(ProtocolError):
        connector.offer(BICYCLES)


def test_the_sandbox_takes_no_shortcuts(space):
    base = f"{space.url}{REALM}/protocol/openid-connect"
    asked = {"client_id": "frontend-cli", "redirect_uri": "http://127.0.0.1:9/cb", "response_type": "code", "state": "s"}

    def get(**more):
        return httpx.get(f"{base}/auth", params={**asked, **more}, trust_env=False)

    assert "invalid_request" in get().headers["location"]
    assert get(redirect_uri="https://evil.example/").status_code == 400
    assert get(client_id="other").status_code == 400
    proof = {"code_challenge": "x" * 43, "code_challenge_method": "S256"}
    given = parse_qs(urlsplit(get(**proof).headers["location"]).query)["code"][0]
    redeem = {
        "grant_type": "authorization_code",
        "code": given,
        "client_id": "frontend-cli",
        "redirect_uri": asked["redirect_uri"],
    }
    answer = httpx.post(f"{base}/token", data={**redeem, "code_verifier": "wrong"}, trust_env=False)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert httpx.post(f"{base}/token", data={"grant_type": "password"}, trust_env=False).status_code == 400


def test_a_stranger_who_drips_does_not_keep_the_browser_waiting(monkeypatch):
    monkeypatch.setattr(login._Answer, "timeout", 0.4)

    def come(address):
        asked = parse_qs(urlsplit(address).query)
        back = urlsplit(asked["redirect_uri"][0])

        def drip():
            with contextlib.suppress(OSError), socket.create_connection((back.hostname, back.port), timeout=5) as link:
                threading.Thread(target=browser).start()
                for _ in range(200):  # a byte before each read ends
                    link.sendall(b"G")
                    time.sleep(0.05)

        def browser():
            httpx.get(f"{back.geturl()}?{urlencode({'code': 'c0de', 'state': asked['state'][0]})}", trust_env=False, timeout=20)

        threading.Thread(target=drip).start()

    began = time.monotonic()
    found = obtain_code("http://127.0.0.1:9/auth", "http://127.0.0.1:9", "lab", "openid", come, seconds=15)
    assert found.value == "c0de"
    assert time.monotonic() - began < 5
