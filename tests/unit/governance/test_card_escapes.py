"""Foreign names in code spans of a card."""

from __future__ import annotations

from datalab.governance.card import _code


def test_a_foreign_id_does_not_end_its_code_span():
    assert _code("urn:a` <img src=x>\n# Approved `b") == "`urn:a' <img src=x> # Approved 'b`"
