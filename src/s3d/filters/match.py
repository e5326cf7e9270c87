"""Filters as functions: compiled once, asked for each object.

Answers are True, False, or None: that depends on what is not known. Both `Filters.matches` and `Filters.explained`
ask the same functions.
"""

from __future__ import annotations

import decimal
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from s3d.filters.facts import Facts
from s3d.filters.language import LENGTH, Condition, Filter, Kind, Number, Operator
from s3d.filters.parse import parse
from s3d.filters.patterns import ALL, compiled

_PLAIN = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_ORDER: dict[Operator, Callable[[Any, Any], bool]] = {
    Operator.LESS: operator.lt,
    Operator.AT_MOST: operator.le,
    Operator.GREATER: operator.gt,
    Operator.AT_LEAST: operator.ge,
    Operator.EQUAL: operator.eq,
    Operator.UNEQUAL: operator.ne,
}

Test = Callable[[Facts], bool | None]


@dataclass(frozen=True, slots=True)
class Reason:
    """What one filter says of an object. ``misses``: the part of it that does not fit, or that is not known."""

    filter: str
    matches: bool | None
    misses: str | None = None


class Filters:
    """Several filters: what one of them fits and no excluding one. If all of them exclude, everything else is fit; so is
    everything if there are none."""

    def __init__(self, filters: tuple[Filter, ...]) -> None:
        self.filters = filters
        self._including = [_test(one) for one in filters if not one.excludes]
        self._excluding = [_test(one) for one in filters if one.excludes]
        conditions = [condition for one in filters for condition in one.of_object]
        self.needs_tags = any(condition.kind is Kind.TAG for condition in conditions)
        """Whether tags of objects are looked at."""
        self.needs_bucket_tags = any(one.of_bucket for one in filters)

        self._named_including = [_test(_names(one)) for one in filters if not one.excludes]
        self._named_excluding = [_test(one) for one in filters if one.excludes and _names(one) == one]

    @classmethod
    def of(cls, text: str) -> Filters:
        """Raises FilterError."""
        return cls(parse(text))

    def __str__(self) -> str:
        return " ".join(map(str, self.filters))

    def matches(self, facts: Facts) -> bool | None:
        """None: not without what is not known."""
        excluded = _any(self._excluding, facts)
        if excluded:
            return False
        included = _any(self._including, facts) if self._including else True
        return None if excluded is None and included else included

    def may_match(self, bucket: str, key: str) -> bool:
        """Whether an object of that name can be fit, whatever else is to be known of it."""
        facts = Facts(bucket, key)
        if _any(self._named_excluding, facts):
            return False
        return not self._including or bool(_any(self._named_including, facts))

    def explained(self, facts: Facts) -> list[Reason]:
        """What each of them says, in their order."""
        return [_reason(one, facts) for one in self.filters]


def _names(one: Filter) -> Filter:
    """Without what is more than names."""
    return Filter(one.bucket, (), one.key, (), one.excludes)


def _any(tests: list[Test], facts: Facts) -> bool | None:
    found: bool | None = False
    for test in tests:
        answer = test(facts)
        if answer:
            return True
        if answer is None:
            found = None
    return found


def _test(wanted: Filter) -> Test:
    bucket = compiled(wanted.bucket)
    key = compiled(wanted.key or ALL)
    tests = [_condition(condition, _tags_of_bucket) for condition in wanted.of_bucket]
    tests += [_condition(condition, _SOURCES[condition.kind]) for condition in wanted.of_object]

    def test(facts: Facts) -> bool | None:
        if not bucket(facts.bucket) or not key(facts.key):
            return False
        found: bool | None = True
        for condition in tests:
            answer = condition(facts)
            if answer is False:
                return False
            if answer is None:
                found = None
        return found

    return test


def _reason(wanted: Filter, facts: Facts) -> Reason:
    found = _test(wanted)(facts)
    misses = None if found else next(told for told, part in _parts(wanted) if _test(part)(facts) is found)
    return Reason(str(wanted), found, misses)


def _parts(wanted: Filter) -> Iterator[tuple[str, Filter]]:
    """Each part of a filter as one, with what it is called."""
    yield f"bucket {Filter(wanted.bucket)}", Filter(wanted.bucket)
    for condition in wanted.of_bucket:
        yield f"bucket {condition}", Filter(ALL, (condition,))
    if wanted.key is not None:
        yield f"key {str(Filter(ALL, key=wanted.key)).removeprefix('*/')}", Filter(ALL, key=wanted.key)
    for condition in wanted.of_object:
        yield f"object {condition}", Filter(ALL, key=ALL, of_object=(condition,))


def _tags(facts: Facts) -> Mapping[str, str] | None:
    return facts.tags


def _tags_of_bucket(facts: Facts) -> Mapping[str, str] | None:
    return facts.bucket_tags


def _headers(facts: Facts) -> Mapping[str, str]:
    return facts.headers


def _metadata(facts: Facts) -> Mapping[str, str]:
    return facts.metadata


_SOURCES: dict[Kind, Callable[[Facts], Mapping[str, str] | None]] = {
    Kind.TAG: _tags,
    Kind.HEADER: _headers,
    Kind.METADATA: _metadata,
}


def _condition(condition: Condition, source: Callable[[Facts], Mapping[str, str] | None]) -> Test:
    if condition.kind is Kind.HEADER and condition.name == LENGTH:
        return _of_length(condition)
    name, fits, absent = condition.name, _comparison(condition), condition.operator is Operator.UNEQUAL

    def test(facts: Facts) -> bool | None:
        values = source(facts)
        if values is None:
            return None
        value = values.get(name)
        return absent if value is None else bool(fits(value))

    return test


def _of_length(condition: Condition) -> Test:
    if not isinstance(condition.value, Number):
        return lambda _facts: True
    compare, wanted = _ORDER[condition.operator], condition.value.value

    def test(facts: Facts) -> bool | None:
        return None if facts.size is None else compare(facts.size, wanted)

    return test


def _comparison(condition: Condition) -> Callable[[str], object]:
    value, compare = condition.value, _ORDER.get(condition.operator)
    if value is None or compare is None:
        return lambda _value: True
    if isinstance(value, Number):
        wanted = value.value
        return lambda found: _PLAIN.fullmatch(found) is not None and compare(decimal.Decimal(found), wanted)
    if condition.operator.is_order:
        text = value.text
        return lambda found: compare(found, text)
    fits = compiled(value)
    return fits if condition.operator is Operator.EQUAL else lambda found: not fits(found)
