"""``docs/reference/steps.md`` from the docstrings and signatures themselves: ``python tests/docs/reference.py`` writes it."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datalab
from datalab.model.step import Step

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "steps.md"
SERVICES = ("standardise", "clean", "scrub", "enrich", "synthesise")
_HEAD = """\
# Reference: what pipelines are made of

Made from the docstrings by `python tests/docs/reference.py`. Every step also takes `why="…"`, the steward's reason: the report prints it.
"""


def page() -> str:
    """Return the whole page."""
    return "\n".join(
        [_HEAD, *_contents(), *_definition(), *(line for name in SERVICES for line in _service(name)), *_reading()]
    )


def public_steps(service: str) -> list[type[Step]]:
    """Return the step classes that a service hands out, by name."""
    return [item for _, item in _members(service) if inspect.isclass(item) and issubclass(item, Step)]


def _members(service: str) -> Iterator[tuple[str, Any]]:
    module = getattr(datalab, service)
    for name in sorted(module.__all__):
        yield name, getattr(module, name)


def _contents() -> Iterator[str]:
    for service in SERVICES:
        steps = ", ".join(f"[{item.__name__}](#{_anchor(f'{service}.{item.__name__}')})" for item in public_steps(service))
        yield f"- `{service}`: {steps}"
    yield "- [a step of your own](#step)"
    yield ""


def _definition() -> Iterator[str]:
    yield "## The definition\n"
    for name in ("Pipeline", "Source", "Purpose", "Splits", "Release"):
        yield from _entry(f"{name}", getattr(datalab, name))
    yield from _entry("step", datalab.step)


def _service(service: str) -> Iterator[str]:
    module = getattr(datalab, service)
    yield f"## {service}\n"
    first, _, _ = (inspect.getdoc(module) or "").partition("\n\n")
    yield f"{_prose(first)}\n"
    steps = public_steps(service)
    for item in steps:
        yield from _entry(f"{service}.{item.__name__}", item)
    others = [(name, item) for name, item in _members(service) if item not in steps and (callable(item))]
    for name, item in others:
        yield from _entry(f"{service}.{name}", item)
    constants = [(name, item) for name, item in _members(service) if not callable(item)]
    for name, value in constants:
        yield f"### {service}.{name}\n"
        yield f"{_value(value)}\n"


def _value(value: Any) -> str:
    """Return a constant: the words of a collection, or what a record sets."""
    if not dataclasses.is_dataclass(value):
        return ", ".join(f"`{one}`" for one in value)
    return ", ".join(
        f"`{field.name}={got!r}`" for field in dataclasses.fields(value) if (got := getattr(value, field.name)) is not None
    )


def _reading() -> Iterator[str]:
    from datalab.staging.reader import Dataset

    yield "## Reading a release\n"
    yield from _entry("open_dataset", datalab.open_dataset)
    yield from _entry("Dataset", Dataset, signature=False)
    for name in ("batches", "arrow", "polars", "pandas"):
        method = getattr(Dataset, name)
        yield f"- `{name}{_signature(method)}`: {_prose(inspect.getdoc(method) or '')}"
    for name in ("splits", "columns", "terms", "terms_in_short"):
        yield f"- `{name}`: {_prose(inspect.getdoc(getattr(Dataset, name)) or '')}"
    yield ""


def _entry(name: str, item: Any, *, signature: bool = True) -> Iterator[str]:
    yield f"### {name}\n"
    if signature:
        yield f"```text\n{_call(name, item)}\n```\n"
    yield f"{_prose(inspect.getdoc(item) or '')}\n"


def _call(name: str, item: Any) -> str:
    """Return the call with its parameters, one a line where they are many."""
    if dataclasses.is_dataclass(item):
        fields = [one for one in dataclasses.fields(item) if one.init and one.name != "why"]
        shown = [_field(one) for one in fields]
        first = next((number for number, one in enumerate(fields) if one.kw_only), None)
        if first is not None:
            shown.insert(first, "*")
    else:
        shown = [str(one).replace("'", "") for one in inspect.signature(item).parameters.values()]
        kinds = [one.kind for one in inspect.signature(item).parameters.values()]
        if inspect.Parameter.KEYWORD_ONLY in kinds:
            shown.insert(kinds.index(inspect.Parameter.KEYWORD_ONLY), "*")
    line = f"{name}({', '.join(shown)})"
    return line if len(line) <= 100 else f"{name}(\n" + "".join(f"    {one},\n" for one in shown) + ")"


def _field(one: dataclasses.Field[Any]) -> str:
    kind = str(one.type)
    if one.default is not dataclasses.MISSING:
        return f"{one.name}: {kind} = {_short(one.default)}"
    if one.default_factory is not dataclasses.MISSING:
        return f"{one.name}: {kind} = {_short(one.default_factory())}"
    return f"{one.name}: {kind}"


def _short(value: Any) -> str:
    return repr(value) if len(repr(value)) <= 90 else "…"


def _signature(item: Any) -> str:
    """Return the signature without self and without the modules of types."""
    return str(inspect.signature(item)).replace("(self, ", "(").replace("(self)", "()").replace("'", "")


def _prose(text: str) -> str:
    """Return a docstring as Markdown: double backquotes become single ones, literal blocks fenced ones."""
    text = re.sub(r"``([^`]+)``", r"`\1`", text).replace("<", "\\<") if "`" not in text else _code(text)
    return re.sub(r"(?m)(?:^    .*\n?)+", lambda found: f"```text\n{inspect.cleandoc(found.group())}\n```\n", text)


def _code(text: str) -> str:
    text = re.sub(r"``([^`]+)``", r"`\1`", text)
    pieces = re.split(r"(`[^`]*`)", text)
    return "".join(piece if piece.startswith("`") else piece.replace("<", "\\<") for piece in pieces)


def _anchor(heading: str) -> str:
    return heading.lower().replace(".", "").replace(" ", "-")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
