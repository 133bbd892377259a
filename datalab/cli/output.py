"""What commands share: JSON on request, tables, and the face that shows progress on standard error."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import click

from datalab.errors import harmless

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON value and nothing else.")
actor_option = click.option("--as", "actor", metavar="WHO", default="", help="In whose name: a person and role.")


def print_json(value: Any) -> None:
    """Print one JSON value."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    if harmless(text) != text:  # the same value, with what a terminal would obey written as JSON can write it
        text = "".join(sign if harmless(sign) == sign else f"\\u{ord(sign):04x}" for sign in text)
    click.echo(text)


def echo(text: str, *, err: bool = False) -> None:
    """Print a text that may hold foreign words; they command nothing on a terminal."""
    click.echo(harmless(text), err=err)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, right: Sequence[str] = ()) -> None:
    """Print a table; numbers in the ``right`` columns are right-aligned and grouped by thousands."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, show_header=any(columns))
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else str(cell) for cell in row))
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160, markup=False)
    with console.capture() as captured:
        console.print(table)
    echo("\n" + "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n")


class ConsoleFace:
    """Shows acts as lines and progress as one bar, on standard error; on no terminal, a line every few seconds."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._told = time.monotonic()

    def __enter__(self) -> Self:
        if sys.stderr.isatty() and not self._quiet:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

            self._bar = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.fields[note]}"),
                console=Console(stderr=True),
                transient=True,
            )
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar:
            self._bar.stop()

    def say(self, what: str) -> None:
        """Show a sentence."""
        if self._quiet:
            return
        what = harmless(what)
        if self._bar:
            self._bar.console.print(what, markup=False, highlight=False)
        else:
            click.echo(what, err=True)

    def progress(self, what: str, done: int, total: int | None, note: str = "") -> None:
        """Show how far something is, and how fast it goes."""
        what, note = harmless(what), harmless(note)
        if self._bar:
            from rich.markup import escape

            what = what if len(what) <= 48 else what[:47] + "…"
            what, note = escape(what), escape(note)
            if self._task is None:
                self._task = self._bar.add_task(what, total=total, note=note)
            self._bar.update(self._task, description=what, completed=done, total=total, note=note)
        elif not self._quiet and time.monotonic() - self._told > 2:
            self._told = time.monotonic()
            click.echo(f"  {what}: {done} of {total if total is not None else '?'}{f' ({note})' if note else ''}", err=True)
