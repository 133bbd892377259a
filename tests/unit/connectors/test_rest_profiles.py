"""Profiles, pointers and pages of REST catalogues."""

from __future__ import annotations

import pytest
from datalab_connectors.rest.pages import hits
from datalab_connectors.rest.pointer import first, texts, values
from datalab_connectors.rest.profile import load_profile, read_profile
from hypothesis import given
from hypothesis import strategies as st

from datalab.errors import NotFound, ProtocolError, SettingsError

LEAST = """
title = "T"
[search]
path = "/find"
items = "/hits"
size = "n"
most = 2
[page]
style = "offset"
parameter = "from"
next = "/total"
[record]
path = "/one/{0}"
id = ["/id"]
[fields]
title = ["/name"]
"""
JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=3), x, max_size=3), max_leaves=12)  # fmt: skip


@pytest.mark.parametrize("name", ["europeana", "openaire", "stac"])
def test_the_profiles_that_come_along_are_whole(name):
    profile = load_profile(name, where="here")
    assert profile["fields"]["licence"]
    assert profile[""]["documentation"]


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (("title =", "titel ="), NotFound, "titel"),
        (("[search]", "[serach]"), NotFound, "serach"),
        (('style = "offset"', 'style = "ofset"'), NotFound, "ofset"),
        (('items = "/hits"', 'items = "hits"'), SettingsError, "JSON pointer"),
        (('title = ["/name"]', 'title = "/name"'), SettingsError, "list of pointers"),
        (('path = "/find"', ""), SettingsError, "'path'"),
        (("most = 2", "most = 2.5"), SettingsError, "whole number"),
        (('title = "T"', "title = "), SettingsError, "TOML"),
    ],
)
def test_a_profile_with_a_fault_is_told_where(change, error, said):
    with pytest.raises(error, match=said):
        read_profile("mine", LEAST.replace(*change))


def test_an_unknown_profile_is_not_found():
    with pytest.raises(NotFound, match="euro"):
        load_profile("euro", where="here")
    with pytest.raises(SettingsError, match="cannot be read"):
        load_profile("/nowhere/x.toml", where="here")


def test_pointers():
    body = {"a": [{"b": ["x", "y"]}, {"b": "z"}], "c/d": {"~": 1}, "e": {"de": "eins", "en": "one"}, "t": True, "n": None}
    assert list(values(body, "/a/*/b")) == [["x", "y"], "z"]
    assert list(values(body, "/c~1d/~0")) == [1]
    assert list(values(body, "")) == [body]
    assert list(values(body, "/a/5/b")) == []
    assert texts(body, ["/nothing", "/a/*/b"]) == ["x", "y", "z"]
    assert first(body, ["/e/*"]) == "eins"
    assert first(body, ["/t", "/n", "/a"]) == ""


@given(JSON, st.text(max_size=12))
def test_no_pointer_fails_on_any_body(body, text):
    list(values(body, "/" + text))
    texts(body, ["/" + text, "/*/*"])


def pages(style, answers, changes=()):
    text = LEAST
    for old, new in changes:
        text = text.replace(old, new)
    asked = []

    def ask(url):
        asked.append(url)
        return answers(url)

    found = [item for item, _ in hits(read_profile("mine", text), "https://api.example", "", 10, ask)]
    return found, asked


def test_pages_by_offset():
    def answer(url):
        start = int(url.partition("from=")[2] or 0)
        return {"hits": list(range(start, min(start + 2, 5))), "total": 5}

    found, asked = pages("offset", answer)
    assert found == [0, 1, 2, 3, 4]
    assert asked[1:] == ["https://api.example/find?n=2&from=2", "https://api.example/find?n=2&from=4"]


def test_pages_by_number():
    changes = [('style = "offset"', 'style = "number"\nstart = "1"'), ('next = "/total"', "")]
    found, asked = pages("number", lambda url: {"hits": [url[-1]] if "from=3" not in url else []}, changes)
    assert found == ["1", "2"]
    assert len(asked) == 3


def test_pages_by_cursor_end_when_the_cursor_comes_again():
    changes = [('style = "offset"', 'style = "cursor"\nstart = "*"'), ("/total", "/next")]
    found, asked = pages("cursor", lambda url: {"hits": [1], "next": "again & again"}, changes)
    assert found == [1, 1]
    assert asked[1] == "https://api.example/find?n=2&from=again+%26+again"


def test_pages_by_link_stay_on_their_server():
    changes = [('style = "offset"', 'style = "link"\nlinks = "/links"'), ('next = "/total"', "")]
    links = [{"rel": "self", "href": "x"}, {"rel": "next", "href": "/find?page=2"}]
    found, asked = pages("link", lambda url: {"hits": [1], "links": [] if "page" in url else links}, changes)
    assert (found, asked[1]) == ([1, 1], "https://api.example/find?page=2")
    away = [{"rel": "next", "href": "https://elsewhere.example/find"}]
    with pytest.raises(ProtocolError, match="another server"):
        pages("link", lambda url: {"hits": [1], "links": away}, changes)


@pytest.mark.parametrize("body", [{}, [], None, {"hits": {}}, {"hits": "x"}])
def test_a_page_of_another_shape_breaks_the_protocol(body):
    with pytest.raises(ProtocolError, match="without /hits"):
        pages("offset", lambda url: body)
