from __future__ import annotations

import socket
import subprocess
import sys

import polars as pl
import pytest

from datalab.errors import NotFound, SchemaError, UsageError
from datalab.services import scrubbing as scrub
from datalab.services.scrubbing.presidio import engine


class Room:
    seed = 0
    part = 0

    def secret(self, name: str) -> bytes:
        return b"k" * 32

    def reference(self, name: str) -> pl.DataFrame:
        raise AssertionError(name)


def test_texts_are_scrubbed_by_presidios_recognisers():
    frame = pl.DataFrame({"t": ["écrire à a@b.org", None, "écrire à a@b.org", "rien"]})
    outcome = scrub.Presidio("t", ("EMAIL_ADDRESS",), language="fr").apply(frame, Room())

    assert outcome.frame["t"].to_list() == ["écrire à <EMAIL_ADDRESS>", None, "écrire à <EMAIL_ADDRESS>", "rien"]
    assert outcome.counts == {"redact:EMAIL_ADDRESS": 2}
    assert outcome.quarantined is None


def test_european_phones_and_cards_that_plain_presidio_misses():
    frame = pl.DataFrame({"t": ["Karte 4111111111111111, Tel. 030 12345678"]})
    outcome = scrub.Presidio("t", ("CREDIT_CARD", "PHONE_NUMBER"), language="de").apply(frame, Room())

    assert outcome.frame["t"].to_list() == ["Karte <CREDIT_CARD>, Tel. <PHONE_NUMBER>"]


def test_a_text_on_which_a_pattern_runs_out_of_time_is_quarantined():
    door = engine("en")
    watched = next(item for item in door.analyser.registry.recognizers if item.name == "EmailRecognizer").patterns[0]
    kept = watched.compiled_regex

    class Late:
        def finditer(self, text, timeout=None):
            if "slow" in text:
                raise TimeoutError
            return iter(())

    watched.compiled_regex = type(kept)(Late(), door.clock)
    try:
        outcome = scrub.Presidio("t").apply(
            pl.DataFrame({"t": ["quick", "slow 4111111111111111", None, "slow 4111111111111111"]}), Room()
        )
    finally:
        watched.compiled_regex = kept

    assert outcome.quarantined.to_list() == [None, "presidio-timeout", None, "presidio-timeout"]
    assert "4111" not in str(outcome.frame)


def test_nothing_reaches_for_the_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    engine.cache_clear()

    assert scrub.Presidio("t").apply(pl.DataFrame({"t": ["a@b.co.uk"]}), Room()).counts == {"redact:EMAIL_ADDRESS": 1}


def test_binding_names_what_presidio_does_not_know():
    schema = pl.Schema({"t": pl.String, "n": pl.Int64})

    assert scrub.Presidio("t").bind(schema).derivations["t"].masking
    with pytest.raises(NotFound, match="EMAIL_ADDRESS"):
        scrub.Presidio("t", ("EMAIL_ADRESS",)).bind(schema)
    with pytest.raises(SchemaError):
        scrub.Presidio("n").bind(schema)
    with pytest.raises(NotFound):
        scrub.Presidio("t", action="keep")
    with pytest.raises(UsageError):
        scrub.Presidio("t", threshold=2)


def test_the_package_does_not_load_presidio_until_the_step_is_used():
    code = "import sys; import datalab.services.scrubbing as s; s.Presidio('t'); print({'presidio_analyzer', 'spacy', 'phonenumbers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"
