"""What an interrupted download has already: a file of lines beside the part file.

The first line says which object it is (ETag, size, part size); every further line is the index of a part whose bytes are
in the part file. A line is only written after the bytes are on disk, so a journal never says too much; a line that was
cut off says nothing.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class Journal:
    """The journal at `path` for the object that `identity` describes (any JSON value that changes when it does)."""

    def __init__(self, path: Path, identity: Any) -> None:
        self._path = path
        self._head = json.dumps({"format": 1, "object": identity}, sort_keys=True)
        self.done = self._load()
        """Indexes of the parts that need not be fetched again."""
        mode = "a" if self.done else "w"
        self._file = path.open(mode, encoding="ascii")
        # After a torn line, a new one must start on a line of its own.
        self._file.write("\n" if self.done else f"{self._head}\n")
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._file.close()

    def add(self, index: int) -> None:
        """Notes that the bytes of this part are on disk."""
        self._file.write(f"{index}.\n")
        self._file.flush()
        self.done.add(index)

    def restart(self) -> None:
        """Forgets everything: the part file is not what the journal was written for."""
        self.done.clear()
        os.ftruncate(self._file.fileno(), 0)
        self._file.seek(0)
        self._file.write(f"{self._head}\n")
        self._file.flush()

    def remove(self) -> None:
        """Deletes the journal: the download is complete."""
        self._path.unlink(missing_ok=True)

    def _load(self) -> set[int]:
        try:
            head, *lines = self._path.read_text(encoding="ascii").split("\n")
        except (FileNotFoundError, UnicodeDecodeError):
            return set()
        if head != self._head:
            return set()
        return {int(line[:-1]) for line in lines if line.endswith(".") and line[:-1].isdecimal()}
