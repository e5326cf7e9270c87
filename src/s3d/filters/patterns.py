"""Patterns of buckets, keys and values: text with ``*``, ``?`` and sets of characters."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


class Wild(Enum):
    """What stands for text that is not given."""

    ANY = "*"
    """Any text, the empty one too; also a ``/``."""
    ONE = "?"
    """One character."""


@dataclass(frozen=True, slots=True)
class OneOf:
    """One character of a set: ``[a-z_]``, or of what is not in it: ``[!a-z_]``."""

    ranges: tuple[tuple[str, str], ...]
    """First and last of each; a single character is a range of one."""
    inverted: bool = False


Part = str | Wild | OneOf


@dataclass(frozen=True, slots=True)
class Pattern:
    """Parts one after the other; no two texts, and no two ``*``, stand side by side. No part: the empty text."""

    parts: tuple[Part, ...]

    @property
    def is_text(self) -> bool:
        """Whether it fits one text only."""
        return all(isinstance(part, str) for part in self.parts)

    @property
    def text(self) -> str:
        """That text."""
        return "".join(part for part in self.parts if isinstance(part, str))


ALL = Pattern((Wild.ANY,))


def pattern(parts: list[Part]) -> Pattern:
    """Joins what can be joined."""
    joined: list[Part] = []
    for part in parts:
        before = joined[-1] if joined else None
        if isinstance(part, str) and isinstance(before, str):
            joined[-1] = before + part
        elif part != "" and not (part is Wild.ANY and before is Wild.ANY):
            joined.append(part)
    return Pattern(tuple(joined))


def compiled(wanted: Pattern) -> Callable[[str], object]:
    """A function that is true of the texts that fit as a whole."""
    match wanted.parts:
        case ():
            return "".__eq__
        case (str(text),):
            return text.__eq__
        case (Wild.ANY,):
            return _always
        case (str(start), Wild.ANY):
            return lambda text: text.startswith(start)
        case (Wild.ANY, str(end)):
            return lambda text: text.endswith(end)
        case (Wild.ANY, str(middle), Wild.ANY):
            return lambda text: middle in text
    return re.compile(_regex(wanted.parts), re.DOTALL).fullmatch


def _always(_text: str) -> bool:
    return True


def _regex(parts: tuple[Part, ...]) -> str:
    """Linear in the length of the text for each ``*``: behind each but the last the first place that fits is taken for
    good, which finds a match if there is one."""
    stars = [number for number, part in enumerate(parts) if part is Wild.ANY]
    if not stars:
        return "".join(map(_piece, parts))
    found = ["".join(map(_piece, parts[: stars[0]]))]
    for star, following in itertools.pairwise(stars):
        found.append(f"(?>.*?{''.join(map(_piece, parts[star + 1 : following]))})")
    found.append(f".*{''.join(map(_piece, parts[stars[-1] + 1 :]))}")
    return "".join(found)


def _piece(part: Part) -> str:
    if isinstance(part, str):
        return re.escape(part)
    if isinstance(part, OneOf):
        ranges = "".join(f"{re.escape(first)}-{re.escape(last)}" for first, last in part.ranges)
        return f"[{'^' if part.inverted else ''}{ranges}]"
    return "."
