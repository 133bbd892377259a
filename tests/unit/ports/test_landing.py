from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datalab.errors import SourceError
from datalab.ports.landing import Landing, safe_name

DATA = b"id,name\n1,x\n"
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path / "landing")


def files(landing: Landing) -> list[str]:
    return sorted(path.relative_to(landing.root).as_posix() for path in landing.root.rglob("*") if path.is_file())


def test_a_file_stands_under_its_digest_once_it_is_whole(landing: Landing) -> None:
    with landing.receive("a.csv", limit=100, sha256=DIGEST.upper()) as arrival:
        arrival.write(DATA[:3])
        arrival.write(DATA[3:])
        assert arrival.landed is None
    assert files(landing) == [f"{DIGEST[:2]}/{DIGEST}-a.csv"]
    assert arrival.landed == landing.find(DIGEST) == landing.find(DIGEST.upper())
    assert arrival.landed.path.read_bytes() == DATA


def test_what_lands_is_for_the_owner_only(landing: Landing) -> None:
    with landing.receive("a.csv", limit=100) as arrival:
        arrival.write(DATA)
    assert [path.stat().st_mode & 0o077 for path in (landing.root, arrival.landed.path.parent, arrival.landed.path)] == [
        0,
        0,
        0,
    ]


HOSTILE = [
    "../../etc/passwd",
    "/etc/passwd",
    "..",
    ".",
    "",
    ".ssh",
    "a/../../b",
    "C:\\x\\y",
    "a\0b",
    "\n",
    "x" * 5000,
    "ü€",
    "~",
    "-rf",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_inside(landing: Landing, name: str) -> None:
    with landing.receive(name, limit=100) as arrival:
        arrival.write(DATA)
    assert arrival.landed.path.parent.parent == landing.root
    assert len(files(landing)) == 1


@given(st.text(max_size=300))
def test_a_safe_name_is_short_visible_and_plain(name: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9-][A-Za-z0-9._-]{0,99}", safe_name(name))


@given(st.text(st.sampled_from("a._"), min_size=90, max_size=220))
def test_a_cut_name_is_not_hidden_either(name: str) -> None:
    assert not safe_name(name).startswith((".", "_"))


def test_more_than_the_limit_is_refused_and_leaves_nothing(landing: Landing) -> None:
    with pytest.raises(SourceError, match="larger than the 5 bytes"), landing.receive("a", limit=5) as arrival:
        arrival.write(b"12345")
        arrival.write(b"6")
    assert files(landing) == []


def test_bytes_that_differ_from_what_was_announced_leave_nothing(landing: Landing) -> None:
    with (
        pytest.raises(SourceError, match="differ from what was announced"),
        landing.receive("a", limit=5, sha256="0" * 64) as arrival,
    ):
        arrival.write(b"12345")
    assert files(landing) == []


@pytest.mark.parametrize("announced", ["abc", "*" * 64, "../" * 22, DIGEST + "0"])
def test_what_is_no_digest_is_never_used_as_one(landing: Landing, announced: str) -> None:
    assert landing.find(announced) is None
    with pytest.raises(SourceError, match="no SHA-256"), landing.receive("a", limit=5, sha256=announced):
        pass
    assert files(landing) == []


@pytest.mark.parametrize("crash", [RuntimeError, KeyboardInterrupt, OSError])
def test_a_crash_on_the_way_leaves_nothing(landing: Landing, crash: type[BaseException]) -> None:
    with pytest.raises(crash), landing.receive("a", limit=5) as arrival:
        arrival.write(b"123")
        raise crash
    assert files(landing) == []


def test_a_file_that_was_altered_since_is_not_found(landing: Landing) -> None:
    with landing.receive("a", limit=100) as arrival:
        arrival.write(DATA)
    arrival.landed.path.write_bytes(DATA + b"!")
    assert landing.find(DIGEST) is None


def test_an_empty_file_lands_too(landing: Landing) -> None:
    with landing.receive("a", limit=0) as arrival:
        pass
    assert arrival.landed.sha256 == hashlib.sha256(b"").hexdigest()
