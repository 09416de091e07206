"""Encodes a piece as rows of tokens with their times, without the tokens of time itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from symusic import Score, Track

from toccata.tokenizers import quantise
from toccata.tokenizers.chords import chords_in
from toccata.tokenizers.quantise import Columns, Grid, Ints
from toccata.tokenizers.tables import Tables
from toccata.tokenizers.vocabulary import DRUMS
from toccata.tokenizers.words import CONTINUOUS, SWITCHES

_GLOBAL, _OFF, _PEDAL, _BEND, _CONTROL, _NOTE = 0, 1, 2, 3, 4, 10
"""The order of what is written at one tick, where a scheme has one."""
_REPEATED = CONTINUOUS | SWITCHES
"""Controllers of which the same value twice at one time says nothing new."""


@dataclass(frozen=True)
class Rows:
    """Tokens with their times, one row each.

    Attributes:
        time: Ticks on the piece's grid.
        token: Base ids.
        end: For the token of a pitch the end of its note, else 0.
        program: That each belongs to; drums -1, what belongs to all 0.
        rank: The order at one tick, where the scheme has one.
        last: The last tick at which anything of the piece begins; pedals do not count.
    """

    time: Ints
    token: Ints
    end: Ints
    program: Ints
    rank: Ints
    last: int


class RowWriter:
    """Writes one piece as rows."""

    def __init__(self, tables: Tables, grid: Grid, score: Score, notes: Sequence[tuple[Track, Columns]]) -> None:
        """A writer for one piece.

        Args:
            tables: Of the tokenizer.
            grid: Of the piece.
            score: The piece.
            notes: Its tracks that have notes, with these notes by time, pitch, length and velocity.
        """
        self.tables, self.settings, self.grid, self.score = tables, tables.settings, grid, score
        self.before = score.ticks_per_quarter
        self.starts, self.beats = grid.sections()
        self.steps = grid.steps()
        self._parts: list[tuple[Ints, Ints, Ints, int, int]] = []
        self.last = grid.meters[-1].time
        self._global()
        groups: dict[int, list[tuple[Track, Columns]]] = {}
        for track, columns in notes:
            program = -1 if track.is_drum else int(track.program)
            if not self.settings.use_programs or program in self.settings.programs:
                groups.setdefault(program, []).append((track, columns))
        for program, tracks in groups.items():
            self._track(program, tracks)

    def rows(self) -> Rows:
        """All rows, in the order of time."""
        parts = self._parts
        if not parts:
            none = np.zeros(0, np.int64)
            return Rows(none, none, none, none, none, self.last)
        time, token, end = (np.concatenate([part[i] for part in parts]) for i in range(3))
        sizes = [len(part[0]) for part in parts]
        program, rank = (np.repeat([part[i] for part in parts], sizes) for i in (3, 4))
        order = np.argsort(time, kind="stable")
        if self.settings.note_off and self.settings.use_chords:
            order = np.lexsort((rank, time))
        return Rows(time[order], token[order], end[order], program[order], rank[order], self.last)

    def _add(self, time: Ints, token: Ints, program: int, rank: int, end: Ints | None = None) -> None:
        if len(time):
            self._parts.append((time, token, np.zeros_like(time) if end is None else end, program, rank))

    def _rescaled(self, columns: Columns) -> Columns:
        """Columns on the piece's grid, before anything is moved to a position."""
        out = {name: column.astype(np.int64) for name, column in columns.items()}
        out["time"] = quantise.rescaled(out["time"], self.before, self.grid.ticks_per_quarter)
        if "duration" in out:
            length = quantise.rescaled(out["duration"], self.before, self.grid.ticks_per_quarter)
            out["duration"] = length if self.before == self.grid.ticks_per_quarter else np.maximum(length, 1)
        return out

    # -- what belongs to all tracks ------------------------------------------------------------------------------------

    def _global(self) -> None:
        settings, tables = self.settings, self.tables
        if settings.use_time_signatures:
            tokens = np.array([tables.meter(m.beats, m.unit) for m in self.grid.meters], np.int64)
            self._add(np.array([m.time for m in self.grid.meters], np.int64), tokens, 0, _GLOBAL)
        times = self._tempos() if settings.use_tempos else self._times(self.score.tempos)
        keys = self._keys() if settings.use_key_signatures else self._times(self.score.key_signatures)
        for found in (times, keys, self._times(self.score.markers)):
            self.last = max(self.last, int(found[-1]) if len(found) else 0)

    def _times(self, events: Sequence[object]) -> Ints:
        last = [events[-1].time] if len(events) else []  # type: ignore[attr-defined]
        return quantise.rescaled(np.array(last, np.int64), self.before, self.grid.ticks_per_quarter)

    def _tempos(self) -> Ints:
        tables = self.tables
        if not len(self.score.tempos):
            times, tokens = np.zeros(1, np.int64), np.array([tables.default_tempo], np.int64)
        else:
            columns = self._rescaled(self.score.tempos.numpy())
            which = quantise.nearest(tables.tempo_lengths, columns["mspq"])
            times = quantise.snapped(columns["time"], self.steps)
            keep = np.append(np.diff(times) != 0, True)  # the last of those at one tick
            times, which = times[keep], which[keep]
            if self.settings.delete_equal_successive_tempo_changes:
                keep = np.append(True, np.diff(which) != 0)
                times, which = times[keep], which[keep]
            tokens = tables.tempo[which]
            if self.settings.delete_equal_successive_tempo_changes and tables.is_default[which[0]]:
                times[0] = 0
            elif times[0] != 0:
                times, tokens = np.append(0, times), np.append(tables.default_tempo, tokens)
        self._add(times, tokens, 0, _GLOBAL)
        return times

    def _keys(self) -> Ints:
        keys = sorted(self.score.key_signatures, key=lambda k: k.time)
        times = quantise.rescaled(np.array([k.time for k in keys], np.int64), self.before, self.grid.ticks_per_quarter)
        found = dict(zip(quantise.snapped(times, self.steps).tolist(), keys, strict=True))  # the last at each tick
        rows = [(time, self.tables.key(key.key, key.tonality)) for time, key in found.items()]
        if not rows or rows[0][0] != 0:
            rows.insert(0, (0, self.tables.key(0, 0)))
        columns = np.array(rows, np.int64)
        self._add(columns[:, 0], columns[:, 1], 0, _GLOBAL)
        return columns[:, 0]

    # -- what belongs to one program -----------------------------------------------------------------------------------

    def _track(self, program: int, tracks: Sequence[tuple[Track, Columns]]) -> None:
        """The rows of all tracks of a program, as one."""
        settings = self.settings
        columns = [self._rescaled(notes) for _, notes in tracks]
        notes = columns[0]
        if len(columns) > 1:
            notes = quantise.ordered(quantise.joined(columns), "time", "duration", "pitch", "velocity")
        notes = self._quantised(notes, program)
        pedals = self._pedals([track for track, _ in tracks]) if settings.use_sustain_pedals else None
        bends = self._bends([track for track, _ in tracks])
        controls = self._controls([track for track, _ in tracks])
        used = [pedals, bends if settings.use_pitch_bends else None, controls if settings.use_control_changes else None]
        if not len(notes["time"]) and not any(found is not None and len(found["time"]) for found in used):
            return
        lyrics = self._times(tracks[0][0].lyrics)
        for times in (notes["time"], controls["time"], bends["time"], lyrics):
            self.last = max(self.last, int(times[-1]) if len(times) else 0)
        if pedals is not None:
            self._pedal_rows(program, pedals)
        if settings.use_pitch_bends:
            self._event_rows(program, bends["time"], bends["token"], _BEND)
        if settings.use_control_changes:
            self._event_rows(program, controls["time"], controls["token"], _CONTROL)
        if settings.use_chords and program != -1:
            when, tokens = chords_in(notes, self.starts, self.beats, settings, self.tables.words)
            self._event_rows(program, np.array(when, np.int64), np.array(tokens, np.int64), _NOTE)
        self._note_rows(program, notes)

    def _quantised(self, notes: Columns, program: int) -> Columns:
        """Notes at positions, with the velocities and lengths that there are tokens for."""
        settings, tables = self.settings, self.tables
        drums = program == -1 and settings.use_pitchdrum_tokens
        low, high = settings.drums_pitch_range if drums else settings.pitch_range
        within = (notes["pitch"] >= low) & (notes["pitch"] <= high)
        notes = notes if within.all() else quantise.chosen(notes, within)
        with_length = program in settings.use_note_duration_programs
        if settings.note_off and with_length:
            quantise.snap_spans(notes, self.steps)
        else:
            notes["time"] = quantise.snapped(notes["time"], self.steps)
        notes["length"] = np.zeros_like(notes["time"])
        if with_length and not settings.note_off:
            notes["length"], notes["duration"] = self._lengths(notes)
        if settings.remove_duplicated_notes:
            velocity = tables.quantised_velocity[notes["velocity"]] if settings.use_velocities else notes["velocity"]
            notes = quantise.ordered({**notes, "loudness": velocity}, "time", "pitch", "duration", "loudness")
            again = (np.diff(notes["time"]) == 0) & (np.diff(notes["pitch"]) == 0)
            notes = quantise.chosen(notes, np.append(True, ~again)[: len(notes["time"])])
        return notes

    def _lengths(self, spans: Columns) -> tuple[Ints, Ints]:
        """The tokens of the lengths nearest to those of notes or pedals, and these lengths."""
        tokens, lengths = np.zeros_like(spans["time"]), np.zeros_like(spans["time"])
        section = quantise.section_of(self.starts, spans["time"])
        for number, beat in enumerate(self.beats.tolist()):
            here = slice(None) if len(self.beats) == 1 else np.flatnonzero(section == number)
            known = self.tables.lengths("Duration", beat)
            which = quantise.nearest(known.ticks, spans["duration"][here])
            tokens[here], lengths[here] = known.tokens[which], known.ticks[which]
        return tokens, lengths

    def _note_rows(self, program: int, notes: Columns) -> None:
        settings, tables = self.settings, self.tables
        if settings.running_status:
            self._running_rows(program, notes)
            return
        time, pitch, drums = notes["time"], notes["pitch"], program == -1
        end = time + notes["duration"]
        single = tables.pitch[drums][pitch]
        if settings.use_pitch_intervals and not drums:
            single = self._intervals(notes, single)
        each = settings.use_programs and not settings.program_changes
        tokens = [np.full_like(time, tables.program[program if program >= 0 else DRUMS])] if each else []
        ends = [np.zeros_like(time)] * len(tokens) + [end]
        tokens.append(single)
        if settings.use_velocities:
            tokens.append(tables.velocity[notes["velocity"]])
        offs = 0
        if program in settings.use_note_duration_programs:
            if settings.note_off:
                offs = 1 + each
                tokens += [*tokens[:each], tables.note_off[drums][pitch]]
            else:
                tokens.append(notes["length"])
        count = len(tokens)
        ends += [np.zeros_like(time)] * (count - len(ends))
        times = [time] * (count - offs) + [end] * offs
        ranks = np.array([_NOTE] * (count - offs) + [_OFF] * offs)
        table, when, until = (np.stack(columns, axis=1).ravel() for columns in (tokens, times, ends))
        if settings.note_off and settings.use_chords:
            for rank in (_OFF, _NOTE):
                rows = np.tile(ranks == rank, len(time))
                self._add(when[rows], table[rows], program, rank, until[rows])
        else:
            self._add(when, table, program, _NOTE, until)

    def _running_rows(self, program: int, notes: Columns) -> None:
        """Velocity, duration and pitch of each note, those at one time from the lowest up."""
        if (np.diff(notes["time"] * 128 + notes["pitch"]) < 0).any():
            notes = quantise.ordered(notes, "time", "pitch")
        time, pitch = notes["time"], notes["pitch"]
        tokens = [self.tables.velocity[notes["velocity"]]] if self.settings.use_velocities else []
        tokens += [notes["length"], self.tables.pitch[program == -1][pitch]]
        ends = [np.zeros_like(time)] * (len(tokens) - 1) + [time + notes["duration"]]
        self._add(np.repeat(time, len(tokens)), np.stack(tokens, 1).ravel(), program, _NOTE, np.stack(ends, 1).ravel())

    def _intervals(self, notes: Columns, single: Ints) -> Ints:
        """The tokens of pitches, intervals in place of those that are near enough to what came before."""
        settings, words = self.settings, self.tables.words
        bounds, beats = [*self.starts[1:].tolist(), 2**62], self.beats.tolist()
        section, widest = 0, settings.max_pitch_interval
        longest = round(beats[0] * settings.pitch_intervals_max_time_dist)
        onset, first, before = -longest - 1, -128, -128
        out = single.tolist()
        for i, (time, pitch) in enumerate(zip(notes["time"].tolist(), notes["pitch"].tolist(), strict=True)):
            if time >= bounds[section]:
                section += 1
                longest = round(beats[section] * settings.pitch_intervals_max_time_dist)
            if time != onset:
                if time - onset <= longest and abs(pitch - first) <= widest:
                    out[i] = words[f"PitchIntervalTime_{pitch - first}"]
                first = pitch
            elif abs(pitch - before) <= widest:
                out[i] = words[f"PitchIntervalChord_{pitch - before}"]
            else:
                first = pitch
            onset, before = time, pitch
        return np.array(out, np.int64)

    def _event_rows(self, program: int, time: Ints, token: Ints, rank: int) -> None:
        """Rows of events with one token each, after that of their program where it is written every time."""
        if self.settings.use_programs and not self.settings.program_changes:
            own = np.full_like(time, self.tables.program[program if program >= 0 else DRUMS])
            time, token = np.repeat(time, 2), np.stack([own, token], axis=1).ravel()
        self._add(time, token, program, rank)

    def _pedals(self, tracks: Sequence[Track]) -> Columns:
        pedals = self._rescaled(quantise.joined([track.pedals.numpy() for track in tracks]))
        if len(tracks) > 1:
            pedals = quantise.ordered(pedals, "time", "duration")
        if self.settings.sustain_pedal_duration:
            pedals["time"] = quantise.snapped(pedals["time"], self.steps)
        else:
            quantise.snap_spans(pedals, self.steps)
        return quantise.merged_spans(pedals)

    def _pedal_rows(self, program: int, pedals: Columns) -> None:
        time, tables = pedals["time"], self.tables
        number = program if program >= 0 else DRUMS
        down = np.full_like(time, tables.pedal[number])
        if self.settings.sustain_pedal_duration:
            second, when = self._lengths(pedals)[0], time
        else:
            second, when = np.full_like(time, tables.pedal_off[number]), time + pedals["duration"]
        self._add(np.stack([time, when], 1).ravel(), np.stack([down, second], 1).ravel(), program, _PEDAL)

    def _bends(self, tracks: Sequence[Track]) -> Columns:
        bends = self._rescaled(quantise.joined([track.pitch_bends.numpy() for track in tracks]))
        if len(tracks) > 1:
            bends = quantise.ordered(bends, "time")
        if not self.settings.use_pitch_bends or not len(bends["time"]):
            return {**bends, "token": np.zeros_like(bends["time"])}
        which = quantise.nearest(self.tables.bends, bends["value"])
        time = quantise.snapped(bends["time"], self.steps)
        first = np.flatnonzero(np.append(True, np.diff(time) != 0))
        size = np.abs(self.tables.bends[which])
        widest = np.array([a + int(size[a:b].argmax()) for a, b in zip(first, [*first[1:], len(time)], strict=True)])
        return {"time": time[first], "token": self.tables.bend[which[widest]]}

    def _controls(self, tracks: Sequence[Track]) -> Columns:
        """The controllers of a program's tracks; those that are written if any are, else only where they stand."""
        parts = []
        for track in tracks:
            raw = {name: column.astype(np.int64) for name, column in track.controls.numpy().items()}
            parts.append(self._written(raw) if self.settings.use_control_changes else self._rescaled(raw))
        controls = quantise.joined(parts)
        return quantise.ordered(controls, "time") if len(parts) > 1 else controls

    def _written(self, controls: Columns) -> Columns:
        controls = quantise.ordered(controls, "time")
        number, value, tables = controls["number"], controls["value"], self.tables
        for one in np.unique(number).tolist():
            if one in self.settings.control_change_numbers and one in _REPEATED:
                values = tables.control_values(one)
                value[number == one] = values[quantise.nearest(values, value[number == one])]
        keep: NDArray[np.bool_] = np.isin(number, self.settings.control_change_numbers)
        same = [np.diff(column) == 0 for column in (controls["time"], number, value)]
        again = same[0] & same[1] & same[2] & np.isin(number[1:], list(_REPEATED))
        keep[1:] &= ~again
        found = self._rescaled(quantise.chosen(controls, keep))
        found["time"] = quantise.snapped(found["time"], self.steps)
        pairs = zip(found["number"].tolist(), found["value"].tolist(), strict=True)
        return {"time": found["time"], "token": np.array([tables.control(n, v) for n, v in pairs], np.int64)}
