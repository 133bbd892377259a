from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datalab.errors import NotFound, SchemaError, UsageError
from datalab.services import scrubbing as scrub
from datalab.services.scrubbing.pseudonyms import canonical, key_id, token

KEY = b"0123456789abcdef0123456789abcdef"


class Room:
    seed = 0
    part = 0

    def secret(self, name: str) -> bytes:
        assert name == "pseudonyms"
        return KEY

    def reference(self, name: str) -> pl.DataFrame:
        raise AssertionError(name)


def after(values, action, dtype=pl.String):
    step = scrub.Columns({"c": action})
    frame = pl.DataFrame({"c": pl.Series(values, dtype=dtype)})
    outcome = step.apply(frame, Room())
    assert outcome.frame.schema == step.bind(frame.schema).schema
    return outcome.frame["c"].to_list() if "c" in outcome.frame else None


def test_the_actions_on_whole_columns():
    assert after(["a", None], "redact") == [None, None]
    assert after([1, 2], "redact", pl.Int64) == [None, None]
    assert after(["a"], "drop") is None
    assert after(["DE89 3704 0044 0532", "1234567", None, ""], "mask") == ["**** **** **** 0532", "*******", None, ""]
    assert after(["ÄÖÜ-77", "x"], scrub.Mask(keep=2)) == ["***-77", "*"]
    assert after(["abc"], scrub.Mask(keep=0)) == ["***"]
    assert after([12345678], "mask", pl.Int64) == ["****5678"]
    assert after(["1985-03-12", "1985-03-12T10:00:00Z", None], "year") == [1985, 1985, None]
    assert after([dt.date(1985, 3, 12)], "year", pl.Date) == [1985]


def test_age_bands_count_birthdays_and_pool_the_oldest():
    born = ["2000-06-15", "2000-06-16", "1930-01-01", "2025-01-01", "1985-03-12"]

    assert after(born, scrub.AgeBand("2025-06-15")) == ["20-29", "20-29", "90+", "0-9", "40-49"]
    assert after(born[:2], scrub.AgeBand("2025-06-15", width=5)) == ["25-29", "20-24"]
    assert after(["1936-01-01"], scrub.AgeBand("2025-06-15", width=20)) == ["80-89"]


def test_a_date_that_cannot_be_read_is_quarantined():
    frame = pl.DataFrame({"born": ["1985-03-12", "unknown", None, "1985-13-12"]})
    outcome = scrub.Columns({"born": "year"}).apply(frame, Room())

    assert outcome.quarantined.to_list() == [None, "date-unreadable", None, "date-unreadable"]


def test_pseudonyms_join_across_formats_and_with_text():
    phones = after(
        ["+33 6 12 34 56 78", "0612345678", None, "+33612345678"], scrub.Pseudonym("phone", region="FR", prefix="P-")
    )

    assert phones == ["P-" + token(KEY, "phone", "+33612345678")] * 2 + [None, phones[0]]
    text = scrub.Text("t", action="pseudonymise").apply(pl.DataFrame({"t": ["A@B.org"]}), Room()).frame["t"].to_list()[0]
    assert after(["a@b.org"], scrub.Pseudonym("email"))[0] in text
    assert after([7, 7, 8], "pseudonymise", pl.Int64)[0] == token(KEY, "value", "7")


def test_counts_are_values_touched():
    frame = pl.DataFrame({"a": ["x", None], "b": ["y", "z"]})
    outcome = scrub.Columns({"a": "mask", "b": "drop"}).apply(frame, Room())

    assert outcome.counts == {"mask:a": 1, "drop:b": 2}
    assert outcome.frame.columns == ["a"]


def test_binding_and_wrong_requests():
    bound = scrub.Columns({"a": "mask", "b": "drop"}).bind(pl.Schema({"a": pl.Int64, "b": pl.String, "c": pl.Int8}))

    assert bound.schema == pl.Schema({"a": pl.String, "c": pl.Int8})
    assert bound.derivations["a"].masking
    assert bound.reads == {"a", "b"}
    with pytest.raises(SchemaError, match="did you mean"):
        scrub.Columns({"emial": "mask"}).bind(pl.Schema({"email": pl.String}))
    with pytest.raises(UsageError, match="Float64"):
        scrub.Columns({"x": "mask"}).bind(pl.Schema({"x": pl.Float64}))
    with pytest.raises(UsageError, match="Int64"):
        scrub.Columns({"x": "year"}).bind(pl.Schema({"x": pl.Int64}))
    with pytest.raises(NotFound, match="mask"):
        scrub.Columns({"x": "masc"})
    with pytest.raises(UsageError, match="day"):
        scrub.Columns({"x": scrub.AgeBand("soon")})
    assert scrub.Columns({"x": "mask"}).secrets == ()
    assert scrub.Columns({"x": "pseudonymise"}).secrets == ("pseudonyms",)


def test_the_token_is_pinned():
    assert token(KEY, "email", "a@b.org") == token(KEY, "email", " A@B.ORG ")
    assert token(KEY, "email", "a@b.org") == "cwec2ulyxgtdvjm7"
    assert (
        len({token(KEY, "email", "a@b.org"), token(KEY, "value", "a@b.org"), token(KEY, "email", "a@b.org", domain="x")}) == 3
    )
    assert token(KEY, "value", "b", domain="ea") != token(KEY, "avalue", "b", domain="e")


def test_a_key_has_a_name_that_does_not_reveal_it():
    assert len(key_id(KEY)) == 16
    assert key_id(KEY) != key_id(KEY[::-1])
    assert KEY.hex()[:16] not in key_id(KEY)


@pytest.mark.parametrize(
    ("entity", "forms", "one"),
    [
        ("iban", ("DE89 3704 0044 0532 0130 00", "de89370400440532013000"), "DE89370400440532013000"),
        ("card", ("4111-1111 11111111",), "4111111111111111"),
        ("es-nif", ("12.345.678-z",), "12345678Z"),
        ("phone", ("+44 (0)20 7946 0958", "0044 20 79460958"), "+442079460958"),
        ("phone", ("nonsense",), "nonsense"),
        ("name", ("Łukasz\u00a0 MÜLLER",), "lukasz muller"),
        ("value", ("  a\u2003b ",), "a b"),
    ],
)
def test_canonical_forms(entity, forms, one):
    assert {canonical(entity, form) for form in forms} == {one}


@given(st.text(), st.sampled_from(["email", "phone", "iban", "name", "value"]))
def test_any_text_has_a_token(value, entity):
    made = token(KEY, entity, value)

    assert len(made) == 16
    assert made.isalnum()
    assert made == token(KEY, entity, value)
