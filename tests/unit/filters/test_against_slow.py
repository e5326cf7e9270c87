"""The language against a second reading of its document: both say of the same texts that they are filters, and the same of
each object."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st
from unit.filters import slow_evaluator
from unit.filters.texts import OBJECTS, ODD, Written

from s3d.filters.facts import Facts
from s3d.filters.match import Filters
from s3d.filters.parse import FilterError

CHOICES = st.binary(min_size=120, max_size=120)  # bytes behind the end would be zeros
OBJECT = st.sampled_from(OBJECTS)


def fast(text: str, objects: list[Facts]) -> list[bool | None] | None:
    """What each object gets; None: the text is no filter."""
    try:
        filters = Filters.of(text)
    except FilterError:
        return None
    return [filters.matches(one) for one in objects]


def slow(text: str, objects: list[Facts]) -> list[bool | None] | None:
    try:
        slow_evaluator.read(text)
    except slow_evaluator.NoFilter:
        return None
    return [slow_evaluator.answer(text, one) for one in objects]


@settings(max_examples=2000, deadline=None)
@given(CHOICES, st.lists(OBJECT, min_size=1, max_size=5))
def test_filters(choices: bytes, objects: list[Facts]) -> None:
    text = Written(choices).filters()
    assert fast(text, objects) == slow(text, objects)


@settings(max_examples=2000, deadline=None)
@given(CHOICES, OBJECT)
def test_texts_that_are_nearly_filters(choices: bytes, known: Facts) -> None:
    text = Written(choices).mutated()
    assert fast(text, [known]) == slow(text, [known])


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from(ODD + "ab/[]:tghdrm"), max_size=12))
@example("a\\")
def test_any_text(text: str) -> None:
    assert fast(text, OBJECTS[:3]) == slow(text, OBJECTS[:3])
