"""The reference of the commands says what the commands say."""

from __future__ import annotations

from pathlib import Path

from datalab.cli.main import COMMANDS
from datalab.cli.reference import reference

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "cli.md"
REMEDY = "make it anew: python -m datalab.cli.reference > docs/reference/cli.md"


def test_the_reference_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == reference(), REMEDY


def test_every_command_and_option_is_explained():
    page = reference()
    assert all(f"\n## datalab {name}\n" in page for name in COMMANDS)
    assert "\n## datalab ledger verify\n" in page
    options = [line.split() for line in page.splitlines() if line.startswith("  -")]
    assert all(len(words) > 1 for words in options)
