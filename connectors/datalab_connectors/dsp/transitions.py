"""The state machines of the Dataspace Protocol 2025-1, one table for both roles.

A move is a message; (state, move, sender) leads to a state, or the move is illegal. The figure of the specification
counts, and what its test kit sends besides (termination by the provider after ACCEPTED and VERIFIED).
"""

from __future__ import annotations

from collections.abc import Mapping

from datalab.errors import ProtocolError

CONSUMER, PROVIDER = "consumer", "provider"
Table = Mapping[tuple[str, str, str], str]

NEGOTIATION: Table = {
    ("", "request", CONSUMER): "REQUESTED",
    ("", "offer", PROVIDER): "OFFERED",
    ("REQUESTED", "offer", PROVIDER): "OFFERED",
    ("REQUESTED", "agreement", PROVIDER): "AGREED",
    ("REQUESTED", "termination", CONSUMER): "TERMINATED",
    ("REQUESTED", "termination", PROVIDER): "TERMINATED",
    ("OFFERED", "request", CONSUMER): "REQUESTED",
    ("OFFERED", "accepted", CONSUMER): "ACCEPTED",
    ("OFFERED", "termination", CONSUMER): "TERMINATED",
    ("OFFERED", "termination", PROVIDER): "TERMINATED",
    ("ACCEPTED", "agreement", PROVIDER): "AGREED",
    ("ACCEPTED", "termination", PROVIDER): "TERMINATED",
    ("AGREED", "verification", CONSUMER): "VERIFIED",
    ("AGREED", "termination", CONSUMER): "TERMINATED",
    ("VERIFIED", "finalized", PROVIDER): "FINALIZED",
    ("VERIFIED", "termination", PROVIDER): "TERMINATED",
}

TRANSFER: Table = {
    ("", "request", CONSUMER): "REQUESTED",
    ("REQUESTED", "start", PROVIDER): "STARTED",
    ("REQUESTED", "termination", CONSUMER): "TERMINATED",
    ("REQUESTED", "termination", PROVIDER): "TERMINATED",
    **{
        (state, move, sender): result
        for sender in (CONSUMER, PROVIDER)
        for state, move, result in (
            ("STARTED", "completion", "COMPLETED"),
            ("STARTED", "suspension", "SUSPENDED"),
            ("STARTED", "termination", "TERMINATED"),
            ("SUSPENDED", "start", "STARTED"),
            ("SUSPENDED", "termination", "TERMINATED"),
        )
    },
}

ENDED = frozenset(("FINALIZED", "COMPLETED", "TERMINATED"))


class IllegalMove(ProtocolError):
    """A message that its state does not allow."""


def after(table: Table, state: str, move: str, sender: str) -> str:
    """Return the state that a move leads to; raise ``IllegalMove`` where there is none."""
    found = table.get((state, move, sender))
    if found is None:
        raise IllegalMove(f"the {sender} cannot send {move!r} in state {state or 'INITIAL'}")
    return found
