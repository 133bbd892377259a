"""What stands in a connector's table, and what is said where it cannot be meant."""

from __future__ import annotations

import pytest
from datalab_connectors.doorstep import Doorstep
from datalab_connectors.table import Table

from datalab.errors import NotFound, SettingsError, SourceError

KINDS = {
    "url": str,
    "hosts": list,
    "patience": int,
    "harvest": bool,
    "bucket": dict,
    "token_env": str,
    "listen": str,
    "key": str,
}


def table(**values):
    return Table.of("space", values, KINDS)


def test_what_stands_there_and_what_holds_where_nothing_does():
    said = table(url="https://a.example", hosts=["b.example"], patience=3, harvest=False, bucket={"kind": "s3"})
    assert said.needed("url", "https://…") == "https://a.example"
    assert (said.texts("hosts"), said.number("patience", 60), said.flag("harvest", True)) == (("b.example",), 3, False)
    assert said.table("bucket") == {"kind": "s3"}
    empty = table(kind="dsp")
    assert (empty.text("url"), empty.texts("hosts"), empty.number("patience", 60), empty.flag("harvest", True)) == (
        "", (), 60, True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("values", "error", "said"),
    [
        ({"hots": ["a"]}, NotFound, "hosts"),
        ({"hosts": "a.example"}, SettingsError, 'write hosts = \\["…"\\]'),
        ({"hosts": [1]}, SettingsError, "list of texts"),
        ({"patience": "long"}, SettingsError, "whole number"),
        ({"patience": True}, SettingsError, "whole number"),
        ({"harvest": "no"}, SettingsError, "true or false"),
        ({"url": 8080}, SettingsError, "text in quotes"),
        ({"bucket": "landing"}, SettingsError, "table of its own"),
    ],
)
def test_another_key_or_type_is_told_with_the_remedy(values, error, said):
    with pytest.raises(error, match=said) as caught:
        table(**values)
    assert "datalab.toml, [connectors.space]" in str(caught.value)


def test_what_is_missing_or_out_of_range_is_told_with_the_remedy(monkeypatch):
    monkeypatch.delenv("NOT_SET", raising=False)
    asked = [
        (lambda: table().needed("url", "https://…"), 'write url = "https://…"'),
        (lambda: table(patience=0).number("patience", 60), "from 1"),
        (lambda: table(listen="8080").doorstep(8765), "0.0.0.0:8765"),
        (lambda: table(listen="a:99999").doorstep(8765), "0.0.0.0:8765"),
        (
            lambda: table(token_env="NOT_SET").from_environment("token_env", "set it to what they gave you"),
            "what they gave you",
        ),
        (lambda: table(url="http://[::1").reach("http://[::1"), "cannot be read"),
    ]
    for ask, remedy in asked:
        with pytest.raises(SettingsError) as caught:
            ask()
        assert remedy in str(caught.value)
        assert "connectors.space" in caught.value.where


def test_a_secret_is_read_when_it_is_asked_for_and_never_shown(monkeypatch):
    monkeypatch.setenv("SPACE_TOKEN", "token-0123456789")
    assert table(key="env:SPACE_TOKEN").secret("key") == "token-0123456789"
    assert table(token_env="SPACE_TOKEN").from_environment("token_env", "") == "token-0123456789"
    assert (table().secret("key"), table().from_environment("token_env", "")) == ("", "")
    with pytest.raises(SettingsError, match="reference") as caught:
        table(key="hunter-two-hunter").secret("key")
    assert "hunter-two" not in str(caught.value)


def test_a_doorstep():
    assert table(listen="[::]:8765").doorstep(1) == Doorstep("::", 8765)
    assert table().doorstep(1) == Doorstep()


def test_nothing_is_within_reach_but_what_was_named():
    reach = table(hosts=["b.example", "127.0.0.1"]).reach("https://a.example/x")
    assert reach.hosts == {"a.example", "b.example", "127.0.0.1"}
    assert not reach.loopback
    assert table().reach("http://localhost:1").loopback
    with pytest.raises(SourceError, match="not one of those allowed"):
        table().reach("no address").check_url("https://example.org")
