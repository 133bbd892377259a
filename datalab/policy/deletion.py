"""When data that came under a policy must be gone: the clock that the lab's retention keeps."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from datalab.model.policy import Policy
from datalab.policy import terms
from datalab.policy.duties import after_use, deadline


@dataclass(frozen=True, slots=True)
class Deletion:
    """``by`` is the earliest moment by which a duty demands that the data be gone, None without one; ``after_use`` at the end of its use."""

    by: dt.datetime | None = None
    after_use: bool = False


def deletion(policy: Policy, agreed_at: dt.datetime | None = None) -> Deletion:
    """Return the duties to delete of a policy as one: all of them count, whichever permission they belong to.

    A duty to delete that does not say when is due after use (ODRL knows no other moment for it), and so is Simpl-Open's
    condition ``deletion eq after_use``.
    """
    duties = [
        duty
        for duty in (*policy.obligations, *(duty for rule in policy.permissions for duty in rule.duties))
        if terms.action_name(duty.action) == terms.DELETE
    ]
    ends = [end for duty in duties if (end := deadline(duty.constraints, agreed_at, deleting=True))]
    dated = {terms.DATE_TIME, terms.ELAPSED}
    promised = any(after_use(duty.constraints) or not any(item.left in dated for item in duty.constraints) for duty in duties)
    promised |= any(after_use(rule.constraints) for rule in policy.permissions)
    return Deletion(min(ends, default=None), promised)
