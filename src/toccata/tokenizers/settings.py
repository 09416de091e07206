"""The settings of an event tokenizer, checked: what a recipe or a saved tokenizer says of its vocabulary and grid.

Names and defaults are those of MidiTok's ``TokenizerConfig``, whose JSON a saved tokenizer is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from toccata.tokenizers import checks
from toccata.tokenizers.checks import Range, SettingError

RUNNING_STATUS = "RunningStatus"
"""The scheme that is toccata's own; MidiTok has the others."""
BAR_LINES = ("REMI", RUNNING_STATUS)
MOST_TOKENS = 50_000
"""Base tokens that a tokenizer may have; no vocabulary comes near it, and a file that asks for more is no tokenizer."""
_FOUR_FOUR = (4, 4)
_CONTROLS = (
    *range(0, 3), *range(4, 9), 10, 11, *range(32, 35), *range(36, 41), 42, 43, *range(64, 79), 84, 88, *range(91, 98),
    100, 101, *range(120, 128),
)  # fmt: skip
_CHORDS: dict[str, tuple[int, ...]] = {
    "min": (0, 3, 7), "maj": (0, 4, 7), "dim": (0, 3, 6), "aug": (0, 4, 8), "sus2": (0, 2, 7), "sus4": (0, 5, 7),
    "7dom": (0, 4, 7, 10), "7min": (0, 3, 7, 10), "7maj": (0, 4, 7, 11), "7halfdim": (0, 3, 6, 10),
    "7dim": (0, 3, 6, 9), "7aug": (0, 4, 8, 11), "9maj": (0, 4, 7, 10, 14), "9min": (0, 4, 7, 10, 13),
}  # fmt: skip
DEFAULTS: Mapping[str, Any] = {
    "pitch_range": (21, 109),
    "beat_res": {"0_4": 8, "4_12": 4},
    "num_velocities": 32,
    "remove_duplicated_notes": False,
    "encode_ids_split": "bar",
    "special_tokens": ("PAD_None", "BOS_None", "EOS_None", "MASK_None"),
    "use_velocities": True,
    "use_note_duration_programs": range(-1, 128),
    "use_chords": False,
    "use_rests": False,
    "use_tempos": False,
    "use_time_signatures": True,
    "use_key_signatures": False,
    "use_sustain_pedals": False,
    "use_pitch_bends": False,
    "use_control_changes": False,
    "control_change_numbers": _CONTROLS,
    "control_change_n_bins": 32,
    "use_programs": False,
    "use_pitch_intervals": False,
    "use_pitchdrum_tokens": True,
    "default_note_duration": 0.5,
    "programs": range(-1, 128),
    "one_token_stream_for_programs": True,
    "program_changes": False,
    "beat_res_rest": {"0_1": 8, "1_2": 4, "2_12": 2},
    "chord_maps": _CHORDS,
    "chord_tokens_with_root_note": False,
    "chord_unknown": None,
    "num_tempos": 32,
    "tempo_range": (40, 250),
    "log_tempos": False,
    "delete_equal_successive_tempo_changes": False,
    "time_signature_range": {8: [3, 12, 6], 4: [5, 6, 3, 2, 1, 4]},
    "delete_equal_successive_time_sig_changes": False,
    "sustain_pedal_duration": False,
    "pitch_bend_range": (-8192, 8191, 32),
    "max_pitch_interval": 16,
    "pitch_intervals_max_time_dist": 1,
    "drums_pitch_range": (27, 88),
}
"""Every setting and its default, in the order in which MidiTok saves them."""
ATTRIBUTE_CONTROLS: Mapping[str, bool | int] = {
    "ac_polyphony_track": False,
    "ac_polyphony_bar": False,
    "ac_polyphony_min": 1,
    "ac_polyphony_max": 6,
    "ac_pitch_class_bar": False,
    "ac_note_density_track": False,
    "ac_note_density_track_min": 0,
    "ac_note_density_track_max": 18,
    "ac_note_density_bar": False,
    "ac_note_density_bar_max": 18,
    "ac_note_duration_bar": False,
    "ac_note_duration_track": False,
    "ac_repetition_track": False,
    "ac_repetition_track_num_bins": 10,
    "ac_repetition_track_num_consec_bars": 4,
}
"""MidiTok's attribute controls, which follow them in the file and are never used: toccata has controls of its own."""


@dataclass(frozen=True)
class Settings:
    """The settings of one scheme, by MidiTok's names where they are MidiTok's.

    Attributes:
        scheme: REMI, RunningStatus, TSD, MIDILike or Structured.
        meters: The meters there are tokens for, in the order of their ids; 4/4 alone where none are written.
        denominators: Of all meters, in the order given.
        programs: As a set iterates over them, which is the order of their ids.
    """

    scheme: str
    pitch_range: tuple[int, int]
    drums_pitch_range: tuple[int, int]
    beat_res: tuple[Range, ...]
    beat_res_rest: tuple[Range, ...]
    num_velocities: int
    remove_duplicated_notes: bool
    encode_ids_split: str
    special_tokens: tuple[str, ...]
    use_velocities: bool
    use_note_duration_programs: frozenset[int]
    use_chords: bool
    use_rests: bool
    use_tempos: bool
    use_time_signatures: bool
    use_key_signatures: bool
    use_sustain_pedals: bool
    use_pitch_bends: bool
    use_control_changes: bool
    control_change_numbers: tuple[int, ...]
    control_change_n_bins: int
    use_programs: bool
    use_pitch_intervals: bool
    use_pitchdrum_tokens: bool
    default_note_duration: float
    programs: tuple[int, ...]
    program_changes: bool
    chord_maps: Mapping[str, tuple[int, ...]]
    chord_tokens_with_root_note: bool
    chord_unknown: tuple[int, int] | None
    num_tempos: int
    tempo_range: tuple[float, float]
    log_tempos: bool
    delete_equal_successive_tempo_changes: bool
    meters: tuple[tuple[int, int], ...]
    denominators: tuple[int, ...]
    sustain_pedal_duration: bool
    pitch_bend_range: tuple[int, int, int]
    max_pitch_interval: int
    pitch_intervals_max_time_dist: float
    add_trailing_bars: bool

    @property
    def positions_per_beat(self) -> int:
        """The finest grid that any range of beats has."""
        return max(steps for _, steps in self.beat_res)

    @property
    def running_status(self) -> bool:
        """Whether program, velocity and duration are written before a note, where they change (RunningStatus)."""
        return self.scheme == RUNNING_STATUS

    @property
    def bar_lines(self) -> bool:
        """Whether time is bars and positions in them (REMI, RunningStatus)."""
        return self.scheme in BAR_LINES

    @property
    def note_off(self) -> bool:
        """Whether notes end by a token of their own (MIDILike)."""
        return self.scheme == "MIDILike"

    @property
    def ticks_per_beat(self) -> dict[int, int]:
        """By denominator, on the tokenizer's own grid: the finest meter's beat has as many ticks as positions."""
        finest = max(denominator for _, denominator in self.meters)
        return {d: self.positions_per_beat * (finest // d) for d in self.denominators}

    @property
    def ticks_per_quarter(self) -> int:
        """Ticks a quarter of the tokenizer's own grid."""
        return self.ticks_per_beat[4]


def settled(scheme: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``given`` completed with defaults, as MidiTok saves the settings of ``scheme``.

    Settings that exclude each other are corrected as MidiTok does it.
    """
    known = {**DEFAULTS, **ATTRIBUTE_CONTROLS}
    full = {name: given.get(name, value) for name, value in known.items()}
    for name in ("use_note_duration_programs", "programs", "control_change_numbers"):
        full[name] = list(set(checks.numbers(name, full[name], -1, 127)))
    if not full["use_programs"]:
        full["one_token_stream_for_programs"] = full["program_changes"] = False
    if full["use_rests"] is True and not _rests_can_be(full):
        full["use_rests"] = False
    if scheme == "Structured":
        off = ("chords", "rests", "tempos", "time_signatures", "key_signatures", "sustain_pedals", "pitch_bends")
        full |= dict.fromkeys((*(f"use_{name}" for name in off), "use_control_changes", "use_pitch_intervals"), False)
        full["program_changes"] = False
    if full["use_control_changes"] and 64 in full["control_change_numbers"]:
        full["use_sustain_pedals"] = False
    if not full["use_sustain_pedals"]:
        full["sustain_pedal_duration"] = False
    full["time_signature_range"] = dict(checks.mapping("time_signature_range", full["time_signature_range"]))
    if scheme in BAR_LINES:
        extra = given.get("additional_params", {})
        trailing = bool(given.get("add_trailing_bars", extra.get("add_trailing_bars", False)))
        full["additional_params"] = {
            "max_bar_embedding": extra.get("max_bar_embedding"),
            "use_bar_end_tokens": extra.get("use_bar_end_tokens", False),
            "add_trailing_bars": trailing,
        }
    else:
        full["additional_params"] = {}
    return full


def _rests_can_be(full: Mapping[str, Any]) -> bool:
    """Rests are counted from the ends of notes, so that notes need lengths."""
    with_length = set(full["use_note_duration_programs"])
    if len(with_length) == 129:
        return True
    return bool(full["use_programs"]) and with_length >= set(full["programs"])


def settings_of(scheme: str, saved: Mapping[str, Any]) -> Settings:
    """Check what a saved tokenizer says.

    Args:
        scheme: REMI, RunningStatus, TSD, MIDILike or Structured.
        saved: The settings as :func:`settled` has them, or JSON of them.

    Raises:
        SettingError: A setting with a value that it cannot have, or one that toccata does not write.
    """
    full = settled(scheme, saved)
    values: dict[str, Any] = {}
    for names, check in _CHECKS:
        for name in names:
            values[name] = check(name, full[name])
    meters, denominators = _meters(full) if values["use_time_signatures"] else ((_FOUR_FOUR,), _denominators(full))
    extra = full["additional_params"]
    settings = Settings(
        scheme=scheme,
        meters=meters,
        denominators=denominators,
        programs=tuple(set(full["programs"])),
        use_note_duration_programs=frozenset(full["use_note_duration_programs"]),
        control_change_numbers=tuple(sorted(full["control_change_numbers"])),
        add_trailing_bars=bool(extra.get("add_trailing_bars")),
        **values,
    )
    _refuse_unwritten(settings, full)
    _refuse_pairs(settings)
    return settings


def _refuse_unwritten(settings: Settings, full: Mapping[str, Any]) -> None:
    """Refuse what MidiTok has and toccata does not write."""
    extra = full["additional_params"]
    if extra.get("max_bar_embedding") is not None:
        raise SettingError("max_bar_embedding", "numbered bars end with the last number: leave the option out")
    if extra.get("use_bar_end_tokens"):
        raise SettingError("use_bar_end_tokens", "toccata writes no ends of bars: leave the option out")
    if settings.use_programs and not full["one_token_stream_for_programs"]:
        raise SettingError("one_token_stream_for_programs", "toccata writes all programs as one stream")
    if settings.running_status:
        for option in _NOTES_ALONE:
            if getattr(settings, option):
                raise SettingError(option, f"{RUNNING_STATUS} writes notes, meters, tempos and keys: leave it out")
        if len(settings.use_note_duration_programs) < len(DEFAULTS["use_note_duration_programs"]):
            raise SettingError(
                "use_note_duration_programs", f"every note has a length in {RUNNING_STATUS}: leave it out"
            )
    if not full["one_token_stream_for_programs"]:
        for name, value in ATTRIBUTE_CONTROLS.items():
            if value is False and full[name]:
                raise SettingError(name, "toccata has controls of its own: leave the option out")


_NOTES_ALONE = (
    "use_chords", "use_rests", "use_sustain_pedals", "use_pitch_bends", "use_control_changes", "use_pitch_intervals",
    "program_changes",
)  # fmt: skip
"""Settings that the scheme of running status does not have."""


def _refuse_pairs(settings: Settings) -> None:
    """Refuse settings that do not go together, and a vocabulary without end."""
    low, high = settings.tempo_range
    if not 0 < low <= high:
        raise SettingError("tempo_range", f"a lowest and a highest tempo above 0, not {[low, high]}")
    if settings.use_time_signatures and 4 not in settings.denominators:
        raise SettingError("time_signature_range", "meters of quarters are needed, as music may begin in 4/4")
    if settings.use_rests:
        finest = max(steps for _, steps in settings.beat_res_rest)
        if finest > settings.positions_per_beat:
            raise SettingError("beat_res_rest", f"rests cannot be finer than notes ({settings.positions_per_beat})")
    positions = settings.positions_per_beat * max(beats for beats, _ in settings.meters)
    lengths = sum(steps * (high - low) for (low, high), steps in settings.beat_res + settings.beat_res_rest)
    if positions + 2 * lengths + settings.num_tempos > MOST_TOKENS:
        raise SettingError("beat_res", f"that makes more than {MOST_TOKENS:,} tokens")


def _meters(full: Mapping[str, Any]) -> tuple[tuple[tuple[int, int], ...], tuple[int, ...]]:
    name, meters = "time_signature_range", []
    for key, counts in full["time_signature_range"].items():
        if not (beats := checks.numbers(name, counts, 1, 1000)):
            raise SettingError(name, "a denominator without any number of beats")
        meters += [(count, _denominator(name, key)) for count in beats]
    if not meters:
        raise SettingError(name, "there is no meter")
    return tuple(meters), _denominators(full)


def _denominators(full: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(_denominator("time_signature_range", key) for key in full["time_signature_range"])


def _denominator(name: str, key: Any) -> int:
    number = int(key) if isinstance(key, int) or (isinstance(key, str) and key.isdigit() and len(key) < 4) else 0
    if number not in (1, 2, 4, 8, 16, 32, 64, 128):
        raise SettingError(name, f"lists of beats for denominators (powers of two), not {checks.short(key)}")
    return number


_CHECKS: tuple[tuple[tuple[str, ...], Callable[[str, Any], Any]], ...] = (
    (("pitch_range", "drums_pitch_range"), checks.pitches),
    (("beat_res", "beat_res_rest"), checks.ranges),
    (("num_velocities",), checks.whole(1, 127)),
    (("num_tempos",), checks.whole(1, 10_000)),
    (("control_change_n_bins",), checks.whole(2, 128)),
    (("max_pitch_interval",), checks.whole(0, 127)),
    (("default_note_duration", "pitch_intervals_max_time_dist"), checks.length),
    (("tempo_range",), checks.tempos),
    (("pitch_bend_range",), checks.bends),
    (("chord_unknown",), checks.unknown),
    (("chord_maps",), checks.chords),
    (("special_tokens",), checks.words),
    (("encode_ids_split",), checks.split),
    (
        (
            "use_velocities", "use_chords", "use_rests", "use_tempos", "use_time_signatures", "use_key_signatures",
            "use_sustain_pedals", "use_pitch_bends", "use_control_changes", "use_programs", "use_pitch_intervals",
            "use_pitchdrum_tokens", "program_changes", "chord_tokens_with_root_note", "log_tempos",
            "remove_duplicated_notes", "delete_equal_successive_tempo_changes", "sustain_pedal_duration",
        ),
        checks.flag,
    ),
)  # fmt: skip
