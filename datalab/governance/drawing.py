"""Drawings of the report as plain SVG: bars, the waterfall's lines, and the graph from sources over steps to splits."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from datalab.governance.evidence import Evidence
from datalab.governance.figures import Markup, figure, over
from datalab.governance.waterfall import Fall, split_order

_WIDTH = 960
_BOX = 256
_PANEL = 288
_ROW = 26
_HEAD = 40
_LONGEST = 32
_LONGEST_HEAD = 27


def bar(part: float, whole: float, kind: str = "kept") -> Markup:
    """Return a bar that fills ``part / whole`` of its place."""
    width = _percent(part, whole)
    return Markup(
        '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        f'<rect class="rail" width="100" height="8"/><rect class="{kind}" width="{width}" height="8"/></svg>'
    )


def fall_bar(fall: Fall, largest: float) -> Markup:
    """Return one line of the waterfall: rows kept, then dropped, then quarantined, on the scale of the largest line."""
    made = fall.made.number if fall.made else 0
    kept = fall.after.number - made
    dropped = fall.dropped.number if fall.dropped else 0
    quarantined = fall.quarantined.number if fall.quarantined else 0
    place, parts = 0.0, []
    for amount, kind in (
        (kept, "kept"),
        (made, "made"),
        (dropped, "dropped"),
        (quarantined, "quarantined"),
    ):
        width = _percent(amount, largest)
        if amount:
            parts.append(f'<rect class="{kind}" x="{place:.3f}" width="{max(width, 0.4):.3f}" height="8"/>')
        place += width
    return Markup(
        '<svg class="bar fall" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        f'<rect class="rail" width="100" height="8"/>{"".join(parts)}</svg>'
    )


def graph(evidence: Evidence) -> Markup:
    """Return the graph of the run: where rows come from, what was done to them, where they went."""
    sources = [_source(evidence, place) for place in range(len(evidence.offers))]
    splits = _splits(evidence)
    panel = _HEAD + _ROW * max(1, len(evidence.steps)) + 10
    height = max(panel, 84 * len(sources) - 12, 64 * len(splits) - 12) + 8
    middle = (_WIDTH - _PANEL) // 2
    top = (height - panel) // 2
    centre = top + panel // 2
    parts: list[str] = []
    for place, (words, reference) in enumerate(sources):
        y = _place(place, len(sources), 72, height)
        parts.append(_edge(_BOX, y + 36, middle, centre, dashed=reference))
        parts.append(_box(0, y, _BOX, 72, "source", words))
    for place, words in enumerate(splits):
        y = _place(place, len(splits), 52, height)
        parts.append(_edge(middle + _PANEL, centre, _WIDTH - _BOX, y + 26, dashed=False))
        parts.append(_box(_WIDTH - _BOX, y, _BOX, 52, "split", words))
    parts.append(_steps(evidence, middle, top, panel))
    return Markup(
        f'<svg class="graph" viewBox="-2 -2 {_WIDTH + 4} {height + 4}" role="img" aria-labelledby="graph-title graph-text">'
        '<title id="graph-title">Lineage of the dataset</title>'
        f'<desc id="graph-text">{escape(_in_words(evidence))}</desc>'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z" class="tip"/></marker></defs>'
        f"{''.join(parts)}</svg>"
    )


def _source(evidence: Evidence, place: int) -> tuple[list[str], bool]:
    offer = evidence.offers[place]
    objects = [item for item in evidence.objects if item.dataset == offer.dataset]
    landed = {event.subject: event for event in evidence.of_type("object.landed")}
    digests = dict.fromkeys(item.sha256 for item in objects)
    known = [(landed[digest], ("bytes",)) for digest in digests if digest in landed]
    size = over(known, "bytes") if known else None
    reference = bool(objects) and all(item.reference for item in objects)
    role = "reference table" if reference else "main source"
    return [_code(offer.title, _LONGEST_HEAD), _code(offer.holder), role + (f", {size.svg}" if size else "")], reference


def _splits(evidence: Evidence) -> list[list[str]]:
    done = evidence.last("run.done")
    if done is None:
        return []
    return [[_code(name, _LONGEST_HEAD), f"{figure(done, 'splits', name).svg} rows"] for name, _ in split_order(evidence, done)]


def _steps(evidence: Evidence, x: int, y: int, height: int) -> str:
    lines = [
        (
            f'<rect class="panel" x="{x}" y="{y}" width="{_PANEL}" height="{height}" rx="6"/>'
            f'<text class="head" x="{x + 16}" y="{y + 25}">Steps, in their order</text>'
        )
    ]
    for place, step in enumerate(evidence.steps):
        line = y + _HEAD + _ROW * place
        lines.append(
            f'<rect class="dot {escape(step["service"])}" x="{x + 16}" y="{line + 6}" width="8" height="8" rx="2"/>'
            f'<text x="{x + 34}" y="{line + 14}">{_code(step["label"])}</text>'
        )
    return "".join(lines)


def _box(x: int, y: int, width: int, height: int, kind: str, words: Sequence[str]) -> str:
    lines = "".join(
        f'<text class="{"head" if place == 0 else "small"}" x="{x + 14}" y="{y + 22 + 19 * place}">{text}</text>'
        for place, text in enumerate(words)
    )
    return f'<g><rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>{lines}</g>'


def _edge(x: int, y: int, to_x: int, to_y: int, *, dashed: bool) -> str:
    half = (x + to_x) / 2
    kind = "edge dashed" if dashed else "edge"
    return f'<path class="{kind}" marker-end="url(#tip)" d="M{x} {y}C{half} {y} {half} {to_y} {to_x - 2} {to_y}"/>'


def _code(text: str, longest: int = _LONGEST) -> str:
    """Foreign words in a drawing, cut to what fits; the tables below have them whole."""
    short = text if len(text) <= longest else text[: longest - 1].rstrip() + "…"
    return f'<tspan class="code">{escape(short)}</tspan>'


def _place(number: int, several: int, size: int, height: int) -> int:
    gap = 12
    whole = several * size + (several - 1) * gap
    return (height - whole) // 2 + number * (size + gap)


def _percent(part: float, whole: float) -> float:
    return round(100 * part / whole, 3) if whole else 0.0


def _in_words(evidence: Evidence) -> str:
    sources = ", ".join(offer.title for offer in evidence.offers)
    steps = ", ".join(step["name"] for step in evidence.steps)
    splits = ", ".join(dict.fromkeys(shard.split for shard in evidence.shards))
    return f"From {sources}, through the steps {steps}, to the splits {splits}."
