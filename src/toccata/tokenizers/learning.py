"""Learning merges for an event tokenizer, by Hugging Face's tokenizers."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from toccata.errors import MissingExtra
from toccata.tokenizers.bpe import characters_of

Texts = Sequence[list[str]]
"""For each piece its bars, a character for every base token."""


def learned(
    document: Mapping[str, Any], words: Sequence[str], texts: Texts, size: int, algorithm: str
) -> dict[str, Any]:
    """Return the saved form of a tokenizer after learning ``size`` ids from ``texts``.

    Args:
        document: Its saved form before.
        words: Its base vocabulary.
        texts: What to learn from.
        size: How many ids in all.
        algorithm: ``BPE``, ``Unigram`` or ``WordPiece``.

    Raises:
        MissingExtra: Hugging Face's tokenizers, or MidiTok, which learns all but byte-pair encoding, is not installed.
    """
    if algorithm != "BPE":
        return _by_miditok(document, texts, size, algorithm)
    try:
        import tokenizers
    except ImportError:
        raise MissingExtra('learning merges needs tokenizers: pip install "toccata[train]"') from None
    characters = characters_of(words)
    own = {word: character for character, word in characters.items()}
    alphabet = {character: i for i, character in enumerate(characters)}
    cut = document["config"]["encode_ids_split"] != "no"
    affixes: dict[str, Any] = {"continuing_subword_prefix": "", "end_of_word_suffix": ""} if cut else {}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=alphabet, merges=[], **affixes))
    if cut:
        tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
        tokenizer.decoder = tokenizers.decoders.Metaspace()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=size,
        show_progress=False,
        special_tokens=[tokenizers.AddedToken(own[word]) for word in document["config"]["special_tokens"]],
        initial_alphabet=list(characters),
        **affixes,
    )
    tokenizer.train_from_iterator(iter(texts), length=len(texts), trainer=trainer)
    return {
        **document,
        "_vocab_base": {word: i for i, word in enumerate(words)},
        "_model": tokenizer.to_str(),
        "_vocab_base_byte_to_token": characters,
    }


def _by_miditok(document: Mapping[str, Any], texts: Texts, size: int, algorithm: str) -> dict[str, Any]:
    """Learn with MidiTok, which treats special tokens as each algorithm needs it.

    Its warnings and progress bar cannot be turned off by an argument, so both are suppressed for the whole process
    while it learns. Learning happens in the main thread, before other threads print.
    """
    tokenizer = _opened(document, f"learning merges of the kind {algorithm}")
    with warnings.catch_warnings(), _nothing_printed():
        warnings.simplefilter("ignore")
        tokenizer.train(vocab_size=size, model=algorithm, iterator=_Sized(texts))
    saved: dict[str, Any] = json.loads(json.dumps(tokenizer.to_dict()))
    return saved


def _opened(document: Mapping[str, Any], what: str) -> Any:
    """MidiTok's tokenizer for a saved one; ``what`` needs it."""
    try:
        import miditok
    except ImportError:
        raise MissingExtra(f'{what} needs MidiTok: pip install "toccata[train]"') from None
    kind = getattr(miditok, document["tokenization"])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tokenizer.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        return kind(params=path)


class _Sized:
    """Texts with a length, which MidiTok requires."""

    def __init__(self, texts: Texts) -> None:
        self.texts = texts

    def __len__(self) -> int:
        return len(self.texts)

    def __iter__(self) -> Iterator[list[str]]:
        return iter(self.texts)


@contextmanager
def _nothing_printed() -> Iterator[None]:
    """Suppress the standard output of the tokenizers library, as ours may be another program's input."""
    try:
        sys.stdout.flush()
        stdout = os.dup(1)
    except (OSError, ValueError, AttributeError):  # there is no standard output
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123  # a device, not a file of ours
            os.dup2(nowhere.fileno(), 1)
        yield
    finally:
        os.dup2(stdout, 1)
        os.close(stdout)


def texts_of(written: Iterable[tuple[Sequence[int], Sequence[int]]], words: Sequence[str]) -> list[list[str]]:
    """Base tokens, and where their bars begin, as texts of a character a token; empty bars are left out."""
    characters = list(characters_of(words))
    texts = []
    for ids, cuts in written:
        text = "".join([characters[i] for i in ids])
        bars = [text[a:b] for a, b in zip(cuts, [*cuts[1:], len(text)], strict=True)]
        texts.append([bar for bar in bars if bar])
    return texts
