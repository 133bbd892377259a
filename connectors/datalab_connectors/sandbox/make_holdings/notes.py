"""Clinical notes that repeat what the coded fields say about the patient: name, birth date, phone, address.

A note is a list of pieces; a piece with a kind is a personal value, and its place in the finished text is the truth.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

DIV = '<div xmlns="http://www.w3.org/1999/xhtml"><p><b>SYNTHETIC TEST DATA — not a real person.</b></p><p>'
END = "</p></div>"


@dataclass(frozen=True, slots=True)
class Person:
    """The invented person that notes speak of."""

    given: str
    family: str
    sex: str
    birth_date: str
    phone: str
    street: str
    city: str
    postcode: str

    def named(self, rng: Random) -> str:
        """Return the name as a clinician may write it."""
        title = "Ms" if self.sex == "female" else "Mr"
        return rng.choice(
            [
                f"{self.given} {self.family}",
                f"{self.given} {self.family}",
                f"{title} {self.family}",
                f"{self.family.upper()}, {self.given}",
                f"{self.given[0]}. {self.family}",
                f"{title} {self.given} {self.family}",
            ]
        )

    def born(self, rng: Random) -> str:
        """Return the birth date in one of the spellings of Europe."""
        year, month, day = self.birth_date.split("-")
        return rng.choice(
            [self.birth_date, f"{day}.{month}.{year}", f"{day}/{month}/{year}", f"{int(day)}.{int(month)}.{year}"]
        )

    def called(self, rng: Random) -> str:
        """Return the phone number, at times without the signs between its groups."""
        return self.phone if rng.random() < 0.7 else "".join(c for c in self.phone if c.isdigit() or c == "+")

    def lives(self, rng: Random) -> str:
        """Return the address in one line, at times only its street."""
        return self.street if rng.random() < 0.3 else f"{self.street}, {self.postcode} {self.city}"


@dataclass(slots=True)
class Note:
    """A text under construction, with the places of the personal values in it."""

    text: str = ""
    spans: list[dict[str, Any]] = field(default_factory=list)

    def say(self, plain: str) -> Note:
        """Add plain text."""
        self.text += plain
        return self

    def tell(self, kind: str, value: str, subject: str = "patient") -> Note:
        """Add a personal value of ``subject``."""
        start = len(self.text)
        self.text += value
        self.spans.append({"type": kind, "subject": subject, "value": value, "start": start, "end": len(self.text)})
        return self


def progress(rng: Random, person: Person, findings: str, doctor: str) -> Note:
    """Return a progress note as XHTML: who came, what was found, how the person is reached."""
    note = Note(DIV)
    opening = rng.randrange(4)
    if opening == 0:
        note.tell("NAME", person.named(rng)).say(" (born ").tell("BIRTH_DATE", person.born(rng)).say(") attended for review. ")
    elif opening == 1:
        note.say("Seen today: ").tell("NAME", person.named(rng)).say(", DOB ").tell("BIRTH_DATE", person.born(rng)).say(". ")
    elif opening == 2:
        note.say("I reviewed ").tell("NAME", person.named(rng)).say(" in clinic. Lives at ").tell(
            "ADDRESS", person.lives(rng)
        ).say(". ")
    else:
        note.say("Telephone consultation with ").tell("NAME", person.named(rng)).say(" on ").tell(
            "PHONE", person.called(rng)
        ).say(". ")
    note.say(findings)
    closing = rng.randrange(4)
    if closing == 0:
        note.say(" Results to be given by phone, ").tell("PHONE", person.called(rng)).say(".")
    elif closing == 1:
        note.say(" Letter to ").tell("ADDRESS", person.lives(rng)).say(".")
    elif closing == 2:
        note.say(" ").tell("NAME", person.given).say(" agrees with the plan.")
    return note.say("</p><p>Signed: ").tell("NAME", doctor, "practitioner").say(END)


def remark(rng: Random, person: Person, subject: str) -> Note:
    """Return a short remark on a condition or a prescription."""
    note = Note()
    way = rng.randrange(4)
    if way == 0:
        return note.say(f"{subject} explained to ").tell("NAME", person.named(rng)).say(".")
    if way == 1:
        return (
            note.tell("NAME", person.named(rng))
            .say(" asks to be called on ")
            .tell("PHONE", person.called(rng))
            .say(f" about {subject}.")
        )
    if way == 2:
        return note.say(f"{subject}: family history not known to ").tell("NAME", person.given).say(".")
    return note.say(f"{subject}; leaflet posted to ").tell("ADDRESS", person.lives(rng)).say(".")
