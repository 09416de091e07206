"""A dataset to train on without music of one's own: the chorales of J. S. Bach, from the music21 library.

music21 only carries the files (compressed MusicXML); it is found but not imported, as reading them here takes a
fraction of its time and gives MIDI that is fit for training: bar lines where the score has them, upbeats at the end of
a full bar, every written bar once, four named voices.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TypedDict

from symusic import KeySignature, Note, Score, Tempo, TimeSignature, Track

from toccata.errors import MissingExtra, RequestError, ToccataError
from toccata.files import write_bytes, write_text
from toccata.midi.read import read_score
from toccata.midi.splice import new_file

_TPQ = 480
_TEMPO = 100.0  # quarter notes a minute where the score names none
_VELOCITY = 80
_CHOIR = 52  # General MIDI: Choir Aahs
_VOICES = ("soprano", "alto", "tenor", "bass")
_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_LICENCE = (
    "encodings from the music21 corpus, under the terms of its corpus/license.txt; Bach's music is in the public domain"
)
_NOTICE = """\
Chorales by Johann Sebastian Bach, as MIDI.

Made by `toccata dataset bach` from the encodings that the music21 library {version}carries in its corpus
(https://www.music21.org/). The music is in the public domain. music21 itself is under the BSD licence; the encodings in
its corpus are distributed with the permission of those who made them, and its corpus/license.txt says that some of them
may be restricted, for example to uses that are not commercial. The files here are for training models of your own; read
that licence before you pass them, or what you make of them, on.

What was done to them: the voices only (instruments that double or accompany are left out), every written bar once (of
alternative endings the last), an upbeat at the end of a full bar, {tempo:.0f} quarter notes a minute where the score
names no tempo, one velocity, no fermatas.
"""


class DatasetReport(TypedDict):
    """The result of ``write_bach``: files in the folder, their notes, files left out and why, and the licence."""

    files: int
    written: int
    notes: int
    skipped: list[dict[str, str]]
    licence: str


def write_bach(
    folder: Path, *, limit: int | None = None, progress: Callable[[int, int], None] | None = None
) -> DatasetReport:
    """Write the Bach chorales of the music21 corpus to ``folder`` as MIDI, one file a chorale, and a NOTICE.txt.

    Files that are there already are left as they are.

    Args:
        folder: Made if it does not exist.
        limit: At most this many chorales, the first by name.
        progress: Called with the number of chorales done, and of all.

    Raises:
        MissingExtra: music21 is not installed, or comes without its corpus.
        RequestError: There is a NOTICE.txt that says something else.
    """
    sources = _sources()[:limit]
    notice = folder / "NOTICE.txt"
    _refuse_other_notice(notice)
    report = DatasetReport(files=0, written=0, notes=0, skipped=[], licence=_LICENCE)
    for number, source in enumerate(sources, 1):
        target = folder / f"{source.stem}.mid"
        try:
            if os.path.lexists(target):
                score = read_score(target)
            else:
                score = read_chorale(source)
                write_bytes(target, new_file(score))
                report["written"] += 1
        except (ToccataError, ET.ParseError, zipfile.BadZipFile, RuntimeError, ValueError, KeyError) as error:
            report["skipped"].append({"path": source.name, "reason": str(error)})
        else:
            report["files"] += 1
            report["notes"] += score.note_num()
        if progress:
            progress(number, len(sources))
    write_text(notice, _NOTICE.format(version=_version(), tempo=_TEMPO))
    return report


def _refuse_other_notice(notice: Path) -> None:
    if not os.path.lexists(notice):
        return
    try:
        ours = notice.read_text(encoding="utf-8").splitlines()[:1] == _NOTICE.splitlines()[:1]
    except (OSError, ValueError):
        ours = False
    if not ours:
        raise RequestError(f"{notice} says something else than ours: name another folder", path=notice, kind="exists")


def read_chorale(path: Path) -> Score:
    """The voices of a chorale in MusicXML (.mxl or .xml), 480 ticks a quarter.

    Raises:
        ValueError: The file is no score of soprano, alto, tenor and bass.
    """
    root = ET.fromstring(_xml(path))
    names = {part.get("id"): _name(part.findtext("part-name") or "") for part in root.iter("score-part")}
    parts = [(names.get(part.get("id"), ""), part.findall("measure")) for part in root.findall("part")]
    parts = [(name, bars) for name, bars in parts if name.lower().startswith(_VOICES)]
    if {name.lower().split()[0] for name, _ in parts} != set(_VOICES):
        raise ValueError("not for soprano, alto, tenor and bass")
    voices = [_Voice(name) for name, _ in parts]
    played = _played(parts[0][1])
    meters: list[tuple[int, int]] = []
    lengths: list[Fraction] = []
    keys: list[tuple[int, int, int]] = []
    tempos: list[tuple[int, float]] = []
    now, meter = Fraction(0), (4, 4)
    for index, sounds in enumerate(played):
        bars = [measures[index] for _, measures in parts]
        meter = _meter(bars[0]) or meter
        length = max(voice.read(bar, now, sounds) for voice, bar in zip(voices, bars, strict=True))
        if not sounds or not length:
            continue
        if key := bars[0].find("attributes/key"):
            keys.append((len(lengths), int(key.findtext("fifths") or 0), int(key.findtext("mode") == "minor")))
        tempos += [
            (len(lengths), float(sound.attrib["tempo"])) for sound in bars[0].iter("sound") if "tempo" in sound.attrib
        ]
        meters.append(meter)
        lengths.append(length)
        now += length
    return _score(voices, meters, lengths, keys, tempos)


@dataclass
class _Voice:
    """One part while it is read.

    Attributes:
        name: The part's name.
        divisions: How many of the file's units make a quarter note.
        notes: Start and length in quarters, pitch.
        tied: For pitches that are tied on, their note's place in ``notes``.
    """

    name: str
    divisions: int = 1
    notes: list[tuple[Fraction, Fraction, int]] = field(default_factory=list)
    tied: dict[int, int] = field(default_factory=dict)

    def read(self, measure: ET.Element, start: Fraction, sounds: bool) -> Fraction:
        """Add a measure that starts at ``start`` (quarters), unless it is left out; its length in quarters."""
        at = last = longest = Fraction(0)
        for element in measure:
            if element.tag == "attributes":
                self.divisions = int(element.findtext("divisions") or self.divisions)
                continue
            if element.tag not in ("note", "backup", "forward") or element.find("grace") is not None:
                continue
            length = Fraction(element.findtext("duration") or 0) / self.divisions
            if element.tag == "backup":
                at -= length
                continue
            begin = last if element.find("chord") is not None else at
            if sounds and (pitch := element.find("pitch")) is not None:
                self._add(element, _pitch(pitch), start + begin, length)
            last, at = begin, begin + length
            longest = max(longest, at)
        return longest

    def _add(self, element: ET.Element, pitch: int, start: Fraction, length: Fraction) -> None:
        ties = {tie.get("type") for tie in element.findall("tie")}
        before = self.tied.pop(pitch, None) if "stop" in ties else None
        if before is not None and sum(self.notes[before][:2]) == start:
            begun, so_far, _ = self.notes[before]
            self.notes[before] = (begun, so_far + length, pitch)
        else:
            before = len(self.notes)
            self.notes.append((start, length, pitch))
        if "start" in ties:
            self.tied[pitch] = before


def _score(
    voices: list[_Voice],
    meters: list[tuple[int, int]],
    lengths: list[Fraction],
    keys: Iterable[tuple[int, int, int]],
    tempos: Iterable[tuple[int, float]],
) -> Score:
    """Voices and measures as a Score; measures that do not fill their bar get a place or a meter that fits."""
    score = Score(_TPQ)
    shift = Fraction(0)
    first = Fraction(4 * meters[0][0], meters[0][1])
    if len(lengths) > 1 and lengths[0] < first:
        shift = first - lengths[0]
    starts = [shift + sum(lengths[:n], Fraction(0)) for n in range(len(lengths))]
    for start, (numerator, denominator) in _signatures(meters, lengths, starts):
        score.time_signatures.append(TimeSignature(_ticks(start), numerator, denominator))
    previous: tuple[int, int] | None = None
    for index, fifths, minor in keys:
        if (fifths, minor) != previous:
            score.key_signatures.append(KeySignature(_ticks(starts[index] if index else Fraction(0)), fifths, minor))
        previous = fifths, minor
    named = {0: _TEMPO, **dict(tempos)}
    score.tempos.extend([Tempo(_ticks(starts[n] if n else Fraction(0)), qpm=qpm) for n, qpm in sorted(named.items())])
    for voice in voices:
        track = Track(voice.name, _CHOIR, False)
        track.notes.extend(
            [
                Note(
                    _ticks(shift + start),
                    max(1, _ticks(shift + start + length) - _ticks(shift + start)),
                    pitch,
                    _VELOCITY,
                )
                for start, length, pitch in voice.notes
            ]
        )
        score.tracks.append(track)
    return score


def _signatures(
    meters: list[tuple[int, int]], lengths: list[Fraction], starts: list[Fraction]
) -> list[tuple[Fraction, tuple[int, int]]]:
    """Return where each meter begins, so that bar lines are where the score has them.

    A short measure whose rest comes in the next one (a repeat inside a bar) makes one bar with it. One that stays short
    or is long gets a meter of its own length.
    """
    out: list[tuple[Fraction, tuple[int, int]]] = []

    def say(start: Fraction, meter: tuple[int, int]) -> None:
        if not out or out[-1][1] != meter:
            out.append((start, meter))

    say(Fraction(0), meters[0])
    index = 1 if starts[0] else 0
    while index < len(lengths):
        full = Fraction(4 * meters[index][0], meters[index][1])
        together, count = lengths[index], 1
        while together < full and index + count < len(lengths) and meters[index + count] == meters[index]:
            together += lengths[index + count]
            count += 1
        if together == full or index + count == len(lengths):
            say(starts[index], meters[index])
            index += count if together == full else 1
        else:
            length = lengths[index] / 4
            denominator = max(length.denominator, min(meters[index][1], 8))
            say(starts[index], (int(length * denominator), denominator))
            index += 1
    return out


def _played(measures: list[ET.Element]) -> list[bool]:
    """For each measure, whether it sounds: all do but the endings that a later one replaces."""
    endings: list[tuple[int, int, str]] = []
    begun, number = -1, ""
    for index, measure in enumerate(measures):
        for ending in measure.iter("ending"):
            if ending.get("type") == "start":
                begun, number = index, ending.get("number", "")
            elif begun >= 0:
                endings.append((begun, index, number))
                begun = -1
    out = [True] * len(measures)
    for (begin, end, _), (following, _, _) in pairwise(endings):
        if following == end + 1:
            out[begin : end + 1] = [False] * (end + 1 - begin)
    return out


def _meter(measure: ET.Element) -> tuple[int, int] | None:
    time = measure.find("attributes/time")
    if time is None:
        return None
    beats = sum(int(part) for part in (time.findtext("beats") or "4").split("+"))
    return beats, int(time.findtext("beat-type") or 4)


def _pitch(pitch: ET.Element) -> int:
    alter = round(float(pitch.findtext("alter") or 0))
    return 12 * (int(pitch.findtext("octave") or 4) + 1) + _STEPS[pitch.findtext("step") or "C"] + alter


def _ticks(quarters: Fraction) -> int:
    return round(quarters * _TPQ)


def _name(text: str) -> str:
    """The voice of a part's name: what doubles it stands behind, as in "Soprano, Oboe 1"."""
    found = re.match(r"\s*(soprano|alto|tenor|bass)( [12](?![\d,]))?", text.replace("\r", "\n"), re.IGNORECASE)
    return found.group(0).strip() if found else text.strip()


def _xml(path: Path) -> bytes:
    if path.suffix != ".mxl":
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        names = [n for n in archive.namelist() if n.endswith(("xml", ".XML")) and not n.startswith("META-INF")]
        if not names:
            raise ValueError("holds no score")
        return archive.read(names[0])


def _sources() -> list[Path]:
    """The chorales' files inside music21, in the order of their numbers."""
    found = importlib.util.find_spec("music21")
    places = list(found.submodule_search_locations or ()) if found else []
    if not places:
        raise MissingExtra('the Bach chorales come with the music21 library: pip install "toccata[dataset]"')
    folder = Path(places[0]) / "corpus" / "bach"
    files = [p for p in folder.glob("bwv*") if p.suffix in (".mxl", ".xml")] if folder.is_dir() else []
    if not files:
        raise MissingExtra(f"this music21 comes without its corpus: no chorales in {folder}", path=folder)
    return sorted(files, key=lambda p: ([int(n) for n in re.findall(r"\d+", p.stem)], p.stem))


def _version() -> str:
    try:
        return importlib.metadata.version("music21") + " "
    except importlib.metadata.PackageNotFoundError:
        return ""
