from __future__ import annotations

from dataclasses import replace

import pytest

from datalab.model.event import GENESIS, Event

AT = "2026-01-02T03:04:05.678Z"


def chain(length: int) -> list[Event]:
    events: list[Event] = []
    for number in range(length):
        last = events[-1] if events else None
        events.append(Event.following(last, at=AT, type="part.done", actor="engine", subject="plan", body={"part": number}))
    return events


def first_broken(events: list[Event]) -> int | None:
    """Return the place of the first event that does not hold or does not follow."""
    before, number = GENESIS, 1
    for place, event in enumerate(events):
        if not event.holds() or event.previous != before or event.sequence != number:
            return place
        before, number = event.hash, number + 1
    return None


def test_a_chain_starts_at_genesis_and_has_no_gaps() -> None:
    events = chain(4)
    assert events[0].previous == GENESIS
    assert [event.sequence for event in events] == [1, 2, 3, 4]
    assert first_broken(events) is None


@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize(
    "change", [{"actor": "somebody"}, {"at": AT.replace("5", "6")}, {"type": "x"}, {"subject": "x"}, {"body": {"part": 99}}]
)
def test_the_altered_event_is_found(place: int, change: dict[str, object]) -> None:
    events = chain(5)
    events[place] = replace(events[place], **change)
    assert first_broken(events) == place


def test_an_event_that_was_rewritten_with_its_hash_breaks_the_next() -> None:
    events = chain(3)
    events[1] = Event.following(events[0], at=AT, type="part.done", actor="engine", subject="plan", body={"part": 7})
    assert events[1].holds()
    assert first_broken(events) == 2


def test_a_removed_or_swapped_event_is_found() -> None:
    events = chain(4)
    assert first_broken(events[:1] + events[2:]) == 1
    assert first_broken([events[0], events[2], events[1], events[3]]) == 1


def test_a_float_has_no_place_in_an_event() -> None:
    with pytest.raises(TypeError):
        Event.following(None, at=AT, type="x", actor="y", subject="z", body={"seconds": 1.5})


def test_the_json_form_gives_the_event_back() -> None:
    event = chain(2)[1]
    assert Event(**event.as_json()) == event
