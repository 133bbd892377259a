"""Faults to be found, each a function of a seeded random number generator: dirt, personal data, junk, near duplicates."""

from __future__ import annotations

import unicodedata
from random import Random

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_COUNTRIES = ("30", "31", "32", "33", "39", "351", "353", "359", "370", "420", "49", "46")


def dirty(rng: Random, text: str) -> str:
    """Return ``text`` with one kind of dirt in it: its meaning stays, its bytes do not."""
    kind = rng.randrange(5)
    if kind == 0:
        return text.replace(" ", "\u00a0", 1 + text.count(" ") // 10)
    if kind == 1:
        return unicodedata.normalize("NFD", text)
    if kind == 2:
        return text.replace(" ", "  ", 1 + text.count(" ") // 5)
    if kind == 3:
        return "\ufeff" + text.replace("\n", "\r\n")
    words = text.split(" ")
    words[rng.randrange(len(words))] += "\x0b\u200b"
    return " ".join(words)


def personal(rng: Random) -> tuple[str, str]:
    """Return kind and value of an invented address, number or account."""
    kind = rng.choice(("EMAIL", "IP", "PHONE", "IBAN"))
    if kind == "EMAIL":
        name, host = ("".join(rng.choices(_LETTERS, k=rng.randrange(5, 10))) for _ in range(2))
        return kind, f"{name}.{rng.choice(_LETTERS)}{rng.randrange(100)}@{host}.example.org"
    if kind == "IP":
        return kind, f"81.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"
    if kind == "PHONE":
        return (
            kind,
            f"+{rng.choice(_COUNTRIES)} {rng.randrange(100, 999)} {rng.randrange(1000, 9999)} {rng.randrange(100, 999)}",
        )
    account = f"{rng.randrange(10**8):08d}{rng.randrange(10**10):010d}"
    return kind, f"DE{98 - int(account + '131400') % 97:02d}{account}"


def junk(rng: Random) -> str:
    """Return a text that no quality rule lets pass: too short, without letters, or one line over and over."""
    kind = rng.randrange(3)
    if kind == 0:
        return "".join(rng.choices(_LETTERS, k=9)) + " …"
    if kind == 1:
        return " ".join(str(rng.randrange(10**6)) for _ in range(250))
    return "\n".join(["menu home # login ..."] * 80)


def nearly(rng: Random, text: str) -> str:
    """Return ``text`` with one word in a hundred reversed, doubled or left out."""
    words = text.split(" ")
    for place in rng.sample(range(len(words)), max(1, len(words) // 100)):
        words[place] = rng.choice((words[place][::-1], f"{words[place]} {words[place]}", ""))
    return " ".join(words)
