"""Checks a store that no process uses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def check(directory: Path, report: Callable[[str], None], *, repair: bool = False) -> int:
    """The number of problems found; each is reported as one sentence."""
    raise NotImplementedError
