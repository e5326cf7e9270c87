"""Which texts a pattern fits, and that none takes for ever."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.filters import slow_evaluator

from s3d.filters.parse import parse
from s3d.filters.patterns import ALL, OneOf, Part, Pattern, Wild, compiled, pattern

STAR, ONE = Wild.ANY, Wild.ONE


def fits(written: str, text: str) -> bool:
    """As the bucket and as the key."""
    (one,) = parse(f"{written}/{written}")
    assert one.key == one.bucket
    return bool(compiled(one.bucket)(text))


@pytest.mark.parametrize(
    ("written", "yes", "no"),
    [
        ("''", [""], [" ", "a", "\n"]),
        ("a", ["a"], ["", "aa", "A", "a\n", " a", "ab", "ba"]),
        ("a.b", ["a.b"], ["axb", "a..b"]),
        ("*", ["", "a", "a/b", "\n", "a\nb", "\udcff\x00"], []),
        ("a*", ["a", "ab", "a/b", "a\n", "a*"], ["", "b", "ba", "A"]),
        ("*a", ["a", "ba", "/a", "\na", "aa"], ["", "ab", "a\n"]),
        ("*a*", ["a", "bab", "\na\n"], ["", "b"]),
        ("a*a", ["aa", "aaa", "a\na"], ["a", "ab", "aab", "baa"]),
        ("a*b*c", ["abc", "aXbYc", "abbcc", "abcbc"], ["ac", "acb", "abcd", "bc"]),
        ("*ab*ab*", ["abab", "aababb"], ["ab", "aba", "aab"]),
        ("*aab", ["aab", "aaab", "aaaab"], ["ab", "aaba"]),
        ("*a*aab", ["aaab", "aaaab", "abaab"], ["aab", "aaba"]),
        ("?", ["a", "\n", "*", "\udcff", "😀", "/"], ["", "ab"]),
        ("a?c", ["abc", "a\nc", "a?c"], ["ac", "abbc"]),
        ("??", ["ab"], ["a", "abc"]),
        ("*?", ["a", "ab"], [""]),
        ("?*", ["a", "ab", "\n\n"], [""]),
        ("*?*?*", ["ab", "abc"], ["", "a"]),
        ("a*?b", ["axb", "abb", "axxb"], ["ab", "b"]),
        ("'[a-c]'", ["a", "b", "c"], ["", "d", "A", "-", "ab", "a\n"]),
        ("'[!a-c]'", ["d", "-", "\n", "\udcff", "!", "^", "/"], ["", "a", "b", "c", "dd"]),
        ("'[^a]'", ["b", "^", "!"], ["a", ""]),
        ("'[a^!]'", ["a", "^", "!"], ["b"]),
        ("'[.]'", ["."], ["a"]),
        (r"'[\d]'", ["d"], ["1", "\\"]),
        (r"'[\\]'", ["\\"], ["a", ""]),
        (r"'[\]]'", ["]"], ["\\"]),
        ("'[]]'", ["]"], ["[", ""]),
        ("'[[]'", ["["], ["]"]),
        ("'[a-]'", ["a", "-"], ["b", "]"]),
        ("'[+--]'", ["+", ",", "-"], ["*", "."]),
        ("'[&&~~||[[-]'", ["&", "~", "|", "-", "["], ["]", "a"]),
        ("'[ -~]'", [" ", "~", "a", "^", "]", "\\"], ["\n", "é", "\x7f"]),
        ("'[\udc80-\udcff]'", ["\udc80", "\udcff"], ["a", "é", "\ue000"]),
        ("'[\x00-\x1f]'", ["\x00", "\n", "\x1f"], [" "]),
        ("'[à-ü]'", ["é", "ü"], ["e", "É"]),
        ("*'[0-9]'*.log", ["0.log", "a0b.log"], ["a.log", "0log"]),
        ("'a b'*", ["a b", "a bc"], ["a  b"]),
        (r"\**", ["*", "*a"], ["", "a"]),
        (r"a\?", ["a?"], ["ab", "a"]),
        ("$^.+|(){}", ["$^.+|(){}"], ["", "$", "x"]),
        ("*$", ["$", "a$"], ["", "a"]),
        ("x*(a|b)+", ["x(a|b)+"], ["xa", "x"]),
        ("'#'*'\n'", ["#\n", "# \n"], ["#", "#\n\n "]),
        ("\udcff*", ["\udcff", "\udcff\udcfe"], ["ÿ", "", "a\udcff"]),
        ("*'\x00'*", ["\x00", "a\x00b"], ["", "0"]),
        ("é", ["é"], ["e\u0301", "É", "Ã©"]),
        ("ß*", ["ß", "ßs"], ["ss", "SS"]),
    ],
)
def test_texts_that_fit(written: str, yes: list[str], no: list[str]) -> None:
    assert [text for text in yes if not fits(written, text)] == []
    assert [text for text in no if fits(written, text)] == []


def test_every_short_pattern_on_every_short_text() -> None:
    """All patterns of up to four of these pieces, on all texts of up to four of these characters."""
    texts = ["".join(text) for length in range(5) for text in itertools.product("ab", repeat=length)]
    for length in range(1, 5):
        for pieces in itertools.product(("a", "b", "*", "?", "'[!a]'"), repeat=length):
            written = "".join(pieces)
            function = compiled(parse(written)[0].bucket)
            expected = slow_evaluator.pieces(written)
            found = [text for text in texts if function(text)]
            assert found == [text for text in texts if slow_evaluator.glob(expected, text)], written


PARTS = st.one_of(
    st.text("ab-]^\\.[*\n\udcff", min_size=1, max_size=3),
    st.sampled_from(Wild),
    st.builds(
        OneOf,
        st.lists(
            st.lists(st.sampled_from("ab-]^\\&~!\n"), min_size=2, max_size=2).map(sorted).map(tuple),
            min_size=1,
            max_size=3,
        ).map(tuple),
        st.booleans(),
    ),
)


@settings(max_examples=500, deadline=None)
@given(st.lists(PARTS, max_size=5), st.lists(st.text("ab-]^\\.[*\n&~!", max_size=5), min_size=3, max_size=3))
def test_generated(parts: list[Part], texts: list[str]) -> None:
    def piece(part: Part) -> list[slow_evaluator.Piece]:
        if isinstance(part, str):
            return [c.__eq__ for c in part]
        if part is STAR:
            return [None]
        if isinstance(part, OneOf):
            return [lambda c: any(low <= c <= high for low, high in part.ranges) != part.inverted]
        return [lambda _c: True]

    pieces = [one for part in parts for one in piece(part)]
    for text in [*texts, "".join(part for part in parts if isinstance(part, str))]:
        assert bool(compiled(pattern(parts))(text)) == slow_evaluator.glob(pieces, text)


@pytest.mark.parametrize(
    ("parts", "joined"),
    [
        ([], ()),
        (["", ""], ()),
        (["a", "b", "", "c"], ("abc",)),
        ([STAR, STAR, "", STAR], (STAR,)),
        ([ONE, ONE], (ONE, ONE)),
        ([STAR, ONE, STAR], (STAR, ONE, STAR)),
        ([STAR, "", "a", "", "b", STAR], (STAR, "ab", STAR)),
        ([OneOf((("a", "a"),)), OneOf((("a", "a"),))], (OneOf((("a", "a"),)), OneOf((("a", "a"),)))),
    ],
)
def test_what_can_be_joined_is(parts: list[Part], joined: tuple[Part, ...]) -> None:
    assert pattern(parts) == Pattern(joined)


@pytest.mark.parametrize(
    ("wanted", "is_text", "text"),
    [
        (Pattern(()), True, ""),
        (Pattern(("a",)), True, "a"),
        (ALL, False, ""),
        (Pattern(("a", ONE, "b")), False, "ab"),
        (Pattern((OneOf((("a", "a"),)),)), False, ""),
    ],
)
def test_text_of_a_pattern(wanted: Pattern, is_text: bool, text: str) -> None:
    assert (wanted.is_text, wanted.text) == (is_text, text)


LONG = "a" * 1023


@pytest.mark.parametrize("stars", [2, 10, 100, 500])
@pytest.mark.parametrize("piece", ["a", "?", "'[ab]'", "'[!b]'", "aa?"])
def test_many_stars(stars: int, piece: str) -> None:
    """With backtracking between stars ten of them would take longer than the age of the universe."""
    written = f"*{piece}" * stars
    smallest = len(piece) if piece in ("a", "?", "aa?") else 1
    assert fits(f"{written}*", LONG) == (smallest * stars <= len(LONG))
    assert not fits(f"{written}*c", LONG)
    assert not fits(f"{written}*c*", LONG)
    assert not fits(f"{written}c", LONG)
    assert not fits(f"c{written}", LONG)
    assert fits(f"{written}*c", f"{LONG}c") == (smallest * stars <= len(LONG))


@pytest.mark.parametrize(
    "written", ["*a" * 512 + "*", "*?" * 512, "?*" * 512 + "?", "*'[a-z]'" * 512, "?" * 1024, "'[!b]'" * 1024]
)
def test_long_patterns(written: str) -> None:
    assert fits(written, "a" * 1024)
    assert not fits(f"{written}b", "a" * 1024)


@pytest.mark.parametrize("half", [256, 512])
def test_pieces_as_long_as_half_of_the_key(half: int) -> None:
    piece = "a" * half
    assert fits(f"*{piece}*{piece}*", "a" * half * 2)
    assert not fits(f"*{piece}*{piece}?*", "a" * half * 2)
    assert not fits(f"*{piece}b*{piece}", "a" * 1024)
