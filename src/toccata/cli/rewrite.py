"""``toccata infill``, ``accompany`` and ``harmonise``: parts of a song written anew, the rest as it was."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toccata.cli.base import PATH, Face, Value, command
from toccata.cli.writing import (
    AT_ONCE,
    BESIDE,
    BEST_OF,
    ENSEMBLE,
    WHOLE,
    BarCount,
    musical_options,
    open_session,
    print_result,
    writing,
)

if TYPE_CHECKING:
    from toccata.piece import Piece


@command(
    "infill",
    examples=(
        "toccata infill song.mid --bars 5-8,13-14 --tracks 1 -n 4 -o ideas",
        "toccata infill song.mid --bars 3-4 --lock :melody --lock ::C5-G9",
        "toccata infill song.mid --bars 3-4 --seed 7 --audio --plot -o filled.mid",
    ),
    optional_values=BESIDE,
)
@click.argument("song", type=PATH)
@writing(
    click.option(
        "--bars",
        type=Value("bars", "A-B,...", verb="infill"),
        required=True,
        help="The bars to write anew, counted from 1.",
    ),
    click.option(
        "--tracks", type=Value("words", "NAME,..."), help="Only these tracks: numbers from 1, names, instruments."
    ),
    click.option(
        "--lock",
        type=Value("lock", "BARS:TRACKS:PITCHES"),
        multiple=True,
        help="Notes that stay, e.g. 5:1, :melody, ::C5-G9.",
    ),
    click.option("--anyone", is_flag=True, help="Not all who played in a bar have to play in it again."),
    BEST_OF,
    *ENSEMBLE,
    WHOLE,
)
def infill(face: Face, song: Path, **options: Any) -> None:
    """Write some bars of SONG anew, from what stands around them.

    Everything else stays as it is, event for event. Notes that ring into the bars stay; those that begin in them go,
    but for what --lock names: by bars, tracks and pitches, each of which may be left out.
    """
    bars = options["bars"]
    total = sum(last - first + 1 for first, last in bars)
    _run(face, options, song, total, "infill", bars=bars, tracks=options["tracks"], locks=options["lock"])


@command(
    "accompany",
    examples=(
        "toccata accompany song.mid --add bass,drums",
        'toccata accompany song.mid --add "String Ensemble 1" --bars 5-12 -n 3 -o ideas',
        'toccata accompany song.mid --add cello --key "G major" --plot -o duet.mid',
    ),
    optional_values=BESIDE,
)
@click.argument("song", type=PATH)
@writing(
    click.option("--add", type=Value("words", "NAME,..."), required=True, help="Instruments: names, 0-127, drums."),
    click.option(
        "--bars", type=Value("bars", "A-B,...", verb="infill"), help="Where they play; all along if nothing is said."
    ),
    BEST_OF,
    *ENSEMBLE,
    WHOLE,
)
def accompany(face: Face, song: Path, **options: Any) -> None:
    """Add instruments to SONG; what is there stays as it is, event for event: every note of it is locked."""
    from toccata import api
    from toccata.errors import RequestError

    try:
        programs = [api.program_number(word) for word in options["add"]]
    except RequestError as error:
        raise click.BadParameter(error.message, param_hint="'--add'") from None
    bars = options["bars"]
    total = sum(last - first + 1 for first, last in bars) if bars else 0
    _run(face, options, song, total, "accompany", programs=programs, bars=bars)


@command(
    "harmonise",
    examples=(
        "toccata harmonise tune.mid",
        "toccata harmonise hymn.mid --melody soprano --bars 1-8 -n 4 -o settings",
        'toccata harmonise tune.mid --voices bass --key "G major" --plot -o duet.mid',
    ),
    optional_values=BESIDE,
)
@click.argument("song", type=PATH)
@writing(
    click.option("--voices", type=Value("words", "NAME,..."), help="Some of alto, tenor, bass.  [all three]"),
    click.option(
        "--melody",
        type=Value("track"),
        metavar="NAME",
        help="Its track: a number from 1, a name, an instrument.  [melody, else the highest]",
    ),
    click.option(
        "--bars", type=Value("bars", "A-B,...", verb="infill"), help="Where they sing; all along if nothing is said."
    ),
    BEST_OF,
    WHOLE,
)
def harmonise(face: Face, song: Path, **options: Any) -> None:
    """Write alto, tenor and bass under the melody of SONG; what is there stays as it is, event for event.

    Each voice has a track of its own, one note at a time, in its range and below the voice above it. While the melody
    sounds they all do, wherever there is room for them under it.
    """
    bars = options["bars"]
    total = sum(last - first + 1 for first, last in bars) if bars else 0
    where = {"melody": options["melody"], "bars": bars} | ({"voices": options["voices"]} if options["voices"] else {})
    _run(face, options, song, total, "harmonise", **where)


def _run(face: Face, options: dict[str, Any], song: Path, total: int, verb: Any, **where: Any) -> None:
    """Write the versions of ``song`` in batches; each is on disk when done, unless the best are kept."""
    from toccata import api

    session = open_session(face, {**options, "choose": True}, song)
    every = len(session.seeds)
    written: list[dict[str, Any]] = []
    tokens, notes, seconds = 0, 0, 0.0
    with face.progress() as progress:
        if options["model"] is None:
            progress.say(f"with {api.display_url(session.path)}")
        for first in range(0, every, AT_ONCE):
            seeds = session.seeds[first : first + AT_ONCE]
            count = BarCount(progress, first, every, total or None)
            pieces: dict[int, Piece] = {}
            for event in session.model.stream(
                song,
                verb=verb,
                n=len(seeds),
                seed=seeds,
                sampling=session.sampling,
                **musical_options(options),
                **where,
            ):
                count(event)
                if not isinstance(event, api.PieceFinished):
                    continue
                pieces[event.piece] = event.music
                if session.best is None:
                    written.append(session.write(event.music, first + event.piece))
                    face.saved = f"{len(written)} of {every} pieces are written"
            if session.best is not None:
                session.best.add([pieces[number] for number in sorted(pieces)])
            stats = session.model.stats
            tokens, notes, seconds = tokens + stats.tokens, notes + stats.notes, seconds + stats.seconds
        if session.best is not None:
            written = session.write_best()
        else:
            written.sort(key=lambda row: session.seeds.index(row["seed"]))
    print_result(face, session, written, tokens, notes, seconds)
