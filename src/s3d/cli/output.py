"""Writing to stdout: keys are bytes, readers may leave, and a terminal must not be fed control characters."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

from s3d.cli.errors import Interrupted, visible


def write_line(text: str) -> None:
    """Writes a line of text to stdout; surrogates become the bytes that they stand for."""
    if sys.stdout.isatty():
        text = visible(text)
    _write(f"{text}\n".encode("utf-8", "surrogateescape"))


def write_json(document: Any, *, indent: int | None = None) -> None:
    """Writes one JSON value to stdout; without ``indent`` in one line. Pure ASCII: bytes of a key that are no UTF-8
    stay distinguishable as lone surrogates (``\\udcff``)."""
    _write(f"{json.dumps(document, indent=indent, default=str)}\n".encode())


def flush() -> None:
    """Sends what is buffered: whoever reads a long listing sees it page by page."""
    _write(b"", flush=True)


def write_all(descriptor: int, data: bytes) -> None:
    """Writes all of it to a file descriptor. May block. Raises Interrupted when nobody reads any more."""
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    except BrokenPipeError:
        raise Interrupted(signal.SIGPIPE) from None


def _write(data: bytes, *, flush: bool = False) -> None:
    """Raises Interrupted instead of BrokenPipeError, which click would turn into exit code 1."""
    try:
        sys.stdout.buffer.write(data)
        if flush:
            sys.stdout.flush()
    except BrokenPipeError:
        raise Interrupted(signal.SIGPIPE) from None
