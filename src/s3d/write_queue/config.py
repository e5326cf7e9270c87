"""The settings of the write queue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class WriteQueueConfig:
    """Sizes in bytes, times in seconds."""

    directory: Path
    max_size: int = 1_000_000_000
    """Of all bodies in the queue."""
    max_files: int = 100
    """Objects that wait."""
    max_age: float = 3600.0
    """An operation that waits longer is warned of."""
    max_wait: float = 10.0
    """How long a request waits for room, or for its key to be pushed."""
    free_space: int = 1_000_000_000
    """What stays free on the disk."""
    workers: int = 8
    """Operations that are pushed at a time."""
    max_bandwidth: Callable[[], float | None] | None = None
    """Bytes per second as they are now; None: no limit."""
    offline_list: str = "refuse"
    """``local``: lists of what is known here while the remote is away."""
    unknown_buckets: str = "refuse"
    """``accept``: buckets that the remote was never asked for are taken for granted while it is away."""
    ledger_age: float = 7 * 86400.0
    """How long what was pushed is remembered."""
    held_size: int = 10_000_000_000
    """Of all bodies that are held."""
    held_files: int = 10_000
    """Objects that are held."""
