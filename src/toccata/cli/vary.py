"""``toccata vary``: a song as it might also be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from toccata.cli.base import PATH, Face, Value, command
from toccata.cli.writing import BESIDE, WHOLE, BarCount, open_session, print_result, writing


@command(
    "vary",
    examples=(
        "toccata vary song.mid --keep rhythm -o ideas",
        "toccata vary song.mid --bars 5-8 --keep melody --strength 1 -n 8 -o ideas",
        "toccata vary song.mid --tracks 1 --keep contour --strength 0.2 --audio --plot -o varied.mid",
    ),
    optional_values=BESIDE,
)
@click.argument("song", type=PATH)
@writing(
    click.option("--keep", type=Value("keep"), required=True,
                 metavar="WHAT", help="rhythm, melody, harmony or contour stays."),
    click.option("--strength", type=Value("strength"), default=0.5, metavar="S",
                 help="How much of the rest may change, 0 to 1.  [0.5]"),
    click.option("--bars", type=Value("bars", "A-B,...", verb="vary"),
                 help="The bars to vary, counted from 1; else all."),
    click.option("--tracks", type=Value("words", "NAME,..."),
                 help="Only these tracks: numbers from 1, names, instruments."),
    click.option("--lock", type=Value("lock", "BARS:TRACKS:PITCHES"), multiple=True,
                 help="Notes that stay, e.g. 5:1, :melody, ::C5-G9."),
    WHOLE,
    count=4,
    controls=False,
)  # fmt: skip
def vary(face: Face, song: Path, **options: Any) -> None:
    """Variations of SONG, or of some bars of it, the closest first; all else stays as it is, event for event.

    rhythm: only pitches change, and no drums. contour: the same, and top notes rise and fall where they did. melody:
    the top line of the highest track stays. harmony: in each beat begin only notes that sounded in it.
    """
    bars = options["bars"]
    session = open_session(face, {**options, "in_order": True}, song)
    total = sum(last - first + 1 for first, last in bars) if bars else 0
    with face.progress() as progress:
        if options["model"] is None:
            from toccata import api

            progress.say(f"with {api.display_url(session.path)}")
        pieces = session.model.vary(
            song,
            keep=options["keep"],
            strength=options["strength"],
            bars=bars,
            tracks=options["tracks"],
            locks=options["lock"],
            n=options["count"],
            seed=session.seeds,
            sampling=session.sampling,
            key=options["key"],
            on_event=BarCount(progress, 0, options["count"], total or None),
        )
        written = []
        for number, piece in enumerate(pieces):
            row = session.write(piece, number)
            written.append(row | {name: piece.origin[name] for name in ("distance", "changed")})
            face.saved = f"{len(written)} of {options['count']} pieces are written"
    stats = session.model.stats
    print_result(face, session, written, stats.tokens, stats.notes, stats.seconds)
