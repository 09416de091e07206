"""Events for a consumer that reads when it likes: nothing waits for it, and what it reads adds up to the same music."""

from __future__ import annotations

import threading
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from toccata.events import BarBegun, Event, EventBuffer, NoteAdded, NoteRemoved, PieceRestarted, SongClock

CLOCK = SongClock(480)


def note(number: int, piece: int = 0) -> NoteAdded:
    return NoteAdded(piece, CLOCK.note(480 * number, 480, 60 + number, 80, 0, False))


def music(events: list[Event]) -> tuple[Counter[NoteAdded], Counter[tuple[int, int]]]:
    """The notes and bars that are there in the end."""
    notes, bars = Counter[NoteAdded](), Counter[tuple[int, int]]()
    for event in events:
        if isinstance(event, NoteAdded):
            notes[event] += 1
        elif isinstance(event, NoteRemoved):
            notes[NoteAdded(event.piece, event.note)] -= 1
        elif isinstance(event, BarBegun):
            bars[event.piece, event.bar] += 1
        elif isinstance(event, PieceRestarted):
            notes = Counter({one: count for one, count in notes.items() if one.piece != event.piece})
            bars = Counter({one: count for one, count in bars.items() if one[0] != event.piece})
    return +notes, bars


@given(st.lists(st.tuples(st.sampled_from("nnnrbsT"), st.integers(0, 3), st.integers(0, 1)), max_size=60))
def test_whoever_reads_late_has_the_same_music(steps: list[tuple[str, int, int]]) -> None:
    buffer, given_events, taken = EventBuffer(), list[Event](), list[Event]()
    for step, number, piece in steps:
        if step == "T":
            taken += buffer.take()
            continue
        there = music(given_events)[0][note(number, piece)]
        if step == "r" and not there:
            continue
        event: Event = {
            "n": note(number, piece),
            "r": NoteRemoved(piece, note(number, piece).note),
            "b": BarBegun(piece, number, 0, 0.0, 0.0, (4, 4), 120.0),
            "s": PieceRestarted(piece),
        }[step]
        given_events.append(event)
        buffer.put(event)
    taken += buffer.take()
    assert music(taken) == music(given_events)
    assert buffer.take() == []


def test_it_holds_no_more_than_the_pieces_do() -> None:
    buffer = EventBuffer()
    for _ in range(1000):
        buffer.put(note(1))
        buffer.put(NoteRemoved(0, note(1).note))
    assert len(buffer) == 0
    for _ in range(1000):
        buffer.put(note(2))
        buffer.put(PieceRestarted(0))
    assert buffer.take() == [PieceRestarted(0)]


def test_a_consumer_can_wait_in_another_thread() -> None:
    buffer, found = EventBuffer(), list[Event]()

    def consume() -> None:
        while len(found) < 100:
            found.extend(buffer.take(timeout=None))

    thread = threading.Thread(target=consume)
    thread.start()
    for number in range(100):
        buffer.put(note(number % 60, piece=number))
    thread.join()
    assert found == [note(number % 60, piece=number) for number in range(100)]
    assert buffer.take(timeout=0.0) == []
