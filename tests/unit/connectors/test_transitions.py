from __future__ import annotations

import pytest
from datalab_connectors.dsp.messages import NEGOTIATION_STATES, TRANSFER_STATES
from datalab_connectors.dsp.transitions import CONSUMER, ENDED, NEGOTIATION, PROVIDER, TRANSFER, IllegalMove, after
from hypothesis import given
from hypothesis import strategies as st

MOVES = [
    "request",
    "offer",
    "accepted",
    "agreement",
    "verification",
    "finalized",
    "start",
    "completion",
    "suspension",
    "termination",
]


def walk(table, *moves):
    state = ""
    for move in moves:
        state = after(table, state, move[1:], {"c": CONSUMER, "p": PROVIDER}[move[0]])
    return state


@pytest.mark.parametrize(
    ("moves", "state"),
    [
        ("crequest pagreement cverification pfinalized", "FINALIZED"),
        ("crequest poffer caccepted pagreement cverification pfinalized", "FINALIZED"),
        ("crequest poffer crequest ptermination", "TERMINATED"),
        ("poffer crequest pagreement ctermination", "TERMINATED"),
        ("crequest poffer caccepted ptermination", "TERMINATED"),
        ("crequest pagreement cverification ptermination", "TERMINATED"),
    ],
)
def test_legal_negotiations(moves, state):
    assert walk(NEGOTIATION, *moves.split()) == state


@pytest.mark.parametrize(
    "moves",
    [
        "pagreement", "crequest cverification", "crequest poffer cverification", "crequest poffer pagreement", "crequest pfinalized",
        "crequest poffer crequest crequest", "crequest pagreement cverification pfinalized ctermination", "crequest cagreement",
    ],
)  # fmt: skip
def test_illegal_negotiations(moves):
    with pytest.raises(IllegalMove, match="cannot send"):
        walk(NEGOTIATION, *moves.split())


@pytest.mark.parametrize(
    ("moves", "state"),
    [
        ("crequest pstart ccompletion", "COMPLETED"),
        ("crequest pstart psuspension cstart pcompletion", "COMPLETED"),
        ("crequest ptermination", "TERMINATED"),
        ("crequest pstart csuspension ctermination", "TERMINATED"),
    ],
)
def test_legal_transfers(moves, state):
    assert walk(TRANSFER, *moves.split()) == state


@given(st.lists(st.tuples(st.sampled_from(MOVES), st.sampled_from([CONSUMER, PROVIDER])), max_size=12), st.booleans())
def test_nothing_leaves_an_end_and_no_state_is_unknown(moves, negotiating):
    table = NEGOTIATION if negotiating else TRANSFER
    state = ""
    for move, sender in moves:
        try:
            new = after(table, state, move, sender)
        except IllegalMove:
            continue
        assert state not in ENDED
        assert new in (NEGOTIATION_STATES if negotiating else TRANSFER_STATES)
        state = new
