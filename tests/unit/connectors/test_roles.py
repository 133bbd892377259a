"""Both roles over one store each, hand in hand without a network: every move of either side, twice, and out of turn."""

from __future__ import annotations

import dataclasses
import json

import pytest
from datalab_connectors.dsp.callers import Caller, identity_token, read_signed
from datalab_connectors.dsp.exchange import Exchange, NotYet, Turn, Unknown
from datalab_connectors.dsp.holdings import File, Holding
from datalab_connectors.dsp.messages import PUSH
from datalab_connectors.dsp.provider import Provider
from datalab_connectors.dsp.store import Store
from datalab_connectors.dsp.transitions import CONSUMER, PROVIDER, IllegalMove
from datalab_connectors.dsp.versions import SPOKEN
from datalab_connectors.dsp.wishes import Wishes
from hypothesis import given, settings
from hypothesis import strategies as st

from datalab.errors import DatalabError, ProtocolError
from datalab.model.agreement import Intent
from datalab.ports.reach import Reach

TERMS = {"permission": [{"action": "use"}]}
OTHER = {"permission": [{"action": "read"}]}
WHO = Caller("did:web:consumer.example")
THERE, HERE = "http://127.0.0.1:1", "http://127.0.0.1:2"


class Pair:
    """A consumer and a provider; ``carry`` delivers what each owes the other until neither owes anything."""

    def __init__(self, folder, version, terms=TERMS):
        file = File("f", folder / "f.csv", "csv", "text/csv", "", 1, "0" * 64)
        shelf = {"d": Holding("d", "o", "D", "D", "H", terms, (file,))}
        stores = Store(folder / "c.sqlite"), Store(folder / "p.sqlite")
        provider = Provider(shelf, stores[1], Reach(loopback=True), HERE, 60.0, "did:web:provider.example")
        self.version = version
        self.consumer = Exchange(CONSUMER, stores[0], Wishes(), THERE)
        self.provider = Exchange(PROVIDER, stores[1], provider, HERE)
        self.heard = []

    def close(self):
        self.consumer.store.close()
        self.provider.store.close()

    def ask(self, terms=TERMS, rounds=0):
        offer = {"@id": "o", "@type": "Offer", "target": "d", "assigner": "x", **terms}
        process = self.consumer.begin("negotiation", "s", HERE, self.version, offer=offer, rounds=rounds)
        return self.open(process, {"offer": offer})

    def order(self, agreement, **more):
        process = self.consumer.begin("transfer", agreement, HERE, self.version)
        return self.open(process, {"agreementId": agreement, "format": "HttpData-PULL", **more})

    def open(self, process, says):
        _, wire = self.consumer.letter(process, "request", {**says, "callbackAddress": THERE})
        there = self.provider.open(process.kind, wire, WHO, self.version)
        assert self.provider.open(process.kind, wire, WHO, self.version) == there
        self.consumer.learn_peer(process, there.pid)
        return process.pid

    def carry(self, *, twice=True):
        for _ in range(20):
            busy = False
            for side, other in ((self.consumer, self.provider), (self.provider, self.consumer)):
                for process in side.store.due():
                    if process.due != "push":
                        side.act(process)
                for letter in side.store.letters(1e12):
                    busy = True
                    _, kind, pid, path = (
                        letter.url.rsplit("/", 3) if "verification" not in letter.url else self.split(letter.url)
                    )
                    text = json.dumps(letter.message)
                    for _ in range(2 if twice else 1):
                        other.hear(
                            kind.rstrip("s"),
                            pid,
                            path,
                            json.loads(text),
                            text,
                            WHO.participant if other is self.provider else None,
                        )
                    self.heard.append(path)
                    side.store.delivered(letter)
            if not busy:
                return

    @staticmethod
    def split(url):
        base, kind, pid, first, second = url.rsplit("/", 4)
        return base, kind, pid, f"{first}/{second}"

    def states(self, kind, pid):
        mine = self.consumer.store.get(kind, pid)
        return mine.state, self.provider.store.get(kind, mine.peer).state

    def agreed(self):
        pid = self.ask()
        self.carry()
        return self.provider.store.get("negotiation", self.consumer.store.get("negotiation", pid).peer).subject


@pytest.fixture(params=SPOKEN, ids=lambda version: version.name)
def pair(request, tmp_path):
    made = Pair(tmp_path, request.param)
    yield made
    made.close()


def test_the_same_terms_are_agreed(pair):
    pid = pair.ask()
    pair.carry()
    assert pair.states("negotiation", pid) == ("FINALIZED", "FINALIZED")
    assert pair.heard == ["agreement", "agreement/verification", "events"]


@pytest.mark.parametrize(
    ("rounds", "moves"), [(0, ["offers", "termination"]), (1, ["offers", "request", "offers", "termination"])]
)
def test_each_side_counters_and_gives_up_in_the_end(pair, rounds, moves):
    pid = pair.ask(OTHER, rounds)
    pair.carry()
    assert pair.states("negotiation", pid) == ("TERMINATED", "TERMINATED")
    assert pair.heard == moves


def test_a_counter_offer_of_the_same_terms_is_accepted(pair):
    pid = pair.ask(OTHER)
    mine = pair.consumer.store.get("negotiation", pid)
    offer = {**mine.data["offer"], **TERMS}
    pair.consumer.store.save(dataclasses.replace(mine, data={**mine.data, "offer": offer}))
    pair.carry()
    assert pair.heard == ["offers", "events", "agreement", "agreement/verification", "events"]
    assert pair.states("negotiation", pid) == ("FINALIZED", "FINALIZED")


@pytest.mark.parametrize("who", ["consumer", "provider"])
def test_either_side_ends_a_negotiation_and_it_stays_ended(pair, who):
    pid = pair.ask()
    side = getattr(pair, who)
    mine = pair.consumer.store.get("negotiation", pid)
    process = mine if who == "consumer" else pair.provider.store.get("negotiation", mine.peer)
    assert side.make(process, Turn("termination", {"code": "x", "reason": ["y"]})).state == "TERMINATED"
    assert side.make(process, Turn("termination", {"code": "x", "reason": ["y"]})) is None
    pair.carry()
    assert pair.states("negotiation", pid) == ("TERMINATED", "TERMINATED")


@pytest.mark.parametrize("who", ["consumer", "provider"])
@pytest.mark.parametrize("last", ["completion", "termination"])
def test_a_transfer_is_suspended_and_resumed_by_either_side(pair, who, last):
    pid = pair.order(pair.agreed())
    pair.carry()
    assert pair.states("transfer", pid) == ("STARTED", "STARTED")
    side = getattr(pair, who)
    reason = {"code": "x", "reason": ["y"]}
    for move, says, state in (
        ("suspension", reason, "SUSPENDED"),
        ("start", {}, "STARTED"),
        ("suspension", reason, "SUSPENDED"),
        ("start", {}, "STARTED"),
        (last, reason if last == "termination" else {}, "COMPLETED" if last == "completion" else "TERMINATED"),
    ):
        mine = pair.consumer.store.get("transfer", pid)
        process = mine if who == "consumer" else pair.provider.store.get("transfer", mine.peer)
        side.make(process, Turn(move, says))
        pair.carry(twice=False)
        assert pair.states("transfer", pid) == (state, state)
    assert "address" not in pair.consumer.store.get("transfer", pid).data or who == "consumer"
    with pytest.raises(IllegalMove):
        side.make(side.store.get("transfer", process.pid), Turn("start"))


def test_nothing_is_agreed_or_handed_out_twice(pair):
    agreement = pair.agreed()
    pids = {pair.order(agreement) for _ in range(3)}
    pair.carry()
    assert len(pids) == 3
    assert len(pair.provider.store.about("negotiation", agreement)) == 1
    with pytest.raises(Unknown):
        pair.order("urn:other")
    with pytest.raises(IllegalMove, match="dataAddress"):
        pair.order(agreement, format=PUSH)
    with pytest.raises(IllegalMove, match="formats"):
        pair.order(agreement, format="Carrier-Pigeon")


def test_a_stranger_is_told_that_nothing_is_there(pair):
    pid = pair.ask()
    there = pair.consumer.store.get("negotiation", pid).peer
    assert pair.provider.find("negotiation", there, WHO.participant).pid == there
    for party, version in (("did:web:stranger.example", None), (WHO.participant, next(v for v in SPOKEN if v != pair.version))):
        with pytest.raises(Unknown):
            pair.provider.find("negotiation", there, party, version)
    with pytest.raises(Unknown):
        pair.consumer.open("transfer", {}, WHO, pair.version)
    with pytest.raises(NotYet):
        pair.consumer.wait(pair.consumer.store.get("negotiation", pid), lambda now: now.state == "FINALIZED", 0.01)


MOVES = st.lists(
    st.tuples(
        st.sampled_from(["consumer", "provider"]),
        st.sampled_from(["start", "completion", "suspension", "termination", "accepted", "offer", "verification"]),
    ),
    max_size=8,
)


@settings(max_examples=40, deadline=None)
@given(moves=MOVES, version=st.sampled_from(SPOKEN), kind=st.sampled_from(["negotiation", "transfer"]))
def test_whatever_is_tried_both_sides_end_in_the_same_state(tmp_path_factory, moves, version, kind):
    pair = Pair(tmp_path_factory.mktemp("pair"), version)
    pid = pair.ask() if kind == "negotiation" else pair.order(pair.agreed())
    for who, move in moves:
        side = getattr(pair, who)
        mine = pair.consumer.store.get(kind, pid)
        process = mine if who == "consumer" else pair.provider.store.get(kind, mine.peer)
        says = (
            {"code": "x", "reason": ["y"]}
            if move in {"termination", "suspension"}
            else {"offer": mine.data.get("offer")}
            if move == "offer"
            else {}
        )
        try:
            side.make(process, Turn(move, says))
        except (DatalabError, KeyError, ValueError):
            continue
        pair.carry()
    pair.carry()
    one, other = pair.states(kind, pid)
    assert one == other
    pair.close()


def test_a_signed_identity_is_proven_or_nobodys():
    key, intent = b"k" * 32, Intent("dpv:Research", "words", territory="LU", recipient="somebody else")
    token = identity_token(WHO.participant, intent, key)
    caller = read_signed(f"Bearer {token}", {WHO.participant: key})
    assert caller.participant == caller.intent.recipient == WHO.participant
    assert (caller.intent.purpose, caller.intent.purpose_text) == ("dpv:Research", "")
    text, _, signature = token.rpartition(".")
    forged = identity_token("did:web:other.example", intent, key).rpartition(".")[0]
    other = "1" if signature[-1] == "0" else "0"
    for wrong in ("", "x", text, f"{text}.", f"{text}.{signature[:-1]}{other}", f"{forged}.{signature}", f"{text}.{'é' * 64}"):
        assert read_signed(wrong, {WHO.participant: key}) is None
    assert read_signed(token, {WHO.participant: b"other" * 8}) is None
    assert read_signed(token, {}) is None


def test_an_old_signature_is_nobodys(monkeypatch):
    import time

    token = identity_token(WHO.participant, None, b"k" * 32)
    later = time.time() + 301
    monkeypatch.setattr(time, "time", lambda: later)
    assert read_signed(token, {WHO.participant: b"k" * 32}) is None


def test_garbage_to_either_side_changes_nothing(pair):
    pid = pair.ask()
    before = pair.consumer.store.get("negotiation", pid)
    for path, body in (("agreement", {}), ("nonsense", {}), ("events", None), ("offers", [1])):
        with pytest.raises((ProtocolError, Unknown)):
            pair.consumer.hear("negotiation", pid, path, body, "x", None)
    assert pair.consumer.store.get("negotiation", pid) == before
