"""Figures that carry their evidence: every number of a report says in which event of the ledger it stands, and where there.

A figure is written as ``<data value="123" data-event="17" data-path="rows.kept" data-form="count">123</data>``. A path names members with dots, or with
``["any text"]`` and ``[0]``; terms are added and subtracted with `` + `` and `` - ``, and a term of another event begins with its number and a
colon. ``data-of`` makes the figure a share of a second path. Quoted words carry event and path without a value: their text is what
stands there. Both sides, the writer and `check_figures`, share this one grammar, so that nothing can be shown that is not in an event.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from html.parser import HTMLParser
from typing import Any

from datalab.model.event import Event

Key = str | int
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MEMBER = re.compile(r'\.?([A-Za-z_][A-Za-z0-9_]*)|\[([0-9]+)\]|\["((?:[^"\\]|\\.)*)"\]')
_TERM = re.compile(r'(?:^| ([+-]) )(?:([0-9]+):)?((?:\.?[A-Za-z_][A-Za-z0-9_]*|\[[0-9]+\]|\["(?:[^"\\]|\\.)*"\])+)')
_DIGIT = re.compile(r"[0-9]")
_THIN = " "
_EXPLAINED = frozenset({"data", "code", "time", "cite", "q", "blockquote", "style", "title", "desc"})


@dataclass(frozen=True, slots=True)
class Figure:
    """A number and its evidence. ``form`` is count, decimal, bytes, seconds, share or text; `shown` writes the value in that form."""

    value: str
    event: int
    path: str
    form: str = "count"
    of: str = ""

    def __html__(self) -> str:
        """Return the figure as HTML."""
        return f"<data {self._attributes('value')}>{escape(shown(self.value, self.form))}</data>"

    @property
    def svg(self) -> Markup:
        """The figure for text in a drawing."""
        return Markup(f'<tspan class="figure" {self._attributes("data-value")}>{escape(shown(self.value, self.form))}</tspan>')

    @property
    def number(self) -> float:
        """The value for drawing a bar of this length."""
        return float(self.value)

    def _attributes(self, value: str) -> str:
        parts = {value: self.value, "data-event": str(self.event), "data-path": self.path, "data-form": self.form}
        if self.of:
            parts["data-of"] = self.of
        if value == "value":
            parts["title"] = f"ledger event {self.event}: {self.path}" + (f", of {self.of}" if self.of else "")
        return " ".join(f'{name}="{escape(text)}"' for name, text in parts.items())


@dataclass(frozen=True, slots=True)
class Said:
    """Words that stand in an event: reasons, notes, meanings."""

    text: str
    event: int
    path: str

    def __html__(self) -> str:
        """Return the words as a quotation that names its event."""
        return f'<q data-event="{self.event}" data-path="{escape(self.path)}">{escape(self.text)}</q>'


class Markup(str):
    """Text that is HTML already (the protocol that template engines ask for)."""

    __slots__ = ()

    def __html__(self) -> str:
        """Return itself."""
        return str(self)


def path_of(*keys: Key) -> str:
    """Return the path of a member of an event's body."""
    text = ""
    for key in keys:
        if isinstance(key, int):
            text += f"[{key}]"
        elif _PLAIN.fullmatch(key):
            text += f".{key}" if text else key
        else:
            escaped = key.replace("\\", "\\\\").replace('"', '\\"')
            text += f'["{escaped}"]'
    return text


def figure(event: Event, *keys: Key, form: str = "count") -> Figure:
    """Return the figure that stands at ``keys`` in ``event``."""
    path = path_of(*keys)
    return Figure(str(evaluate(path, event.sequence, {event.sequence: event.body})), event.sequence, path, form)


def total(event: Event, plus: Iterable[Sequence[Key]], minus: Iterable[Sequence[Key]] = ()) -> Figure:
    """Return the sum of ``plus`` less ``minus``, all in ``event``; both are written into the figure's path."""
    path = " + ".join(path_of(*keys) for keys in plus)
    path += "".join(f" - {path_of(*keys)}" for keys in minus)
    return Figure(str(evaluate(path, event.sequence, {event.sequence: event.body})), event.sequence, path)


def over(places: Sequence[tuple[Event, Sequence[Key]]], form: str = "count") -> Figure:
    """Return the sum of members of several events."""
    first = places[0][0].sequence
    terms = [path_of(*keys) if event.sequence == first else f"{event.sequence}:{path_of(*keys)}" for event, keys in places]
    path = " + ".join(terms)
    return Figure(str(evaluate(path, first, {event.sequence: event.body for event, _ in places})), first, path, form)


def share(event: Event, part: Sequence[Key], whole: Sequence[Key]) -> Figure:
    """Return a part per hundred of a whole, to one decimal."""
    path, of = path_of(*part), path_of(*whole)
    bodies = {event.sequence: event.body}
    value = _per_hundred(evaluate(path, event.sequence, bodies), evaluate(of, event.sequence, bodies))
    return Figure(value, event.sequence, path, "share", of)


def said(event: Event, *keys: Key) -> Said:
    """Return the words that stand at ``keys`` in ``event``."""
    path = path_of(*keys)
    return Said(str(evaluate(path, event.sequence, {event.sequence: event.body})), event.sequence, path)


def evaluate(path: str, event: int, bodies: Mapping[int, Mapping[str, Any]]) -> Any:
    """Return what a path means: one member as it is, or the sum of several; raise ``LookupError`` where there is no such thing."""
    terms: list[tuple[int, Any]] = []
    end = 0
    for match in _TERM.finditer(path):
        if match.start() != end:
            break
        sign, other, members = match.groups()
        terms.append((-1 if sign == "-" else 1, _member(bodies[int(other or event)], members)))
        end = match.end()
    if end != len(path) or not terms:
        msg = f"not a path: {path!r}"
        raise LookupError(msg)
    if len(terms) == 1 and terms[0][0] == 1:
        return terms[0][1]
    return sum(sign * value for sign, value in terms)


def shown(value: str, form: str) -> str:
    """Write a value for people: thousands set off, decimals to four places, bytes and milliseconds in a fitting unit, shares in per cent."""
    if form == "bytes":
        number, unit = float(value), "B"
        for unit in ("B", "kB", "MB", "GB", "TB"):
            if number < 1000 or unit == "TB":
                break
            number /= 1000
        return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
    if form == "seconds":
        return f"{float(value) / 1000:.1f} s"
    if form == "share":
        return f"{value} %"
    if form == "decimal" and re.fullmatch(r"-?[0-9]+[.][0-9]+", value):
        return f"{float(value):.4f}".rstrip("0").rstrip(".")
    if form == "count" and re.fullmatch(r"-?[0-9]+", value):
        return f"{int(value):,}".replace(",", _THIN)
    return value


def check_figures(report: str, events: Iterable[Event]) -> list[str]:
    """Compare every figure and every quotation of a report with the events; return what does not fit, empty when all do."""
    bodies = {event.sequence: event.body for event in events}
    problems: list[str] = []
    for item in figures_of(report):
        try:
            found = evaluate(item["path"], item["event"], bodies)
            if item["of"]:
                found = _per_hundred(found, evaluate(item["of"], item["event"], bodies))
        except (LookupError, TypeError) as error:
            problems.append(f"event {item['event']}, {item['path']}: {error}")
            continue
        expected = str(found) if item["value"] is None else shown(str(found), item["form"])
        if item["value"] not in {None, str(found)} or item["text"] != expected:
            problems.append(f"event {item['event']}, {item['path']}: {item['text']!r} is shown, {expected!r} is recorded")
    return problems


def figures_of(report: str) -> list[dict[str, Any]]:
    """Return every figure and quotation of a report: {value, event, path, form, of, text}; ``value`` is None for a quotation."""
    reader = _Reader()
    reader.feed(report)
    reader.close()
    return reader.figures


def loose_digits(report: str) -> list[str]:
    """Return the texts of a report that hold a digit outside what explains it.

    Digits may stand in figures (``data``), identifiers, definitions and versions (``code``), dates (``time``), references to law (``cite``) and words of
    others (``q``, ``blockquote``). Headings are numbered by the style sheet.
    """
    reader = _Reader()
    reader.feed(report)
    reader.close()
    return reader.loose


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.figures: list[dict[str, Any]] = []
        self.loose: list[str] = []
        self._open: list[tuple[str, bool, dict[str, Any] | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"meta", "link", "br", "hr", "img", "col", "wbr", "input"}:
            return
        named = {name: value or "" for name, value in attrs}
        item: dict[str, Any] | None = None
        if "data-event" in named and "data-path" in named:
            item = {
                "value": named.get("value", named.get("data-value")),
                "event": int(named["data-event"]),
                "path": named["data-path"],
                "form": named.get("data-form", "count"),
                "of": named.get("data-of", ""),
                "text": "",
            }
            self.figures.append(item)
        explained = tag in _EXPLAINED or item is not None or named.get("class") == "code"
        self._open.append((tag, explained, item))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Nothing stands inside an empty element."""

    def handle_endtag(self, tag: str) -> None:
        while self._open:
            name, _, _ = self._open.pop()
            if name == tag:
                break

    def handle_data(self, data: str) -> None:
        for _, _, item in self._open:
            if item is not None:
                item["text"] += data
        if _DIGIT.search(data) and not any(explained for _, explained, _ in self._open):
            self.loose.append(data.strip())


def _member(body: Any, members: str) -> Any:
    for match in _MEMBER.finditer(members):
        plain, place, quoted = match.groups()
        if place is not None:
            body = body[int(place)]
        elif quoted is not None:
            body = body[re.sub(r"\\(.)", r"\1", quoted)]
        else:
            body = body[plain]
    return body


def _per_hundred(part: int, whole: int) -> str:
    return f"{part / whole * 100:.1f}" if whole else "0.0"
