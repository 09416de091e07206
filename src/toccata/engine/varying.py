"""The part of a model that varies songs: some bars anew, with their rhythm, contour, melody or harmony kept."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from symusic import Note, Score, Track

from toccata.arguments import checked
from toccata.engine.generate import Event, Finished, NewBar, generate
from toccata.engine.music import MAX_TOKENS, Stats
from toccata.engine.rewrite import Ask, bars_of, blocks, halves, locks_of
from toccata.engine.rewriting import Rewriting
from toccata.engine.sampling import Sampling
from toccata.engine.seeds import Seed, seeds_of
from toccata.errors import RequestError
from toccata.midi.bars import BarMap, bar_map
from toccata.midi.keys import Key, every_octave
from toccata.midi.locks import Lock, kept_notes
from toccata.midi.read import read_score
from toccata.midi.repitch import Keys
from toccata.midi.splice import new_file
from toccata.midi.tracks import chosen_tracks
from toccata.piece import Piece, origin_text
from toccata.tasks.fill import TOO_LONG, Hole, Kept, can_fill
from toccata.tasks.prompt import Prompt, Source, open_prompt
from toccata.tasks.request import Request
from toccata.tasks.revoice import Freedom, Song
from toccata.tasks.script import why_not
from toccata.tasks.scripted import Scripted, after, filled
from toccata.tasks.vary import Change, Harmony, Keep, change, melody, span, within
from toccata.tokenizers.rulebook import PitchRule
from toccata.tokenizers.vocabulary import DRUMS


@dataclass(frozen=True)
class _Variation:
    """What is asked of every version.

    Attributes:
        song: The song.
        bars: Its bars.
        holes: What is varied.
        spans: The same in ticks.
        tracks: In these alone; None: all.
        locks: What is locked.
        kept: The notes that are.
        keep: What else stays.
        strength: How much of the rest may change, 0 to 1.
        key: Kept to.
        sampling: How bold.
    """

    song: Prompt
    bars: BarMap
    holes: list[Hole]
    spans: list[tuple[int, int]]
    tracks: frozenset[int] | None
    locks: tuple[Lock, ...]
    kept: frozenset[Kept]
    keep: Keep
    strength: float
    key: str | None
    sampling: Sampling

    def said(self) -> dict[str, Any]:
        """What the origin of a version says of it."""
        locks = {"locks": [str(lock) for lock in self.locks]} if self.locks else {}
        return {"keep": self.keep, "strength": self.strength, **locks}

    @property
    def scale(self) -> NDArray[np.bool_] | None:
        """``bool[128]``: what lies in the key."""
        return None if self.key is None else every_octave(Key.read(self.key).scale())

    def dice(self, seed: int, count: int) -> NDArray[np.float64]:
        """A number from 0 to 1 for each of so many notes."""
        return np.random.default_rng([seed, count]).random(count)


class Varying(Rewriting):
    """What :class:`~toccata.engine.model.Model` can do with a song that shall stay itself."""

    @checked
    def vary(
        self,
        song: Source,
        *,
        keep: Keep = "rhythm",
        strength: float = 0.5,
        bars: Sequence[tuple[int, int]] | None = None,
        tracks: Sequence[int | str] | None = None,
        locks: Sequence[Lock] = (),
        n: int = 4,
        seed: Seed = None,
        sampling: Sampling | None = None,
        key: str | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> list[Piece]:
        """Variations of some bars, from the closest to the farthest; the rest of the song stays, event for event.

        - ``rhythm``: every note keeps its beginning, length and loudness exactly; pitches change, but not the drums.
          The order of pitches within a chord stays.
        - ``contour``: the same, and the highest notes of each track go up, stay and go down where they did.
        - ``melody``: the top line of the highest track (of ``tracks``) stays note for note; other notes are written
          anew.
        - ``harmony``: notes are written anew, and in each beat begin only pitch classes that sounded in it.

        What can keep rhythm and contour is any model whose tokens say pitches and lengths; one that has learned to fill
        reads what comes after the bars, too. Melody and harmony need one that has.

        Args:
            song: A MIDI file or its bytes, a Score, or a Piece; what a Piece has locked stays.
            keep: What stays.
            strength: How much of the rest may change: the share of its notes that are open, 0 to 1. Above 0, something
                does where it can.
            bars: First and last bar of each span, counted from 1; None: all.
            tracks: The tracks to vary: numbers from 1, or names of theirs or of their instruments; None: all.
            locks: Notes that stay all the same, beside those that a Piece has locked.
            n: How many versions.
            seed: The versions are those of ``seed``, ``seed + 1``, ..., in order of their distance. A list: one for
                each. None: new ones.
            sampling: How bold.
            key: Keep new pitches to a key.
            on_event: Called with bars as they are written.

        Returns:
            The versions; ``origin`` has for each ``distance`` (0 the same, 1 nothing is left; see
            :class:`~toccata.tasks.vary.Change`) and in words what ``changed``.

        Raises:
            MidiError: The song cannot be read, or not be taken apart.
            RequestError: There are no such bars, tracks or notes, or the model cannot keep what is to be kept.
        """
        self._refuse_unable(keep)
        opened = open_prompt(self.tokenizer, new_file(song) if isinstance(song, Score) else song, edit=True)
        assert opened is not None
        lines = bar_map(opened.score)
        chosen = None if tracks is None else chosen_tracks(opened.score, tracks)
        held = (*locks_of(song), *locks)
        kept = kept_notes(opened.score, lines, held)
        holes = blocks(lines, [(0, len(lines))] if bars is None else [(a - 1, b) for a, b in bars], chosen)
        spans = [span(opened.score, lines, hole) for hole in holes]
        asked = _Variation(opened, lines, holes, spans, chosen, held, kept, keep, strength, key, sampling or Sampling())
        write = self._revoiced if keep in ("rhythm", "contour") or not strength else self._around
        keys = Keys(opened.midi)
        began = time.perf_counter()
        found = []
        for row, own in enumerate(seeds_of(seed, n)):
            piece, now = write(asked, keys, row, own, on_event)
            what = change(keys, now, spans, chosen)
            found.append((what.distance, row, _with_change(piece, what)))
        versions = [piece for _, _, piece in sorted(found, key=lambda version: version[:2])]
        self.stats = Stats.of(versions, time.perf_counter() - began)
        return versions

    def _refuse_unable(self, keep: Keep) -> None:
        reason = why_not(self.tokenizer)
        if reason and (keep in ("rhythm", "contour") or not can_fill(self.tokenizer)):
            raise RequestError(f"{self.name} cannot keep a {keep}: {reason}; train a model with recipe toccata")
        if keep not in ("rhythm", "contour") and not self._fills():
            only = "" if reason else ", and can keep only rhythm or contour"
            raise RequestError(f"{self.name} has not learned to fill{only}: for {keep}, {self._how_to_fill()}")

    def _fills(self) -> bool:
        return can_fill(self.tokenizer) and self.has_learned("fill")

    # -- pitches alone -------------------------------------------------------------------------------------------------

    def _revoiced(
        self, asked: _Variation, keys: Keys, row: int, seed: int, on_event: Callable[[Event], None] | None
    ) -> tuple[Piece, Keys]:
        """One version with other pitches, written block by block."""
        song = self._notes_of(asked, keys)
        free = self._freedom(asked, song, seed)
        last = max((song.start[n] for n in free.notes if free.dice[n] < free.share or n == free.certain), default=-1)
        waiting, number, before = list(asked.holes) if last >= 0 else [], 0, 0
        tokens, notes, heard, nats = 0, 0, 0, 0.0
        while waiting:
            hole = waiting.pop(0)
            try:
                scripted = self._script(asked, song, hole, free, last)
            except RequestError as error:
                if error.kind != TOO_LONG or hole.last - hole.first == 1:
                    raise
                waiting[:0] = [ask.hole for ask in halves(Ask(hole))]
                continue
            if scripted is not None:
                draw = int(np.random.SeedSequence([seed, number]).generate_state(1)[0]) if number else seed
                for event in generate(self.ready, self.tokenizer, scripted.task, [draw], asked.sampling, MAX_TOKENS):
                    if isinstance(event, Finished):
                        notes += scripted.sing(event.cursor.begun, song)
                        tokens, heard, nats = tokens + event.written, heard + event.notes, nats + event.nats
                    elif isinstance(event, NewBar) and on_event is not None:
                        on_event(NewBar(row, before + event.bar))
                number += 1
            before += hole.last - hole.first
        about = {
            "bars": [[hole.first + 1, hole.last] for hole in asked.holes],
            "tracks": None if asked.tracks is None else sorted(asked.tracks),
            "key": asked.key,
            "programs": None,
            "prompt": asked.song.about,
            "tokens": tokens,
            "notes": notes,
            "nats_per_note": round(nats / max(1, heard), 4),
        }
        origin = {**self.about(seed, asked.sampling), **about, **asked.said()}
        now = keys.at(song.pitches)
        new = _moved(keys, now, asked.song.score)
        return Piece(keys.written(song.pitches, origin_text(origin)), origin, new=new), now

    def _notes_of(self, asked: _Variation, keys: Keys) -> Song:
        known = self.tokenizer.grammar().scheme.has_programs
        programs = [
            DRUMS if asked.song.score.tracks[n].is_drum else note.place.program if known else 0
            for note, n in zip(keys.notes, keys.tracks, strict=True)
        ]
        return Song(keys, [note.pitch for note in keys.notes], programs, asked.song.score.ticks_per_quarter)

    def _freedom(self, asked: _Variation, song: Song, seed: int) -> Freedom:
        """Which notes of all that are varied may move in the version of ``seed``."""
        notes = [
            n
            for n, note in enumerate(song.keys.notes)
            if note.end is not None
            and song.programs[n] != DRUMS
            and (asked.tracks is None or song.keys.tracks[n] in asked.tracks)
            and (song.keys.tracks[n], note.start, note.pitch) not in asked.kept
            and within(note.start, asked.spans)
        ]
        if not notes:
            raise RequestError("no pitched note that is not locked begins in these bars: name others, or other tracks")
        pitches = self.tokenizer.grammar().scheme.pitches(False)
        pitches = pitches if asked.scale is None else pitches & asked.scale
        dice = asked.dice(seed, len(song.keys.notes))
        certain = min(notes, key=lambda n: dice[n]) if asked.strength else -1
        return Freedom(frozenset(notes), asked.strength, dice, certain, pitches, asked.keep == "contour")

    def _script(self, asked: _Variation, song: Song, hole: Hole, free: Freedom, last: int) -> Scripted | None:
        """What the model is asked for in one block; None: nothing."""
        start, end = span(asked.song.score, asked.bars, hole)
        mine = replace(free, notes=frozenset(n for n in free.notes if start <= song.start[n] < end))
        if not mine.notes:
            return None
        stands = read_score(song.keys.written(song.pitches))
        make = filled if self._fills() else after
        done = not start <= last < end or song.pitches != [note.pitch for note in song.keys.notes]
        return make(self.tokenizer, stands, asked.bars, hole, song, mine, self.config.context * 2 // 3, changed=done)

    # -- notes anew ----------------------------------------------------------------------------------------------------

    def _around(
        self, asked: _Variation, keys: Keys, row: int, seed: int, on_event: Callable[[Event], None] | None
    ) -> tuple[Piece, Keys]:
        """One version with other notes around those that stay."""
        score = asked.song.score
        there = [
            Kept(n, note.time, note.pitch)
            for n, track in enumerate(score.tracks)
            if asked.tracks is None or n in asked.tracks
            for note in track.notes
            if within(note.time, asked.spans)
        ]
        if there and all(score.tracks[note.track].is_drum for note in there):
            raise RequestError("only drums play in these bars: name others, or other tracks")
        line = asked.kept
        if asked.keep == "melody":
            line |= melody(score, asked.spans, asked.tracks)
        others = [note for note in there if note not in line]
        if not others:
            what = f"nothing but {'what is locked' if asked.locks else 'the melody'}" if there else "no note"
            raise RequestError(f"{what} stands in these bars: name others, or other tracks")
        dice = asked.dice(seed, len(others))
        goes = {note for note, roll in zip(others, dice.tolist(), strict=True) if roll < asked.strength}
        goes = goes or {others[int(dice.argmin())]}
        kept = frozenset(there) - goes
        ticks = sorted(note.tick for note in goes)
        asks = [
            Ask(replace(hole, kept=kept), moving=self._harmony(asked) if asked.keep == "harmony" else None)
            for hole, (start, end) in zip(asked.holes, asked.spans, strict=True)
            if bisect_left(ticks, start) < bisect_left(ticks, end)
        ]
        request = Request(key=asked.key)
        bars = bars_of([ask.hole for ask in asks])
        piece = self._rewritten(asked.song, asks, request, row, seed, asked.sampling, on_event, asked.said(), bars)
        return piece, Keys(piece.midi)

    def _harmony(self, asked: _Variation) -> Callable[[Hole], tuple[PitchRule, ...]]:
        grid = self.tokenizer.grammar().scheme.timing.ticks_per_quarter
        return lambda hole: (Harmony.of(asked.song.score, asked.bars, hole, grid, asked.scale),)


def _moved(before: Keys, after: Keys, song: Score) -> Score:
    """The notes that have another pitch, each in the track of the song that it stands in."""
    out = Score(song.ticks_per_quarter)
    out.tracks.extend([Track(track.name, track.program, track.is_drum) for track in song.tracks])
    for was, now, track in zip(before.notes, after.notes, before.tracks, strict=True):
        if now.pitch != was.pitch and now.end is not None:
            out.tracks[track].notes.append(Note(now.start, now.end - now.start, now.pitch, 64))
    return out


def _with_change(piece: Piece, what: Change) -> Piece:
    """A version that says how far it is from the song."""
    return replace(piece, origin={**piece.origin, "distance": what.distance, "changed": what.told})
