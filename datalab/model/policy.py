"""The terms of a dataset, as the small ODRL 2.2 profile that datalab evaluates.

The text that a provider sent is kept verbatim beside this reading of it (``Policy.verbatim``); what the reading does
not understand is kept as an unknown constraint and means no (`datalab.policy`).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class Action(enum.StrEnum):
    """What a party may do with a dataset (ODRL 2.2 common vocabulary)."""

    USE = "use"
    READ = "read"
    DERIVE = "derive"
    DISTRIBUTE = "distribute"
    ANONYMIZE = "anonymize"


@dataclass(frozen=True, slots=True)
class Constraint:
    """One condition: ``left operator right``, for example ``purpose isAnyOf (…)``. ``right`` holds IRIs or literals as text."""

    left: str
    operator: str
    right: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Duty:
    """Something that must be done: ``anonymize``, ``attribute``, ``delete``, ``inform`` … with its conditions.

    ``party`` is whom it names (to inform, to attribute to). ``consequences`` are due where the duty was not done.
    """

    action: str
    constraints: tuple[Constraint, ...] = ()
    party: str = ""
    consequences: tuple[Duty, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """A permission or a prohibition for one action. All constraints must hold.

    ``duties`` of a permission come with it; those of a prohibition are its remedies, due where it was broken.
    """

    action: str
    constraints: tuple[Constraint, ...] = ()
    duties: tuple[Duty, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """The terms: permissions, prohibitions, obligations, and the provider's own JSON with its digest."""

    id: str
    permissions: tuple[Rule, ...] = ()
    prohibitions: tuple[Rule, ...] = ()
    obligations: tuple[Duty, ...] = ()
    unknown: tuple[str, ...] = ()
    """Parts of the policy that this profile cannot read; any entry makes every decision a no."""
    vouchable: tuple[str, ...] = ()
    """Those of ``unknown`` that narrow a permission: a steward may vouch for one of them, never for the others."""
    verbatim: str = field(default="", repr=False)
    """The policy exactly as received (JSON text)."""

    @property
    def sha256(self) -> str:
        """SHA-256 of the verbatim text, in hex."""
        import hashlib

        return hashlib.sha256(self.verbatim.encode()).hexdigest()
