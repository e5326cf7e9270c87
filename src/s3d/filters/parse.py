"""Reads filters. The grammar is in docs/filters.md."""

from __future__ import annotations

from s3d.filters.language import (
    LENGTH,
    NOT_IN_BUCKET,
    NOT_IN_KEY,
    NOT_IN_NAME,
    NOT_IN_VALUE,
    Condition,
    Filter,
    Kind,
    Number,
    Operator,
    is_bare,
    is_number,
)
from s3d.filters.patterns import OneOf, Part, Pattern, Wild, pattern

_OPERATORS = (Operator.AT_MOST, Operator.AT_LEAST, Operator.UNEQUAL, Operator.EQUAL, Operator.LESS, Operator.GREATER)
"""Longer ones first."""
_QUOTES = ("'", '"')
_METADATA = "x-amz-meta-"


class FilterError(ValueError):
    """A text that is no filter. ``column`` counts characters of the whole text, from 1; ``text`` is that text."""

    def __init__(self, what: str, text: str, position: int) -> None:
        self.text = text
        self.what = what
        self.column = position + 1
        super().__init__(f"{_place(text, position)}: {what}")

    def pointed(self) -> str:
        """Two lines: the line of the text, and a mark below the place. A tab counts as one character."""
        start = self.text.rfind("\n", 0, self.column - 1) + 1
        line = self.text[start:].partition("\n")[0].replace("\t", " ")
        return f"{line}\n{' ' * (self.column - 1 - start)}^"


def _place(text: str, position: int) -> str:
    line, start = text.count("\n", 0, position), text.rfind("\n", 0, position) + 1
    column = f"column {position - start + 1}"
    return f"line {line + 1}, {column}" if line or "\n" in text.rstrip() else column


def parse(text: str) -> tuple[Filter, ...]:
    """The filters of a text, in their order; none for an empty one. Raises FilterError."""
    return _Parser(text).filters()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def filters(self) -> tuple[Filter, ...]:
        found: list[Filter] = []
        self._space()
        while self._at < len(self._text):
            found.append(self._filter())
            if self._at < len(self._text) and not self._text[self._at].isspace():
                raise self._error(f"{self._text[self._at]!r} does not belong here: a filter ends with a space")
            self._space()
        return tuple(found)

    def _space(self) -> None:
        while self._text[self._at : self._at + 1].isspace():
            self._at += 1

    def _filter(self) -> Filter:
        excludes = self._takes("!")
        bucket = self._pattern("a bucket", NOT_IN_BUCKET)
        of_bucket = self._conditions(is_bucket=True)
        if not self._takes("/"):
            return Filter(bucket, of_bucket, excludes=excludes)
        key = self._pattern("a key behind '/' (without '/' all keys are meant)", NOT_IN_KEY)
        return Filter(bucket, of_bucket, key, self._conditions(is_bucket=False), excludes)

    def _conditions(self, *, is_bucket: bool) -> tuple[Condition, ...]:
        found: list[Condition] = []
        while self._takes("["):
            found.append(self._condition(is_bucket=is_bucket))
        return tuple(found)

    def _condition(self, *, is_bucket: bool) -> Condition:
        kind = self._kind(is_bucket=is_bucket)
        start = self._at
        name = self._name(kind, start)
        operator = next((o for o in _OPERATORS if self._takes(o)), Operator.PRESENT)
        value = None if operator is Operator.PRESENT else self._value(kind, name, operator)
        if not self._takes("]"):
            if self._at == len(self._text):
                raise self._error("']' is missing")
            more = "" if value is not None else ", or one of = != < <= > >="
            raise self._error(f"{self._text[self._at]!r} does not belong here: ']' is missing{more}")
        return Condition(kind, name, operator, value)

    def _kind(self, *, is_bucket: bool) -> Kind:
        start = self._at
        kind = next((kind for kind in Kind if self._takes(f"{kind}:")), None)
        if kind is None:
            raise self._error("a condition begins with tag:, hdr: or md:", start)
        if is_bucket and kind is not Kind.TAG:
            raise self._error(f"a bucket has tags only; of its objects: BUCKET/*[{kind}:...]", start)
        return kind

    def _name(self, kind: Kind, start: int) -> str:
        name = self._pattern("a name", NOT_IN_NAME)
        if not name.is_text or not name.parts:
            raise self._error("a name is no pattern: write \\* for a *" if name.parts else "a name is missing", start)
        if kind is Kind.TAG:
            return name.text
        lower = name.text.lower()
        if lower.startswith(_METADATA):
            raise self._error(f"user metadata is md:{lower.removeprefix(_METADATA)}", start)
        if kind is Kind.HEADER and lower == "x-amz-tagging":
            raise self._error("tags are tag:NAME", start)
        return lower

    def _value(self, kind: Kind, name: str, operator: Operator) -> Pattern | Number:
        start = self._at
        value = self._pattern("a value ('' is the empty one)", NOT_IN_VALUE + "*?")
        is_length = kind is Kind.HEADER and name == LENGTH
        if is_number(self._text[start : self._at]) and (is_length or operator.is_order):
            return Number(self._text[start : self._at])
        if is_length:
            raise self._error("content-length is compared with a number, such as 100, 64kB or 1GiB", start)
        if operator.is_order and not value.is_text:
            raise self._error(f"{operator} compares with a text or a number, not with a pattern", start)
        return value

    def _pattern(self, what: str, special: str) -> Pattern:
        """Of pieces with and without quotes, up to the first character that is special here."""
        parts: list[Part] = []
        start = self._at
        while self._at < len(self._text):
            character = self._text[self._at]
            if character in _QUOTES:
                parts += self._quoted()
            elif character in "*?":
                if character in special:
                    raise self._error("a value with * or ? is written in quotes")
                parts.append(Wild(character))
                self._at += 1
            elif character == "\\":
                parts.append(self._escaped())
            elif is_bare(character, special):
                parts.append(character)
                self._at += 1
            else:
                break
        if self._at == start:
            raise self._error(f"{what} is missing")
        return pattern(parts)

    def _quoted(self) -> list[Part]:
        start, quote = self._at, self._text[self._at]
        self._at += 1
        parts: list[Part] = []
        while self._at < len(self._text):
            character = self._text[self._at]
            if character == "\\":
                parts.append(self._escaped())
                continue
            self._at += 1
            if character == quote:
                return parts
            if character in "*?":
                parts.append(Wild(character))
            elif character == "[":
                parts.append(self._one_of())
            else:
                parts.append(character)
        raise self._error(f"this {quote} has no end", start)

    def _one_of(self) -> OneOf:
        """Behind its ``[``. A ``]`` that comes first is one of the characters."""
        start = self._at - 1
        inverted = self._text[self._at : self._at + 1] in ("!", "^")
        self._at += inverted
        ranges: list[tuple[str, str]] = []
        while self._at < len(self._text) and (not ranges or self._text[self._at] != "]"):
            first = self._member()
            at = self._at
            if self._text[at : at + 1] == "-" and self._text[at + 1 : at + 2] not in ("]", ""):
                self._at += 1
                last = self._member()
                if last < first:
                    raise self._error(f"{first}-{last} is no range: {last} comes before {first}", at - 1)
                ranges.append((first, last))
            else:
                ranges.append((first, first))
        if not self._takes("]"):
            raise self._error("this set of characters has no end: write \\[ for a [", start)
        return OneOf(tuple(ranges), inverted)

    def _member(self) -> str:
        if self._text[self._at] == "\\":
            return self._escaped()
        self._at += 1
        return self._text[self._at - 1]

    def _escaped(self) -> str:
        """A backslash makes the character behind it an ordinary one."""
        found = self._text[self._at + 1 : self._at + 2]
        if not found:
            raise self._error("nothing follows the \\")
        self._at += 2
        return found

    def _takes(self, text: str) -> bool:
        """Goes on behind it, if it is next."""
        found = self._text.startswith(text, self._at)
        self._at += len(text) if found else 0
        return found

    def _error(self, what: str, position: int | None = None) -> FilterError:
        return FilterError(what, self._text, self._at if position is None else position)
