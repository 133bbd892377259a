"""``datalab login``, and what a lab can do afterwards: find, agree, fetch and prepare through a Simpl node."""

from __future__ import annotations

import json
import threading
import webbrowser

import httpx
import pytest
from datalab_connectors.sandbox.identity import REALM

NODE = '[connectors.node]\nkind = "simpl"\nurl = "{url}"\nissuer = "{url}{realm}"\npatience = 20\n'
DATASET = "node:did:web:registry.sandbox.datalab.example:DataOffering:visitors"


@pytest.fixture
def lab(folder, space, monkeypatch):
    """A lab with a Simpl node, and a person at a browser."""
    with (folder / "datalab.toml").open("a") as stream:
        stream.write(NODE.format(url=space, realm=REALM))
    with (folder / "pipelines" / "museum.py").open("a") as stream:
        stream.write(f'through_simpl = made("through-simpl", dataset="{DATASET}")\n')

    def browse(address):
        get = {"trust_env": False, "follow_redirects": True}
        threading.Thread(target=httpx.get, args=(address,), kwargs=get).start()

    monkeypatch.setattr(webbrowser, "open", browse)
    return folder


def test_log_in_find_run_and_log_out(lab, call):
    refused = call(lab, "run", "through-simpl")
    assert refused.code == 4
    assert "next:  datalab login node" in refused.err

    done = call(lab, "login", "node")
    assert (done.code, done.out) == (0, "node: logged in; the token is good for 300 s and will be refreshed\n")
    assert "openid-connect/auth?response_type=code" in done.err
    assert DATASET in call(lab, "discover", "museum").out
    result = call(lab, "run", "through-simpl", "--json")
    assert result.code == 0
    assert json.loads(result.out)["digest"] == json.loads(call(lab, "run", "visitors", "--json").out)["digest"]

    assert json.loads(call(lab, "login", "node", "--out", "--json").out)["changed"]
    assert call(lab, "login", "node", "--out").out == "node: nobody was logged in\n"


def test_what_has_no_login_says_so(lab, call):
    assert "has no login" in call(lab, "login", "space").err
    assert "did you mean 'node'" in call(lab, "login", "nod").err
