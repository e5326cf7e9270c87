"""The settings of the read cache."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ReadCacheConfig:
    """Sizes in bytes, times in seconds."""

    directory: Path
    max_size: int = 1_000_000_000
    """Of all blocks."""
    max_files: int = 100_000
    """Objects of which something is here, if only their headers."""
    max_object: int | None = None
    """Of an object that is kept; None: as much as `max_size`."""
    max_age: float = 3600.0
    """How long after the remote has confirmed a version it is not asked again."""
    stale: float = 86400.0
    """How much longer it may be served while the remote is away."""
    negative_age: float = 5.0
    """How long it is remembered that an object does not exist."""
    deadline: float = 5.0
    """How long the remote may take to confirm a version that could be served stale."""
    inactive: float = 2_592_000.0
    """How long an object that nobody reads stays."""
    tags: bool = True
    """Whether the remote is asked for tags, which may pin."""
    free_space: int = 1_000_000_000
    """What stays free on the disk."""

    @property
    def largest(self) -> int:
        """Bytes of the largest object that is kept."""
        return self.max_size if self.max_object is None else min(self.max_object, self.max_size)
