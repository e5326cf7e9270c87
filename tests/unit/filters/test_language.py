"""Filters as text again: what is printed is read as what it was, in one way only."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.filters.texts import Written

from s3d.filters.language import LENGTH, Condition, Filter, Kind, Number, Operator, is_bare, is_number
from s3d.filters.match import Filters
from s3d.filters.parse import FilterError, parse
from s3d.filters.patterns import OneOf, Part, Pattern, Wild, pattern


def printed(filters: tuple[Filter, ...]) -> str:
    return str(Filters(filters))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("  a\n\n!b/c\t", "a !b/c"),
        ("'a'", "a"),
        ('"a"/"b"', "a/b"),
        ("''/''", "''/''"),
        ("**/***", "*/*"),
        ("'*'/'?'", "*/?"),
        ("a'*'b", "a*b"),
        (r"\a", "a"),
        (r"\*", r"'\*'"),
        (r"a/\*\?\[\'\\", r"a/'\*\?\[\'\\'"),
        ("a/']'", "a/']'"),
        ('a/"\'\\""', "a/'\\'\"'"),
        ("'a b'/'c\nd'", "'a b'/'c\nd'"),
        ("'\x00'/'\x7f'", "'\x00'/'\x7f'"),
        ("'a/b'/'c/d'", "'a/b'/c/d"),
        (r"'!a'/\!b", "'!a'/!b"),
        ("a=b/c<d", "a=b/c<d"),
        ("'[ab]'/x", "'[ab]'/x"),
        ("a'[b-c]'*", "'a[b-c]*'"),
        ("'[^a]'", "'[!a]'"),
        ("'[]]'", r"'[\]]'"),
        (r"'[\!a]'", r"'[\!a]'"),
        ("'[a!^-]'", r"'[a\!\^\-]'"),
        ("'[+--]'", r"'[+-\-]'"),
        ("'[']'", r"'[\']'"),
        ("'[a-a]'", "'[a]'"),
        (r"'[\\]'", r"'[\\]'"),
        ("a/b[hdr:Content-Type=x][md:A]", "a/b[hdr:content-type=x][md:a]"),
        ("a/b[tag:'c']", "a/b[tag:c]"),
        ("a/b[tag:'c d']", "a/b[tag:'c d']"),
        (r"a/b[tag:\*=\?]", r"a/b[tag:'\*'='\?']"),
        ("a/b[tag:'<'='>']", "a/b[tag:'<'='>']"),
        ("a/b[tag:c='']", "a/b[tag:c='']"),
        ("a/b[tag:c='d*']", "a/b[tag:c='d*']"),
        ("a/b[tag:c=d'*']", "a/b[tag:c='d*']"),
        ("a/b[tag:c='d']", "a/b[tag:c=d]"),
        ("a/b[tag:c='5']", "a/b[tag:c=5]"),
        ("a/b[tag:c<'5']", "a/b[tag:c<'5']"),
        ("a/b[tag:c<5'']", "a/b[tag:c<'5']"),
        ("a/b[tag:c<'5x']", "a/b[tag:c<5x]"),
        ("a/b[tag:c<05.50kb]", "a/b[tag:c<05.50kb]"),
        ("a/b[hdr:content-length!=007KiB]", "a/b[hdr:content-length!=007KiB]"),
    ],
)
def test_printed(text: str, expected: str) -> None:
    assert printed(parse(text)) == expected
    assert parse(expected) == parse(text)


def stays(filters: tuple[Filter, ...]) -> None:
    text = printed(filters)
    assert parse(text) == filters
    assert printed(parse(text)) == text
    for one in filters:
        assert parse(str(one)) == (one,)


@settings(max_examples=1500, deadline=None)
@given(st.binary(min_size=120, max_size=120))
def test_what_is_read_and_printed_is_read_alike(choices: bytes) -> None:
    try:
        filters = parse(Written(choices).filters())
    except FilterError:
        return
    stays(filters)


CHARACTERS = st.characters() | st.sampled_from("'\"\\[]*?!^-/=<> \n\t\x00\x7f\x85\u2028\udcff5")
TEXTS = st.text(CHARACTERS, min_size=1, max_size=3)
RANGES = st.tuples(CHARACTERS, CHARACTERS).map(lambda ends: (min(ends), max(ends)))
SETS = st.builds(OneOf, st.lists(RANGES, min_size=1, max_size=3).map(tuple), st.booleans())
PATTERNS = st.lists(TEXTS | st.sampled_from(Wild) | SETS, max_size=4).map(pattern)
ONLY_TEXT = st.text(CHARACTERS, max_size=4).map(lambda text: pattern([text]))
NUMBERS = st.from_regex(r"-?[0-9]{1,3}(\.[0-9]{1,2})?(B|[kKmMgGtT][iI]?[bB])?", fullmatch=True).map(Number)


@st.composite
def conditions(draw: st.DrawFn, *, kinds: tuple[Kind, ...] = tuple(Kind)) -> Condition:
    kind, operator = draw(st.sampled_from(kinds)), draw(st.sampled_from(Operator))
    name = draw(st.text(CHARACTERS, min_size=1, max_size=3) | st.sampled_from(["content-type", LENGTH]))
    if kind is not Kind.TAG:
        name = name.lower()
    if operator is Operator.PRESENT:
        return Condition(kind, name)
    if kind is Kind.HEADER and name == LENGTH:
        return Condition(kind, name, operator, draw(NUMBERS))
    return Condition(kind, name, operator, draw(NUMBERS | ONLY_TEXT if operator.is_order else PATTERNS))


@st.composite
def one_filter(draw: st.DrawFn) -> Filter:
    of_bucket = tuple(draw(st.lists(conditions(kinds=(Kind.TAG,)), max_size=2)))
    key = draw(st.none() | PATTERNS)
    of_object = () if key is None else tuple(draw(st.lists(conditions(), max_size=2)))
    return Filter(draw(PATTERNS), of_bucket, key, of_object, draw(st.booleans()))


@settings(max_examples=300, deadline=None)
@given(st.lists(one_filter(), max_size=2).map(tuple))
def test_what_is_made_and_printed_is_read_alike(filters: tuple[Filter, ...]) -> None:
    stays(filters)


@pytest.mark.parametrize("character", [chr(code) for code in [*range(256), 0x2028, 0x3000, 0xD800, 0xDCFF, 0x1F600]])
def test_each_character_everywhere(character: str) -> None:
    """Also at the beginning and the end, and as one of a set and as the end of a range."""
    for text in (character, f"{character}a", f"a{character}"):
        wanted = Pattern((text,))
        parts: tuple[Part, ...] = (
            OneOf(((character, character),)),
            OneOf((("\x00", character), (character, "\U0010ffff"))),
        )
        name = Condition(Kind.TAG, text, Operator.EQUAL, wanted)
        order = Condition(Kind.METADATA, "a", Operator.LESS, wanted)
        stays(
            (Filter(wanted, (name,), wanted, (name, order)), Filter(Pattern(parts), key=Pattern(parts), excludes=True))
        )


def test_what_is_bare_is_so_between_others() -> None:
    for code in range(256):
        character = chr(code)
        for special, text in (("", f"a/b{character}c"), ("/!", f"b{character}c")):
            try:
                (one,) = parse(text)
            except (FilterError, ValueError):
                found = False
            else:
                found = Pattern((f"b{character}c",)) in (one.bucket, one.key)
            assert found == is_bare(character, special), repr(character)


@pytest.mark.parametrize(
    ("operator", "is_order"), [("", 0), ("=", 0), ("!=", 0), ("<", 1), ("<=", 1), (">", 1), (">=", 1)]
)
def test_operators_of_order(operator: str, is_order: int) -> None:
    assert Operator(operator).is_order == bool(is_order)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("0", 0),
        ("00", 0),
        ("-0", 0),
        ("007", 7),
        ("-5", -5),
        ("5b", 5),
        ("5B", 5),
        ("1kB", 1000),
        ("1KiB", 1024),
        ("1kib", 1024),
        ("64MB", 64_000_000),
        ("-2MiB", -2 * 1024**2),
        ("3gb", 3 * 1000**3),
        ("3GIB", 3 * 1024**3),
        ("1TB", 1000**4),
        ("1TiB", 1024**4),
        ("0.5KiB", 512),
        ("1.005kB", 1005),
        ("4.35kB", 4350),
        ("9007199254740993", 9007199254740993),
        ("9007199254.740993GB", 9007199254740993000),
        ("1" * 100, int("1" * 100)),
        ("1" * 100 + "TiB", int("1" * 100) * 1024**4),
    ],
)
def test_numbers_are_exact(written: str, value: int) -> None:
    assert is_number(written)
    assert Number(written).value == value
    assert Number(written).value < value + 1


@pytest.mark.parametrize(
    "written",
    ["", "-", "5.", ".5", "+5", "1e5", "1_0", "5 ", " 5", "5\n", "\u0661", "5kk", "5bb", "inf", "nan", "5\u212ab"],
)
def test_no_numbers(written: str) -> None:
    assert not is_number(written)
