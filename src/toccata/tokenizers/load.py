"""Tokenizers by what a recipe says, and by what a folder holds."""

from __future__ import annotations

from pathlib import Path

from toccata.errors import ModelError
from toccata.tokenizers import codes, events, grid, text
from toccata.tokenizers.base import Tokenizer
from toccata.tokenizers.codes import CodesOptions, CodesTokenizer, OpenCodec
from toccata.tokenizers.events import EventOptions, EventTokenizer
from toccata.tokenizers.grid import GridOptions, GridTokenizer
from toccata.tokenizers.text import TextOptions, TextTokenizer

TokenizerOptions = EventOptions | TextOptions | CodesOptions | GridOptions


def options_of(scheme: str) -> type[TokenizerOptions]:
    """The options of the family of tokenizers that a scheme belongs to."""
    return {"text": TextOptions, "codes": CodesOptions, "grid": GridOptions}.get(scheme, EventOptions)


def writes_drums(options: TokenizerOptions) -> bool:
    """Whether tokens as a recipe describes them have drums; all the others leave them out."""
    return isinstance(options, EventOptions) and bool(options.options.get("use_programs", True))


def build_tokenizer(options: TokenizerOptions) -> Tokenizer:
    """A new tokenizer as a recipe describes it; one of codes lacks its codec.

    Raises:
        RecipeError: An option it does not have.
    """
    if isinstance(options, TextOptions):
        return TextTokenizer(options)
    if isinstance(options, GridOptions):
        return GridTokenizer(options)
    return CodesTokenizer(options) if isinstance(options, CodesOptions) else EventTokenizer.build(options)


def load_tokenizer(place: Path, open_codec: OpenCodec | None = None) -> Tokenizer:
    """The tokenizer that was saved in a folder.

    Args:
        place: The folder; or the file in it that says what the tokenizer is, as :meth:`ModelFolder.tokenizer` gives it,
            so that no other file in the folder can take its place.
        open_codec: Opens the codec of a tokenizer of codes.

    Raises:
        ModelError: There is none, or it is damaged.
    """
    folder, kind = place, events.FILE
    if place.suffix == ".json" and not place.is_dir():
        folder, kind = place.parent, place.name
    elif (place / text.FILE).is_file():
        kind = text.FILE
    elif (place / codes.FILE).is_file():
        kind = codes.FILE
    elif (place / grid.FILE).is_file():
        kind = grid.FILE
    if kind == text.FILE:
        return TextTokenizer.load(folder)
    if kind == grid.FILE:
        return GridTokenizer.load(folder)
    if kind == codes.FILE:
        if open_codec is None:
            raise ModelError(f"{folder} holds codes, whose networks are not to be had here", path=folder)
        return CodesTokenizer.load(folder, open_codec)
    return EventTokenizer.load(folder)
