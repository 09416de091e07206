"""Folders of music for training: files that were dropped into the page, and the data check."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from toccata.errors import ArgumentError, MidiError, RequestError, ToccataError, shown
from toccata.studio.folders import explained, plain_name, save_new

SUFFIXES = (".mid", ".midi", ".kar", ".rmi")
MOST_FILES = 100_000
_CHECK_SECONDS = 3_600
_LISTED = 200
"""Rejected files and groups of duplicates that are sent to the page."""


class MusicFolders:
    """The folders below ``music/`` of a library."""

    def __init__(self, library: Path) -> None:
        self._place = library / "music"
        self._checks: set[subprocess.Popen[bytes]] = set()

    def all(self) -> list[dict[str, Any]]:
        """Return name and number of files of each folder."""
        if not self._place.is_dir():
            return []
        folders = sorted(path for path in self._place.iterdir() if path.is_dir() and not path.name.startswith("."))
        return [{"name": path.name, "files": len(_files(path))} for path in folders]

    def add(self, name: str, file: str, data: bytes) -> dict[str, Any]:
        """Put a file into a folder, which is made if it is not there; one with the same bytes is there once.

        Raises:
            MidiError: It is no MIDI file.
            ToccataError: It cannot be written.
        """
        title, suffix = Path(file or "piece.mid").stem, Path(file or "piece.mid").suffix.lower()
        suffix = suffix if suffix in SUFFIXES else ".mid"
        if b"MThd" not in data[:512]:
            raise MidiError(f"{shown(file)} is no MIDI file: it does not begin with MThd")
        folder = self._folder(name)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            count = len(_files(folder))
        except OSError as error:
            raise explained(error, folder) from None
        if count >= MOST_FILES:
            raise RequestError(f"there are {count:,} files in {folder}: copy more into it by other means")
        base = plain_name(title, "piece")
        for number in range(1, MOST_FILES):
            path = folder / f"{base if number == 1 else f'{base} {number}'}{suffix}"
            if not path.exists() and save_new(path, data):
                count += 1
                break
            if path.stat().st_size == len(data) and path.read_bytes() == data:
                break
        return {"name": folder.name, "file": path.name, "files": count}

    def filled(self, name: str) -> Path:
        """Return a folder that has files.

        Raises:
            RequestError: There is none of that name, or nothing is in it.
        """
        folder = self._folder(name)
        if not folder.is_dir() or not _files(folder):
            raise RequestError(f"there is no music in {folder}: drop MIDI files into it first", path=folder)
        return folder

    def check(self, name: str) -> dict[str, Any]:
        """Return the data check of a folder; another process reads the files, so that none can harm this one.

        Raises:
            ToccataError: There is no such folder, or it cannot be read.
        """
        command = [sys.executable, "-m", "toccata", "check", str(self.filled(name)), "--json", "--quiet"]
        try:
            report: dict[str, Any] = json.loads(self._output(command))
        except (OSError, ValueError, subprocess.TimeoutExpired):
            raise ToccataError(f"{self._folder(name)} cannot be checked: run `toccata check` on it") from None
        if "error" in report:
            raise ToccataError(str(report["error"]["message"]), kind=str(report["error"]["kind"]))
        shown_keys = ("files", "accepted", "notes", "hours", "quantised", "instruments", "meters")
        rejected = [{**one, "path": Path(one["path"]).name} for one in report["rejected"][:_LISTED]]
        groups = [[Path(path).name for path in group] for group in report["duplicates"][:_LISTED]]
        return {**{key: report[key] for key in shown_keys}, "rejected": rejected, "duplicates": groups}

    def close(self) -> None:
        """End the checks that are going on."""
        for process in list(self._checks):
            process.kill()

    def _output(self, command: Sequence[str]) -> bytes:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            self._checks.add(process)
            try:
                return process.communicate(timeout=_CHECK_SECONDS)[0]
            finally:
                process.kill()
                self._checks.discard(process)

    def _folder(self, name: str) -> Path:
        plain = plain_name(name, "")
        if not plain or plain != name:
            raise ArgumentError(f"{shown(name)} cannot be a folder's name: use letters, figures and spaces")
        return self._place / plain


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")]
