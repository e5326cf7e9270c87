"""How long a server takes from the start of its process to its first answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path

from contender import Contender


def start_times(
    names: Iterable[str],
    running: Callable[[str, Path], AbstractContextManager[tuple[Contender, float]]],
    root: Path,
    *,
    count: int,
) -> dict[str, list[float]]:
    """Seconds of so many starts of each, each with a directory of its own. The very first (cold files) is not counted."""
    seconds: dict[str, list[float]] = {}
    for name in names:
        for attempt in range(count + 1):
            with running(name, root / f"start-{name}-{attempt}") as (_, taken):
                if attempt:
                    seconds.setdefault(name, []).append(taken)
    return seconds
