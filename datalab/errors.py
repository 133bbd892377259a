"""Every error a user of datalab can meet, in one tree.

DatalabError                  what went wrong, where, what to do next
├── UsageError                the request or a definition is wrong           (exit 2)
│   ├── NotFound              a name that does not exist, with "did you mean"
│   ├── SchemaError           columns or types that do not fit a step
│   ├── SettingsError         datalab.toml or its environment overrides
│   └── MissingExtra          an optional part of datalab is not installed
├── PolicyRefusal             the terms, or a missing grant, say no          (exit 3)
├── SourceError               the outside did not deliver                    (exit 4)
│   ├── ProtocolError         a counterparty broke the protocol
│   └── ReadError             bytes that cannot be read as what they claim to be
├── StorageFailed            a disk or database of the lab does not do its part (exit 1)
└── EvidenceError             what was made cannot be shown to be right      (exit 1)
    ├── GateFailed            expectations or the privacy gate withheld a release
    ├── VerificationFailed    bytes differ from what the manifest or ledger says
    ├── ConservationError     rows in and rows out do not balance
    └── RunFailed             a run stopped; it can be resumed
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar

_UNSAFE = dict.fromkeys(
    (*range(0x09), *range(0x0B, 0x20), *range(0x7F, 0xA0), 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A),
     *range(0xD800, 0xE000)),
    "\N{REPLACEMENT CHARACTER}",
)  # fmt: skip
"""Control characters but tab and line feed, marks that turn the direction of writing, halves of surrogate pairs."""


def harmless(text: str) -> str:
    r"""Return a text as it may be shown on a terminal: foreign words in it (titles, names, reasons) command nothing there.

    >>> harmless("Counts \x1b[2J of bicycles")
    'Counts �[2J of bicycles'
    """
    return text.translate(_UNSAFE)


class DatalabError(Exception):
    """Base of all errors. ``what`` happened, ``where``, and what to do ``next``."""

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, where: str = "", next: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.next = next

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.next:
            lines.append(f"  next:  {self.next}")
        return harmless("\n".join(lines))

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.what, self.where, self.next))


def _rebuild(kind: type[DatalabError], what: str, where: str, next_: str) -> DatalabError:
    """Recreate an error that crossed a process boundary."""
    return kind(what, where=where, next=next_)


class UsageError(DatalabError):
    """The request, the pipeline or an argument is wrong; nothing was done."""

    exit_code = 2


class NotFound(UsageError):
    """A name that does not exist."""

    @classmethod
    def among(cls, kind: str, name: str, available: Iterable[str], *, where: str = "") -> NotFound:
        """Build the error for ``name`` missing in ``available``, with the closest names as a hint."""
        return cls(f"no {kind} named {name!r}", where=where, next=_hint(name, available))


class SchemaError(UsageError):
    """Columns or types do not fit what a step asks for."""

    @classmethod
    def column(cls, name: str, available: Iterable[str], *, where: str = "") -> SchemaError:
        """Build the error for column ``name`` missing in ``available``."""
        return cls(f"no column named {name!r}", where=where, next=_hint(name, available))


class SettingsError(UsageError):
    """``datalab.toml`` or an environment override is wrong."""


class MissingExtra(UsageError):
    """An optional part of datalab is needed and not installed."""

    @classmethod
    def needed(cls, extra: str, purpose: str) -> MissingExtra:
        """Build the error naming the extra that provides ``purpose``."""
        return cls(f"{purpose} needs an optional part that is not installed", next=f"pip install 'aif-datalab[{extra}]'")


class PolicyRefusal(DatalabError):
    """The terms of the data, or the lack of a grant, forbid the action."""

    exit_code = 3


class SourceError(DatalabError):
    """A source, catalogue or counterparty did not deliver."""

    exit_code = 4


class ProtocolError(SourceError):
    """A counterparty sent something its protocol does not allow."""


class ReadError(SourceError):
    """Bytes that cannot be read as the format they claim to be."""


class StorageFailed(DatalabError):
    """A disk or a database of the lab is full, locked or not ours to write; what was finished before stands."""

    exit_code = 1


class EvidenceError(DatalabError):
    """What was made cannot be shown to be right."""

    exit_code = 1


class GateFailed(EvidenceError):
    """Expectations or the privacy gate withheld a release."""


class VerificationFailed(EvidenceError):
    """Bytes differ from what the manifest or the ledger says."""


class ConservationError(EvidenceError):
    """Rows in (+ generated) differ from rows kept + dropped + quarantined."""


class RunFailed(EvidenceError):
    """A run stopped before its end; running it again resumes it."""


def _hint(name: str, available: Iterable[str]) -> str:
    names = sorted({str(item) for item in available})
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    if close:
        return "did you mean " + " or ".join(repr(item) for item in close) + "?"
    if not names:
        return "there are none yet"
    shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return f"available: {shown}"
