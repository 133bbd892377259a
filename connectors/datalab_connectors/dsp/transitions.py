"""The state machines of the Dataspace Protocol 2025-1, one table for both roles.

A move is a message; (state, move, sender) leads to a state, or the move is illegal. The figure of the specification
counts, and its text where that says more: either side may terminate at any state but the last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from datalab.errors import ProtocolError

CONSUMER, PROVIDER = "consumer", "provider"
KINDS = ("negotiation", "transfer")
Table = Mapping[tuple[str, str, str], str]


@dataclass(frozen=True, slots=True)
class Move:
    """How a move is said: the type of its message, its path below the process it is about, the event it names."""

    message: str
    path: str
    event: str = ""


MOVES: Mapping[str, Mapping[str, Move]] = {
    "negotiation": {
        "request": Move("ContractRequestMessage", "request"),
        "offer": Move("ContractOfferMessage", "offers"),
        "accepted": Move("ContractNegotiationEventMessage", "events", "ACCEPTED"),
        "agreement": Move("ContractAgreementMessage", "agreement"),
        "verification": Move("ContractAgreementVerificationMessage", "agreement/verification"),
        "finalized": Move("ContractNegotiationEventMessage", "events", "FINALIZED"),
        "termination": Move("ContractNegotiationTerminationMessage", "termination"),
    },
    "transfer": {
        "request": Move("TransferRequestMessage", "request"),
        "start": Move("TransferStartMessage", "start"),
        "completion": Move("TransferCompletionMessage", "completion"),
        "suspension": Move("TransferSuspensionMessage", "suspension"),
        "termination": Move("TransferTerminationMessage", "termination"),
    },
}
"""The moves of each kind of process; both roles use the same names and paths."""

NEGOTIATION: Table = {
    ("", "request", CONSUMER): "REQUESTED",
    ("", "offer", PROVIDER): "OFFERED",
    ("REQUESTED", "offer", PROVIDER): "OFFERED",
    ("REQUESTED", "agreement", PROVIDER): "AGREED",
    ("OFFERED", "request", CONSUMER): "REQUESTED",
    ("OFFERED", "accepted", CONSUMER): "ACCEPTED",
    ("ACCEPTED", "agreement", PROVIDER): "AGREED",
    ("AGREED", "verification", CONSUMER): "VERIFIED",
    ("VERIFIED", "finalized", PROVIDER): "FINALIZED",
    **{
        (state, "termination", sender): "TERMINATED"
        for state in ("REQUESTED", "OFFERED", "ACCEPTED", "AGREED", "VERIFIED")
        for sender in (CONSUMER, PROVIDER)
    },
}

TRANSFER: Table = {
    ("", "request", CONSUMER): "REQUESTED",
    ("REQUESTED", "start", PROVIDER): "STARTED",
    **{
        (state, move, sender): result
        for sender in (CONSUMER, PROVIDER)
        for state, move, result in (
            ("REQUESTED", "termination", "TERMINATED"),
            ("STARTED", "completion", "COMPLETED"),
            ("STARTED", "suspension", "SUSPENDED"),
            ("STARTED", "termination", "TERMINATED"),
            ("SUSPENDED", "start", "STARTED"),
            ("SUSPENDED", "termination", "TERMINATED"),
        )
    },
}

TABLES: Mapping[str, Table] = {"negotiation": NEGOTIATION, "transfer": TRANSFER}
ENDED = frozenset(("FINALIZED", "COMPLETED", "TERMINATED"))


class IllegalMove(ProtocolError):
    """A message that its state does not allow."""


def after(table: Table, state: str, move: str, sender: str) -> str:
    """Return the state that a move leads to; raise ``IllegalMove`` where there is none."""
    found = table.get((state, move, sender))
    if found is None:
        raise IllegalMove(f"the {sender} cannot send {move!r} in state {state or 'INITIAL'}")
    return found
