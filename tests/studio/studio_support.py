"""A page of the studio for tests, and music for it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient
from symusic import Note, Score, Track

from toccata.midi.splice import new_file
from toccata.studio.studio import Studio

TOKEN = "not-a-secret"


def two_hands(bars: int = 4) -> bytes:
    """A melody and a bass of quarters and halves, as a file of type 1."""
    score = Score(480)
    melody, bass = Track("Melody", 0, False), Track("Bass", 32, False)
    for n in range(4 * bars):
        melody.notes.append(Note(480 * n, 480, 60 + n % 8, 80))
    for n in range(2 * bars):
        bass.notes.append(Note(960 * n, 960, 36 + n % 5, 90))
    score.tracks.extend([melody, bass])
    return new_file(score)


@dataclass
class Page:
    """A page: a client with the token, and what it does most."""

    client: TestClient
    studio: Studio
    folder: Path

    def get(self, path: str, status: int = 200) -> Any:
        answer = self.client.get(f"/studio/{path}")
        assert answer.status_code == status, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None, status: int | None = None, method: str = "POST") -> Any:
        answer = self.client.request(method, f"/studio/{path}", json=body or {})
        expected = (status,) if status is not None else (200, 201)
        assert answer.status_code in expected, answer.text
        return answer.json()

    def open(self, midi: bytes, title: str = "Tune") -> Any:
        answer = self.client.post(
            "/studio/pieces", params={"title": title}, content=midi, headers={"content-type": "audio/midi"}
        )
        assert answer.status_code == 201, answer.text
        return answer.json()

    def finished(self, takes: list[Any]) -> list[Any]:
        """Wait until ideas have ended; return their takes."""
        for take in takes:
            idea = self.studio.ideas.growing(take["id"])
            if idea is not None:
                idea.result(120)
        known = {take["id"]: take for take in self.get(f"pieces/{takes[0]['piece']}")["takes"]}
        return [known[take["id"]] for take in takes]


def notes_of(song: Any) -> Counter[tuple[Any, ...]]:
    """The notes of a song as the page has it, with their tracks."""
    return Counter(
        (track["id"], *track["notes"][n : n + 4]) for track in song["tracks"] for n in range(0, len(track["notes"]), 4)
    )


def events(page: Page, after: int = 0) -> list[Any]:
    """All events after a number; 0: all there are."""
    return [json.loads(data) for _, data in page.studio.hub._after(after)[1]]
