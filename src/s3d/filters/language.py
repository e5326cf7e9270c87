"""Filters as data, and as text again."""

from __future__ import annotations

import decimal
import re
from dataclasses import dataclass
from enum import StrEnum

from s3d.filters.patterns import OneOf, Part, Pattern
from s3d.filters.units import BYTES

_NUMBER = re.compile(r"(-?[0-9]+(?:\.[0-9]+)?)([kmgt]i?b|b)?", re.IGNORECASE | re.ASCII)
LENGTH = "content-length"


class Kind(StrEnum):
    """What a condition looks at."""

    TAG = "tag"
    HEADER = "hdr"
    METADATA = "md"


class Operator(StrEnum):
    """How it compares."""

    PRESENT = ""
    EQUAL = "="
    UNEQUAL = "!="
    LESS = "<"
    AT_MOST = "<="
    GREATER = ">"
    AT_LEAST = ">="

    @property
    def is_order(self) -> bool:
        """Whether it needs to know which is greater."""
        return self.value[:1] in ("<", ">")


@dataclass(frozen=True, slots=True)
class Number:
    """A number with its unit as it was written."""

    written: str

    @property
    def value(self) -> decimal.Decimal:
        """Bytes, if there is a unit. Exact, however long it is."""
        match = _NUMBER.fullmatch(self.written)
        assert match  # noqa: S101  the parser makes no others
        exact = decimal.Context(prec=len(self.written) + 16)
        return exact.multiply(decimal.Decimal(match[1]), BYTES[(match[2] or "").lower()])


@dataclass(frozen=True, slots=True)
class Condition:
    """``[tag:NAME]``, ``[hdr:NAME=VALUE]``. ``value``: a pattern for = and !=; a number or a text for what compares order;
    a number for each comparison of the length; None: whether there is such a thing."""

    kind: Kind
    name: str
    operator: Operator = Operator.PRESENT
    value: Pattern | Number | None = None

    def __str__(self) -> str:
        return f"[{self.kind}:{_written(Pattern((self.name,)), NOT_IN_NAME)}{self.operator}{_value(self)}]"


@dataclass(frozen=True, slots=True)
class Filter:
    """One of several: all of it has to fit."""

    bucket: Pattern
    of_bucket: tuple[Condition, ...] = ()
    """About tags of the bucket."""
    key: Pattern | None = None
    """None: every key."""
    of_object: tuple[Condition, ...] = ()
    excludes: bool = False

    def __str__(self) -> str:
        found = "!" if self.excludes else ""
        found += _written(self.bucket, NOT_IN_BUCKET) + "".join(map(str, self.of_bucket))
        if self.key is not None:
            found += "/" + _written(self.key, NOT_IN_KEY) + "".join(map(str, self.of_object))
        return found


def is_number(text: str) -> bool:
    """Whether it is one, perhaps with a unit."""
    return _NUMBER.fullmatch(text) is not None


NOT_IN_BUCKET, NOT_IN_KEY, NOT_IN_NAME, NOT_IN_VALUE = "/!", "", "=!<>", "=!<>"
"""Characters that need quotes there, besides those of `is_bare`."""


def is_bare(character: str, special: str) -> bool:
    """Whether a character stands for itself outside of quotes; ``special``: what does not there."""
    is_control = character < " " or "\x7f" <= character <= "\x9f"
    return character not in "'\"\\[]*?" and character not in special and not (is_control or character.isspace())


def _value(condition: Condition) -> str:
    value = condition.value
    if value is None:
        return ""
    if isinstance(value, Number):
        return value.written
    needs_quotes = not value.is_text or (condition.operator.is_order and is_number(value.text))
    return _quoted(value) if needs_quotes else _written(value, NOT_IN_VALUE)


def _written(wanted: Pattern, special: str) -> str:
    """Without quotes if it can be."""
    found = ""
    for part in wanted.parts:
        if isinstance(part, OneOf) or (isinstance(part, str) and not all(is_bare(c, special) for c in part)):
            return _quoted(wanted)
        found += part if isinstance(part, str) else part.value
    return found or _quoted(wanted)


def _quoted(wanted: Pattern) -> str:
    return f"'{''.join(map(_part, wanted.parts))}'"


def _part(part: Part) -> str:
    if isinstance(part, str):
        return re.sub(r"(['\\*?\[])", r"\\\1", part)
    if isinstance(part, OneOf):
        return f"[{'!' if part.inverted else ''}{''.join(map(_range, part.ranges))}]"
    return part.value


def _range(ends: tuple[str, str]) -> str:
    first, last = (re.sub(r"([]\\!^'-])", r"\\\1", end) for end in ends)
    return first if first == last else f"{first}-{last}"
