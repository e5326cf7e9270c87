"""A second reading of "The language" in docs/filters.md: slow and obvious, and it uses nothing of s3d.filters.

The grammar is regular, so texts are read with regular expressions that repeat it. A pattern is followed piece by piece,
with all places of the text that one may be at. Numbers are exact. An answer is True, False or None (not known).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Protocol

Answer = bool | None
Piece = Callable[[str], bool] | None  # whether one character fits; None: any text does
Condition = tuple[str, str, str, str]  # kind, name, operator, value (as it is written)

ESCAPED = r"\\[\s\S]"
MEMBER, FIRST = rf"(?:{ESCAPED}|[^\\\]])", rf"(?:{ESCAPED}|[^\\])"
ONE_OF = rf"\[[!^]?+(?:{FIRST}-{MEMBER}|{FIRST})(?:{MEMBER}-{MEMBER}|{MEMBER})*+\]"
QUOTED = "|".join(rf"{quote}(?:{ESCAPED}|{ONE_OF}|[^{quote}\\\[])*+{quote}" for quote in "'\"")


def _pattern(needs_quotes: str) -> str:
    return rf"(?:{ESCAPED}|{QUOTED}|[^\s\x00-\x1f\x7f-\x9f'\"\\\[\]{needs_quotes}])++"


NAME = VALUE = _pattern("=!<>*?")
CONDITION = rf"\[(tag|hdr|md):({NAME})(?:(=|!=|<=|>=|<|>)({VALUE}))?\]"
CONDITIONS = "(?:" + re.sub(r"(?<!\\)\((?!\?)", "(?:", CONDITION) + ")*+"
FILTER = re.compile(
    rf"(?P<excludes>!?)(?P<bucket>{_pattern('/!')})(?P<of_bucket>{CONDITIONS})"
    rf"(?:/(?P<key>{_pattern('')})(?P<of_object>{CONDITIONS}))?(?:\s+|\Z)"
)
NUMBER = re.compile(r"(-?[0-9]+(?:\.[0-9]+)?)([KMGT]I?B|B)?", re.IGNORECASE | re.ASCII)
UNITS = {"": 1, "b": 1}
UNITS |= {f"{letter}b": 1000**power for power, letter in enumerate("kmgt", 1)}
UNITS |= {f"{letter}ib": 1024**power for power, letter in enumerate("kmgt", 1)}
ORDER = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


class Known(Protocol):
    """What is known of an object; s3d.filters.facts.Facts is such a thing."""

    bucket: str
    key: str
    size: int
    headers: Mapping[str, str]
    metadata: Mapping[str, str]
    tags: Mapping[str, str] | None
    bucket_tags: Mapping[str, str] | None


class NoFilter(ValueError):
    """The text is none."""


def answer(text: str, known: Known) -> Answer:
    """Whether the object is meant. Raises NoFilter."""
    found = read(text)
    meant = [_fits(one, known) for one in found if not one["excludes"]]
    excluded = [_fits(one, known) for one in found if one["excludes"]]
    return _all([_any(meant) if meant else True, _not(_any(excluded))])


def read(text: str) -> list[dict[str, str]]:
    """The filters, each in its written parts. Raises NoFilter."""
    found = []
    text = text.lstrip()
    while text:
        match = FILTER.match(text)
        if not match:
            raise NoFilter
        found.append({name: part or "" for name, part in match.groupdict().items()})
        text = text[match.end() :]
    for one in found:
        _check(one)
    return found


def _check(one: dict[str, str]) -> None:
    """What is not in the grammar, but in the text behind it."""
    pieces(one["bucket"])
    pieces(one["key"])
    if any(kind != "tag" for kind, *_ in conditions(one["of_bucket"])):
        raise NoFilter
    for kind, name, compares, value in conditions(one["of_bucket"] + one["of_object"]):
        pieces(value)
        lower = name.lower() if kind != "tag" else ""
        if not name or lower.startswith("x-amz-meta-") or (kind == "hdr" and lower == "x-amz-tagging"):
            raise NoFilter
        if compares in ORDER:
            _characters(value)
        if kind == "hdr" and lower == "content-length" and compares and number(value) is None:
            raise NoFilter


def conditions(text: str) -> list[Condition]:
    found = re.findall(CONDITION, text)
    return [(kind, "".join(_characters(name)), compares, value) for kind, name, compares, value in found]


def _fits(one: dict[str, str], known: Known) -> Answer:
    answers: list[Answer] = [glob(pieces(one["bucket"]), known.bucket)]
    answers += [_holds(condition, known, known.bucket_tags) for condition in conditions(one["of_bucket"])]
    if one["key"]:
        answers.append(glob(pieces(one["key"]), known.key))
    answers += [_holds(condition, known, known.tags) for condition in conditions(one["of_object"])]
    return _all(answers)


def _holds(condition: Condition, known: Known, tags: Mapping[str, str] | None) -> Answer:
    kind, name, compares, value = condition
    if kind == "hdr" and name.lower() == "content-length":
        return not compares or _compare(Fraction(known.size), compares, number(value))
    there = {"tag": tags, "hdr": known.headers, "md": known.metadata}[kind]
    if there is None:
        return None
    found = there.get(name if kind == "tag" else name.lower())
    if found is None:
        return compares == "!="
    if not compares:
        return True
    if compares not in ORDER:
        return glob(pieces(value), found) == (compares == "=")
    limit = number(value)
    if limit is None:
        return bool(ORDER[compares]([ord(c) for c in found], [ord(c) for c in "".join(_characters(value))]))
    is_plain = re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", found) is not None
    return is_plain and _compare(Fraction(found), compares, limit)


def _compare(mine: Fraction, compares: str, limit: Fraction | None) -> bool:
    assert limit is not None
    return bool(ORDER[compares](mine, limit)) if compares in ORDER else (mine == limit) == (compares == "=")


def number(written: str) -> Fraction | None:
    found = NUMBER.fullmatch(written)
    return Fraction(found[1]) * UNITS[(found[2] or "").lower()] if found else None


def glob(wanted: Iterable[Piece], text: str) -> bool:
    places = {0}
    for piece in wanted:
        if piece is None:
            places = set(range(min(places), len(text) + 1))
        else:
            places = {place + 1 for place in places if place < len(text) and piece(text[place])}
        if not places:
            return False
    return len(text) in places


def pieces(pattern: str) -> list[Piece]:
    """What a written pattern consists of. Raises NoFilter."""
    return [_piece(token) for token in _tokens(pattern)]


def _tokens(pattern: str) -> Iterator[str]:
    """``*``, ``?``, ``[...]``, and each other character behind a backslash."""
    for outside in re.findall(rf"{ESCAPED}|{QUOTED}|[\s\S]", pattern):
        is_quoted = len(outside) > 1 and outside[0] in "'\""
        for token in re.findall(rf"{ESCAPED}|{ONE_OF}|[\s\S]", outside[1:-1]) if is_quoted else [outside]:
            yield token if token in ("*", "?") or len(token) > 1 else "\\" + token


def _characters(pattern: str) -> list[str]:
    """Of a pattern of characters only. Raises NoFilter if it has anything else."""
    tokens = list(_tokens(pattern))
    if any(token[0] != "\\" for token in tokens):
        raise NoFilter
    return [token[1] for token in tokens]


def _piece(token: str) -> Piece:
    if token == "*":
        return None
    if token == "?":
        return lambda _c: True
    if token[0] == "\\":
        return lambda c: c == token[1]
    is_inverted = token[1] in "!^"
    ranges = []
    for first, last, only in re.findall(rf"({FIRST})-({FIRST})|({FIRST})", token[1 + is_inverted : -1]):
        low, high = ((first or only)[-1], (last or only)[-1])
        if low > high:
            raise NoFilter
        ranges.append((low, high))
    return lambda c: any(low <= c <= high for low, high in ranges) != is_inverted


RANK: dict[Answer, int] = {False: 0, None: 1, True: 2}


def _all(answers: Iterable[Answer]) -> Answer:
    return min(answers, key=RANK.__getitem__)


def _any(answers: Iterable[Answer]) -> Answer:
    return max([False, *answers], key=RANK.__getitem__)


def _not(found: Answer) -> Answer:
    return None if found is None else not found
