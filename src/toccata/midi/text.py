"""Text of MIDI files, whose encoding no file names: bytes on the way in come out again as the same bytes.

A Score holds text as str. Bytes that are UTF-8 are that text; of others each byte above 127 becomes one character of
a private area of Unicode, so that writing gives the bytes back, and :func:`readable` can guess what they mean.
"""

from __future__ import annotations

_BASE = 0xF700
_PRIVATE = range(_BASE + 0x80, _BASE + 0x100)
_TO_BYTES = {code: code - _BASE for code in _PRIVATE}


def to_text(data: bytes) -> str:
    """Return the bytes of a text event as str, from which :func:`to_bytes` makes the same bytes again."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    else:
        if not has_raw_bytes(text):
            return text
    return data.decode("latin-1").translate({byte: _BASE + byte for byte in range(0x80, 0x100)})


def to_bytes(text: str) -> bytes:
    """Return the bytes that stand for ``text`` in a MIDI file: those it was read from, else UTF-8."""
    if has_raw_bytes(text) and all(ord(c) < 0x80 or ord(c) in _PRIVATE for c in text):
        return text.translate(_TO_BYTES).encode("latin-1")
    return text.encode("utf-8", "surrogateescape")


def has_raw_bytes(text: str) -> bool:
    """Whether ``text`` holds bytes that are no UTF-8."""
    return any(ord(c) in _PRIVATE for c in text)


def readable(text: str) -> str:
    """Return ``text`` for people to read: bytes that are no UTF-8 are taken for Japanese or Western European."""
    if not has_raw_bytes(text):
        return text
    data = to_bytes(text)
    if b"\x82" in data or b"\x83" in data:  # the first bytes of kana; hardly a letter in Western texts
        try:
            return data.decode("cp932")
        except UnicodeDecodeError:
            pass
    return data.decode("cp1252", "replace")
