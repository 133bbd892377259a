"""What a scrubbing step promises to have removed."""

from __future__ import annotations

from datalab import clean, scrub
from datalab.services.scrubbing.promises import PROVEN, promised

ALL = frozenset({"note", "language"})


def test_text_promises_what_it_does_not_keep_as_far_as_it_can_be_proven():
    assert promised(scrub.Text("note"), ALL) == PROVEN
    assert promised(scrub.Text("note", entities=("email", "phone")), ALL) == {"email"}
    assert promised(scrub.Text("note", actions={"email": "keep"}), ALL) == PROVEN - {"email"}
    assert promised(scrub.Text("note", action="keep"), ALL) == frozenset()


def test_numbers_known_by_language_only_are_promised_where_the_language_is_known():
    weak = {"nl-bsn", "uk-nhs"}
    assert weak <= promised(scrub.Text("note", language="language"), ALL)
    assert weak <= promised(scrub.Text("note", language="nl"), ALL)
    assert not weak & promised(scrub.Text("note", language="language"), frozenset({"note"}))


def test_other_steps_promise_nothing_or_what_is_ours_too():
    assert promised(clean.Required("note"), ALL) == frozenset()
    assert promised(scrub.Columns({"note": "mask"}), ALL) == frozenset()
    assert promised(scrub.Presidio("note", entities=("EMAIL_ADDRESS", "URL")), ALL) == {"email"}
    assert promised(scrub.Presidio("note"), ALL) == {"email", "iban", "card"}
