"""Numbers with units, as people write them."""

from __future__ import annotations

import re

SECONDS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
BYTES: dict[str, int] = {"": 1, "b": 1} | {
    prefix.lower() + unit: base**power
    for power, prefix in enumerate("KMGT", start=1)
    for unit, base in (("b", 1000), ("ib", 1024))
}
"""By the unit in lower case."""
LONGEST = 365 * 86400.0
"""Seconds. Event loops count in milliseconds in an int; a year is for ever for all that is said in such units."""
_NUMBER = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*([A-Za-z]*)", re.ASCII)


def number_and_unit(text: str) -> tuple[float | None, str]:
    """``1.5h``: 1.5 and h, in lower case; None: it is no number."""
    match = _NUMBER.fullmatch(text.strip())
    return (float(match[1]), match[2].lower()) if match else (None, "")


def seconds(text: str) -> float | None:
    """Of a duration such as ``90s``; None: it is none, or longer than a year."""
    number, unit = number_and_unit(text)
    found = number * SECONDS[unit] if number is not None and unit in SECONDS else None
    return found if found is not None and found <= LONGEST else None
