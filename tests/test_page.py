"""A piece as a page of its own and in a notebook: one file, no network, nothing of a MIDI file taken for markup."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from symusic import KeySignature, Note, Score, Tempo, TimeSignature, Track

from toccata.errors import RequestError
from toccata.piece import Piece, Pieces
from toccata.render.page import document, element, song_json

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>&\u2028"


def piece(name: str = "Lead", **origin: Any) -> Piece:
    score = Score(480)
    score.tempos = [Tempo(0, qpm=90), Tempo(960, qpm=120)]
    score.time_signatures = [TimeSignature(0, 3, 4)]
    score.key_signatures = [KeySignature(0, -1, 1)]
    lead = Track(name, 40, False)
    lead.notes.extend([Note(480, 240, 64, 90), Note(0, 480, 60, 80), Note(0, 480, 55, 70)])
    drums = Track("", 0, True)
    drums.notes.extend([Note(0, 60, 36, 100)])
    score.tracks.extend([lead, Track("silent", 3, False), drums])
    return Piece(score.dumps_midi(), origin)


def given(html: str) -> list[Any]:
    """What the page's script is handed."""
    (call,) = re.findall(r"window\.toccataShow\(\.\.\.(.*)\);</script>", html)
    found: list[Any] = json.loads(call)
    return found


def test_the_scripts_get_the_song() -> None:
    song = song_json(piece().score)
    assert song["ticksPerQuarter"] == 480
    assert song["bars"] == [0, 1440]
    assert song["end"] == 1440
    assert song["tempos"] == [[0, pytest.approx(90, abs=0.01)], [960, 120.0]]
    assert song["meters"] == [[0, 3, 4]]
    assert song["keys"] == [[0, -1, 1]]
    assert [(track["name"], track["program"], track["drum"]) for track in song["tracks"]] == [
        ("Lead", 40, False),
        ("Drums", 0, True),
    ]
    assert song["tracks"][0]["notes"] == [0, 480, 55, 70, 0, 480, 60, 80, 480, 240, 64, 90]


def test_a_piece_is_saved_as_one_page_that_loads_nothing(tmp_path: Path) -> None:
    music = piece()
    path = music.save(tmp_path / "my <song>.html")
    html = path.read_text(encoding="utf-8")
    assert "<title>my &lt;song&gt;</title>" in html
    assert not re.search(r"<(?:link|iframe|object|embed)\b|<script[^>]+src=", html)
    assert "default-src 'none'" in html
    place, song, file = given(html)
    assert place == "toccata-page"
    assert song == song_json(music.score)
    assert base64.b64decode(file["midi"]) == music.midi
    assert len(html) < 400_000
    with pytest.raises(RequestError, match="exists already"):
        music.save(path)
    assert music.save(path, force=True) == path


def test_the_policy_of_the_page_permits_its_own_script_alone(tmp_path: Path) -> None:
    html = piece().save(tmp_path / "x.html").read_text(encoding="utf-8")
    (script,) = re.findall(r"<script>(.*)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in html


def test_names_from_a_file_never_become_markup() -> None:
    music = piece(EVIL)
    for html in (document(music.score, music.midi, EVIL), element(music.score, music.midi, "", name=EVIL)):
        assert html.count("<script>") == html.count("</script>") == 1
        assert "<img" not in html
        assert "\u2028" not in html.split("<script>")[1]
        assert given(html)[2]["name"] == EVIL


def test_a_notebook_shows_the_element_and_a_picture_where_scripts_do_not_run() -> None:
    html = piece(file="chorale.mid")._repr_mimebundle_()["text/html"]
    (place,) = re.findall(r'<div data-toccata="([^"]+)"><img ', html)
    assert given(html)[0] == place
    assert given(html)[2]["name"] == "chorale"


def test_a_list_of_pieces_has_the_scripts_once() -> None:
    html = Pieces([piece("a"), piece("b"), piece("c")])._repr_html_()
    assert html.count("if(!window.toccataShow)") == 1
    assert html.count("window.toccataShow(...") == 3
    assert html.count("<img") == 3
