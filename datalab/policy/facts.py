"""What is known when a decision is asked for: about the data, the lab, each agreement, and what stewards vouched for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from datalab.model.decision import Door
from datalab.policy.overrides import Override


@dataclass(frozen=True, slots=True)
class Standing:
    """How an agreement stands: since when (UTC), and how often each door was passed under it, the act asked for not counted.

    None and a missing door mean "not known", which permits nothing that depends on it.
    """

    agreed_at: dt.datetime | None = None
    uses: Mapping[Door, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known about the data and the lab. ``participant`` is the lab's own identifier: the recipient while no other is named.

    ``groups`` are the memberships that the lab knows, by the group's name; ``accepted`` the opaque terms that it accepts, by
    left operand; ``standing`` has an entry for each policy under which there is an agreement, by the policy's SHA-256.
    """

    personal_data: bool
    synthetic: bool = False
    scrubbed: bool = False
    participant: str = ""
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    accepted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    standing: Mapping[str, Standing] = field(default_factory=dict)
    overrides: tuple[Override, ...] = ()
