"""``toccata generate``: new music, or a continuation."""

from __future__ import annotations

from typing import Any

import click

from toccata.cli.base import PATH, Face, Value, command
from toccata.cli.writing import AT_ONCE, BESIDE, BarCount, musical_options, open_desk, tell, writing
from toccata.errors import RequestError

"""Pieces written at a time; those that are done are on disk before the next begin."""


@command(
    "generate",
    examples=(
        "toccata generate --model models/bach --bars 16 --seed 7 --audio --plot",
        "toccata generate song.mid --prompt-bars 4 --bars 8 -n 4 -o ideas",
        'toccata generate --key "D minor" --meter 3/4 --program violin --program cello -o duo.mid',
    ),
    optional_values=BESIDE,
)
@click.argument("prompt", required=False, type=PATH)
@writing(
    click.option("--best-of", type=Value("best_of"), metavar="N", help="Write N, keep the best -n, and say why."),
    click.option("--bars", type=Value("new_bars"), metavar="B",
                 help="New bars (--form: in all); 0: to an end.  [16]"),
    click.option("--end", is_flag=True, help="Come to an end, on a cadence, in the last bar."),
    click.option("--form", type=Value("form"), metavar="AABA",
                 help="Sections; a prompt begins the first one."),
    click.option("--max-tokens", type=Value("max_tokens"), metavar="N",
                 help="End after N new tokens, not after 16 bars."),
    click.option("--prompt-bars", type=Value("prompt_bars", "N|A-B"), help="Go on after N bars, or bars A-B."),
    click.option("--prompt-tokens", type=Value("prompt_tokens"), metavar="N", help="... after its first N tokens."),
    click.option("--prompt-seconds", type=Value("prompt_seconds"), metavar="S", help="... after its first S seconds."),
    click.option("--continuation-only", is_flag=True, help="Write the new bars without the prompt."),
    click.option("--tempo", type=Value("tempo"), metavar="BPM", help="Quarter notes a minute."),
    click.option("--meter", type=Value("meter", "N/D"), help="For new music: 3/4, 6/8."),
    click.option("--max-copy", type=Value("max_copy"), metavar="N",
                 help="No passage of over N notes from the training."),
    click.option("--program", "programs", type=Value("program", "NAME"), multiple=True,
                 help="Only this instrument: name, 0-127, drums."),
)  # fmt: skip
def generate(face: Face, **said: Any) -> None:
    """Write new music, or go on from PROMPT, a MIDI file.

    With -n: NAME-1.mid, NAME-2.mid, ...; with --best-of the best first.
    """
    from toccata import api

    if (said["best_of"] or said["count"]) < said["count"]:
        raise click.BadParameter(f"{said['count']} pieces cannot be the best of fewer", param_hint="'--best-of'")
    _refuse_no_prompt(said)
    desk = open_desk(face, said, said["prompt"])
    model, count, bars = desk.model, said["best_of"] or said["count"], _new_bars(said)
    if said["max_copy"] is not None and desk.judge is None:
        raise click.BadParameter(
            f"{model.name} has no index of what it was trained on: train it again", param_hint="'--max-copy'"
        )
    accept = desk.judge.within(said["max_copy"]) if desk.judge is not None and said["max_copy"] is not None else None
    written: list[dict[str, Any]] = []
    tokens, notes, seconds = 0, 0, 0.0
    with face.progress() as progress:
        if said["model"] is None:
            progress.say(f"with {api.display_url(desk.path)}")
        for first in range(0, count, AT_ONCE):
            pieces = model.generate(
                said["prompt"],
                n=min(AT_ONCE, count - first),
                bars=bars,
                seed=desk.seeds[first : first + AT_ONCE],
                sampling=desk.sampling,
                prompt_bars=said["prompt_bars"],
                prompt_tokens=said["prompt_tokens"],
                prompt_seconds=said["prompt_seconds"],
                continuation_only=said["continuation_only"],
                **musical_options(said),
                end=said["end"],
                form=said["form"],
                tempo=said["tempo"],
                meter=said["meter"],
                programs=said["programs"] or None,
                max_tokens=said["max_tokens"],
                accept=accept,
                on_event=BarCount(progress, first, count, bars),
            )
            tokens, notes = tokens + model.stats.tokens, notes + model.stats.notes
            seconds += model.stats.seconds
            if desk.best is not None:
                desk.best.add(pieces)
                continue
            for number, piece in enumerate(pieces, first):
                if desk.sounds(piece):
                    written.append(desk.write(piece, number))
                face.kept = f"{len(written)} of {count} pieces are written"
        if desk.best is not None:
            written += desk.write_best()
    tell(face, desk, written, tokens, notes, seconds)


def _refuse_no_prompt(said: dict[str, Any]) -> None:
    """Stop if something is said of a prompt, and there is none."""
    if said["prompt"] is not None:
        return
    what = "to leave out (--continuation-only)" if said["continuation_only"] else None
    if said["prompt_bars"] is not None:
        first, last = said["prompt_bars"]
        what = f"to take bar {first} of" if first == last else f"to take bars {first}-{last} of"
    if what is not None:
        raise RequestError(f"there is no prompt {what}: name a MIDI file to go on from")


def _new_bars(said: dict[str, Any]) -> int | None:
    """How many bars to write; None: until the piece ends, which a limit on its tokens sees to."""
    if said["bars"] is None:
        return 16 if said["max_tokens"] is None else None
    return said["bars"] or None
