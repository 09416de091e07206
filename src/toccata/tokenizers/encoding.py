"""Writing and reading the base tokens of a saved event tokenizer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from symusic import Score

from toccata.errors import RequestError
from toccata.midi.levels import DEFAULT, Levels
from toccata.tokenizers.reader import Reader
from toccata.tokenizers.scheme import Scheme
from toccata.tokenizers.schemes import follows_of, timing
from toccata.tokenizers.settings import Settings, settings_of
from toccata.tokenizers.vocabulary import Kind, read_words
from toccata.tokenizers.words import base_words
from toccata.tokenizers.writer import Writer, Written


class Encoding:
    """REMI, RunningStatus, TSD, MIDI-like and Structured, without MidiTok."""

    def __init__(
        self, scheme: str, settings: Mapping[str, Any], words: Sequence[str] | None = None, levels: Levels = DEFAULT
    ) -> None:
        """An encoding by what a saved tokenizer says.

        Args:
            scheme: MidiTok's name for it.
            settings: By MidiTok's names.
            words: The base vocabulary, where it is saved: it may have more special tokens than the settings say.
            levels: What the levels of its control tokens mean.

        Raises:
            SettingError: A setting with a value that it cannot have.
            ValueError: The words are not those of the settings.
        """
        self.settings: Settings = settings_of(scheme, settings)
        self.levels = levels
        own = base_words(self.settings)
        self.words = own if words is None else list(words)
        if words is not None and not set(own) <= set(words):
            raise ValueError("its words are not those of its settings")

    @cached_property
    def scheme(self) -> Scheme:
        """The vocabulary on its grid."""
        vocabulary = read_words(self.words)
        bos, eos = self.words.index("BOS_None"), self.words.index("EOS_None")
        running = self.settings.running_status
        return Scheme(
            vocabulary,
            timing(self.settings, vocabulary),
            bos=bos,
            eos=eos,
            running_status=running,
            levels=self.levels,
        )

    @property
    def follows(self) -> Mapping[Kind, frozenset[Kind]]:
        """The grammar: which ids may follow which."""
        return follows_of(self.settings, self.scheme.vocabulary)

    def write(self, score: Score) -> Written:
        """The base tokens of music, from tick 0 on.

        Raises:
            RequestError: There is no token for something in the music (a key signature of eight sharps).
        """
        written = self._writer.write(score)
        if len(written.ids) and written.ids.min() < 0:
            raise RequestError(
                "this tokenizer has no token for something in the music, such as one of its key signatures"
            )
        return written

    def read(self, tokens: Sequence[int]) -> Score:
        """The music of base tokens, none of them a special one."""
        return Reader(self.settings, self.scheme).read(tokens)

    @cached_property
    def _writer(self) -> Writer:
        return Writer(self.settings, self.scheme.vocabulary)
