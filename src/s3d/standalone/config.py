"""Settings of the embedded store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class StandaloneConfig:
    """Where the store is."""

    directory: Path
    """Made if it is not there."""
    buckets: tuple[str, ...] = ()
    """Buckets that exist after the start: those that are missing are created."""
