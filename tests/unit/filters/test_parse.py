"""What is read, and what is refused where."""

from __future__ import annotations

import contextlib
import itertools
import unicodedata

import pytest

from s3d.filters.language import Condition, Filter, Kind, Number, Operator
from s3d.filters.parse import FilterError, parse
from s3d.filters.patterns import OneOf, Part, Pattern, Wild

STAR, ONE = Wild.ANY, Wild.ONE


def p(*parts: Part) -> Pattern:
    return Pattern(parts)


def one(text: str) -> Filter:
    (found,) = parse(text)
    return found


def condition(text: str) -> Condition:
    (found,) = one(f"b/k{text}").of_object
    return found


@pytest.mark.parametrize("text", ["", " ", "\n", "\t \r\n\v\f", "\u2003\u3000\x1c\x85"])
def test_no_filter(text: str) -> None:
    assert parse(text) == ()


@pytest.mark.parametrize("space", [" ", "  ", "\n", "\r\n", "\t", "\u2003", "\u2028", "\x1c"])
def test_space_between_filters(space: str) -> None:
    expected = (Filter(p("a")), Filter(p("b"), key=p("c"), excludes=True), Filter(p("d")))
    assert parse(space.join(["a", "!b/c", "d"])) == parse(space.join(["", "a", "!b/c", "d", ""])) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", Filter(p("a"))),
        ("!a", Filter(p("a"), excludes=True)),
        ("a/b", Filter(p("a"), key=p("b"))),
        ("a/''", Filter(p("a"), key=p())),
        ("''", Filter(p())),
        ("''/''", Filter(p(), key=p())),
        ("a//", Filter(p("a"), key=p("/"))),
        ("a/b/c", Filter(p("a"), key=p("b/c"))),
        ("a/!b=<>", Filter(p("a"), key=p("!b=<>"))),
        ("!a/!b", Filter(p("a"), key=p("!b"), excludes=True)),
        ("'!a'", Filter(p("!a"))),
        (r"\!a", Filter(p("!a"))),
        (r"a\/b", Filter(p("a/b"))),
        ("a'/'b", Filter(p("a/b"))),
        ("a=b", Filter(p("a=b"))),
        ("é/\udcff\xa1😀", Filter(p("é"), key=p("\udcff\xa1😀"))),
        ("'\x00'/\\\x7f", Filter(p("\x00"), key=p("\x7f"))),
        ("a[tag:b]", Filter(p("a"), (Condition(Kind.TAG, "b"),))),
        ("a[tag:b]/c", Filter(p("a"), (Condition(Kind.TAG, "b"),), p("c"))),
        (
            "!*[tag:a][tag:b]/*[tag:c][md:d]",
            Filter(
                p(STAR),
                (Condition(Kind.TAG, "a"), Condition(Kind.TAG, "b")),
                p(STAR),
                (Condition(Kind.TAG, "c"), Condition(Kind.METADATA, "d")),
                excludes=True,
            ),
        ),
    ],
)
def test_parts_of_a_filter(text: str, expected: Filter) -> None:
    assert parse(text) == (expected,)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*", p(STAR)),
        ("**", p(STAR)),
        ("?", p(ONE)),
        ("*?*", p(STAR, ONE, STAR)),
        ("a*b?c", p("a", STAR, "b", ONE, "c")),
        ("'*?'", p(STAR, ONE)),
        (r"\*\?\\\a\ ", p("*?\\a ")),
        (r"'\*\?\\\a\''", p("*?\\a'")),
        ("""'a"b'"c'd\"""", p("a\"bc'd")),
        ("'a b\n]'", p("a b\n]")),
        ("'a''b'", p("ab")),
        ("'a*''*b'", p("a", STAR, "b")),
        ("\\\n", p("\n")),
        ("'[ab]'", p(OneOf((("a", "a"), ("b", "b"))))),
        ("'[a-c0-9_]'", p(OneOf((("a", "c"), ("0", "9"), ("_", "_"))))),
        ("'[!a-c]'", p(OneOf((("a", "c"),), inverted=True))),
        ('"[^a]"', p(OneOf((("a", "a"),), inverted=True))),
        ("'[a!^]'", p(OneOf((("a", "a"), ("!", "!"), ("^", "^"))))),
        ("'[]]'", p(OneOf((("]", "]"),)))),
        ("'[]a]'", p(OneOf((("]", "]"), ("a", "a"))))),
        ("'[!]]'", p(OneOf((("]", "]"),), inverted=True))),
        ("'[]-a]'", p(OneOf((("]", "a"),)))),
        ("'[a-]'", p(OneOf((("a", "a"), ("-", "-"))))),
        ("'[-a]'", p(OneOf((("-", "-"), ("a", "a"))))),
        ("'[--a]'", p(OneOf((("-", "a"),)))),
        ("'[a-a]'", p(OneOf((("a", "a"),)))),
        ("'[a-b-c]'", p(OneOf((("a", "b"), ("-", "-"), ("c", "c"))))),
        (r"'[a\-c]'", p(OneOf((("a", "a"), ("-", "-"), ("c", "c"))))),
        (r"'[a\]b]'", p(OneOf((("a", "a"), ("]", "]"), ("b", "b"))))),
        (r"'[\!a]'", p(OneOf((("!", "!"), ("a", "a"))))),
        (r"'[\\-\]]'", p(OneOf((("\\", "]"),)))),
        ("'[']'", p(OneOf((("'", "'"),)))),
        ("'[*?[]'", p(OneOf((("*", "*"), ("?", "?"), ("[", "["))))),
        ("'[ \n]'", p(OneOf(((" ", " "), ("\n", "\n"))))),
        (r"'\[a]'", p("[a]")),
        ("a'[bc]'*", p("a", OneOf((("b", "b"), ("c", "c"))), STAR)),
    ],
)
def test_patterns(text: str, expected: Pattern) -> None:
    assert one(text).bucket == expected
    assert one(f"b/{text}").key == expected


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("operator", Operator)
def test_each_kind_with_each_operator(kind: Kind, operator: Operator) -> None:
    value = None if operator is Operator.PRESENT else p("x")
    assert condition(f"[{kind}:a{operator}{'x' if value else ''}]") == Condition(kind, "a", operator, value)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("[tag:A]", "A"),
        ("[hdr:Content-TYPE]", "content-type"),
        ("[md:ABC]", "abc"),
        ("[tag:a:b/c.d-e_f+@]", "a:b/c.d-e_f+@"),
        ("[tag:'a b'\"=\"\\]]", "a b=]"),
        (r"[tag:\*\?]", "*?"),
        ("[tag:'!<>']", "!<>"),
        ("[tag:tag:a]", "tag:a"),
        ("[tag:x-amz-meta-a]", "x-amz-meta-a"),
        ("[tag:x-amz-tagging]", "x-amz-tagging"),
        ("[md:x-amz-tagging]", "x-amz-tagging"),
    ],
)
def test_names(text: str, name: str) -> None:
    assert condition(text).name == name


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("=a", p("a")),
        ("=''", p()),
        ("='a*'", p("a", STAR)),
        ("='?'", p(ONE)),
        ("='[ab]'", p(OneOf((("a", "a"), ("b", "b"))))),
        (r"=\*", p("*")),
        ("=a'b c'd", p("ab cd")),
        ("=a/b:c.d", p("a/b:c.d")),
        ("='='", p("=")),
        ("=5", p("5")),
        ("=5MB", p("5MB")),
        ("<5", Number("5")),
        ("<=-5.50", Number("-5.50")),
        (">5kib", Number("5kib")),
        (">=007B", Number("007B")),
        ("<'5'", p("5")),
        ("<5''", p("5")),
        (r"<\5", p("5")),
        ("<5x", p("5x")),
        ("<2026-01-31", p("2026-01-31")),
        ("<''", p()),
    ],
)
def test_values(text: str, value: Pattern | Number) -> None:
    assert condition(f"[tag:a{text}]").value == value


NOT_NUMBERS = [
    "1e5",
    "+5",
    ".5",
    "5.",
    "--5",
    "1_000",
    "0x1f",
    "inf",
    "nan",
    "-inf",
    "١٢",
    "५",
    "5kk",
    "5 kB",
    "5PB",
    "5K",
    "5iB",
    "-",
    "5,0",
    "1.2.3",
]


@pytest.mark.parametrize(
    "written", ["0", "00", "007", "-0", "1.50", "12b", "3Kb", "3KIB", "1TiB", "9" * 5000, "0." + "0" * 5000]
)
def test_numbers(written: str) -> None:
    assert condition(f"[hdr:content-length<{written}]").value == Number(written)
    assert condition(f"[hdr:content-length={written}]").value == Number(written)
    assert condition(f"[md:a>{written}]").value == Number(written)
    assert condition(f"[md:a={written}]").value == p(written)


@pytest.mark.parametrize("written", [*NOT_NUMBERS, "'5'", "5''", r"\5", "''"])
def test_no_numbers(written: str) -> None:
    quoted = written.replace(" ", r"\ ")
    assert isinstance(condition(f"[md:a<{quoted}]").value, Pattern)
    with pytest.raises(FilterError) as refused:
        parse(f"b/k[hdr:content-length<{quoted}]")
    assert refused.value.column == 24
    assert refused.value.what == "content-length is compared with a number, such as 100, 64kB or 1GiB"


@pytest.mark.parametrize(
    "written",
    ["1\u212ab", "1K\u0131B", "1M\u0130B"],
)
def test_units_are_ascii(written: str) -> None:
    assert condition(f"[md:a<{written}]").value == p(written)


@pytest.mark.parametrize("written", ["'a'*", "''*", "'a'?", "'a*'*", "\"a\"*'b'"])
def test_wildcards_outside_of_quotes_of_a_value(written: str) -> None:
    with pytest.raises(FilterError):
        parse(f"a/b[tag:c={written}]")


@pytest.mark.parametrize(
    ("written", "expected"), [("a'*'", p("a", STAR)), ("a'[b]'", p("a", OneOf((("b", "b"),)))), (r"\a'?'", p("a", ONE))]
)
def test_wildcards_in_quotes_behind_what_is_not(written: str, expected: Pattern) -> None:
    assert condition(f"[tag:c={written}]").value == expected


def test_a_long_filter() -> None:
    """A thousand conditions, a key of 1,024 characters, and many stars."""
    found = one("a/" + "*?" * 512 + "[tag:b]" * 1000)
    assert found.key == p(*(STAR, ONE) * 512)
    assert found.of_object == (Condition(Kind.TAG, "b"),) * 1000


def test_ten_thousand_filters() -> None:
    text = "\n".join(f"bucket-{number}/'key {number}'*[tag:n={number}]" for number in range(10_000))
    found = parse(text)
    assert len(found) == 10_000
    assert found[9_999] == one("bucket-9999/'key 9999'*[tag:n=9999]")


@pytest.mark.parametrize("characters", ["".join(map(chr, range(32))), "\x7f", "\x85", "\x80\x9b\x9f"])
def test_control_characters_need_quotes(characters: str) -> None:
    for character, text in itertools.product(characters, ("a{}b/c", "a/b{}c", "a/b[tag:c{}d]", "a/b[tag:c=d{}e]")):
        assert unicodedata.category(character) == "Cc"
        quoted = parse(text.format(f"'{character}'"))
        assert quoted == parse(text.format(f"\\{character}"))
        with contextlib.suppress(FilterError):
            assert parse(text.format(character)) != quoted, repr(character)
