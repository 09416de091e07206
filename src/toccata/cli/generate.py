"""``toccata generate``: new music, or a continuation."""

from __future__ import annotations

from typing import Any

import click

from toccata.cli.base import PATH, Face, Value, command
from toccata.cli.writing import (
    AT_ONCE,
    BESIDE,
    BEST_OF,
    ENSEMBLE,
    BarCount,
    musical_options,
    open_session,
    print_result,
    writing,
)
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
    BEST_OF,
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
                 help="These play, no others: name, 0-127, drums."),
    click.option("--modulate", is_flag=True, hidden=True, help="Without --key, it may leave the key of its start."),
    *ENSEMBLE,
)  # fmt: skip
def generate(face: Face, **options: Any) -> None:
    """Write new music, or go on from PROMPT, a MIDI file. With -n: NAME-1.mid, NAME-2.mid; --best-of: best first."""
    from toccata import api

    _refuse_no_prompt(options)
    session = open_session(face, {**options, "choose": True}, options["prompt"])
    model, count, bars = session.model, len(session.seeds), _new_bars(options)
    if options["max_copy"] is not None and session.judge is None:
        raise click.BadParameter(
            f"{model.name} has no index of what it was trained on: train it again", param_hint="'--max-copy'"
        )
    accept = (
        session.judge.within(options["max_copy"])
        if session.judge is not None and options["max_copy"] is not None
        else None
    )
    written: list[dict[str, Any]] = []
    tokens, notes, seconds = 0, 0, 0.0
    with face.progress() as progress:
        if options["model"] is None:
            progress.say(f"with {api.display_url(session.path)}")
        for first in range(0, count, AT_ONCE):
            pieces = model.generate(
                options["prompt"],
                n=min(AT_ONCE, count - first),
                bars=bars,
                seed=session.seeds[first : first + AT_ONCE],
                sampling=session.sampling,
                prompt_bars=options["prompt_bars"],
                prompt_tokens=options["prompt_tokens"],
                prompt_seconds=options["prompt_seconds"],
                continuation_only=options["continuation_only"],
                **musical_options(options),
                end=options["end"],
                form=options["form"],
                tempo=options["tempo"],
                meter=options["meter"],
                programs=options["programs"] or None,
                modulate=options["modulate"],
                max_tokens=options["max_tokens"],
                accept=accept,
                on_event=BarCount(progress, first, count, bars),
            )
            tokens, notes = tokens + model.stats.tokens, notes + model.stats.notes
            seconds += model.stats.seconds
            if session.best is not None:
                session.best.add(pieces)
                continue
            for number, piece in enumerate(pieces, first):
                if session.sounds(piece):
                    written.append(session.write(piece, number))
                face.saved = f"{len(written)} of {count} pieces are written"
        if session.best is not None:
            written += session.write_best()
    print_result(face, session, written, tokens, notes, seconds)


def _refuse_no_prompt(options: dict[str, Any]) -> None:
    """Refuse options for a prompt if there is no prompt."""
    if options["prompt"] is not None:
        return
    what = "to leave out (--continuation-only)" if options["continuation_only"] else None
    if options["prompt_bars"] is not None:
        first, last = options["prompt_bars"]
        what = f"to take bar {first} of" if first == last else f"to take bars {first}-{last} of"
    if what is not None:
        raise RequestError(f"there is no prompt {what}: name a MIDI file to go on from")


def _new_bars(options: dict[str, Any]) -> int | None:
    """Return how many bars to write; None: until the piece ends, or reaches its token limit."""
    if options["bars"] is None:
        return 16 if options["max_tokens"] is None else None
    return options["bars"] or None
