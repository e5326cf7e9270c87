"""A directory for what is written thousands of times and need not be durable."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def in_memory(otherwise: Path) -> Iterator[Path]:
    """In memory where that is possible, for the time of the context."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield otherwise
        return
    directory = Path(tempfile.mkdtemp(prefix="s3d-queue-", dir=memory))
    try:
        yield directory
    finally:
        shutil.rmtree(directory)
