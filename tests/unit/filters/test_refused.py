"""What is refused, in which words, and the column: on the first line and on others."""

from __future__ import annotations

import pytest

from s3d.filters.parse import FilterError, parse

# The place is where "▲" stands; the text is what is left without it.
REFUSED = [
    ("a▲]", "']' does not belong here: a filter ends with a space"),
    ("a▲!b", "'!' does not belong here: a filter ends with a space"),
    ("a[tag:b]▲c", "'c' does not belong here: a filter ends with a space"),
    ("a[tag:b]▲'c'", '"\'" does not belong here: a filter ends with a space'),
    ("a/b▲]", "']' does not belong here: a filter ends with a space"),
    ("a/*[tag:b]▲/c", "'/' does not belong here: a filter ends with a space"),
    ("a/*[tag:b]▲*", "'*' does not belong here: a filter ends with a space"),
    ("▲/a", "a bucket is missing"),
    ("▲[tag:a]", "a bucket is missing"),
    ("!▲", "a bucket is missing"),
    ("!▲ a", "a bucket is missing"),
    ("!▲!a", "a bucket is missing"),
    ("!▲/a", "a bucket is missing"),
    ("a/▲", "a key behind '/' (without '/' all keys are meant) is missing"),
    ("a/▲ b", "a key behind '/' (without '/' all keys are meant) is missing"),
    ("a/▲[tag:b]", "a key behind '/' (without '/' all keys are meant) is missing"),
    ("▲\x00", "a bucket is missing"),
    ("a▲\x7f", "'\\x7f' does not belong here: a filter ends with a space"),
    ("a/b▲\x01", "'\\x01' does not belong here: a filter ends with a space"),
    ("a/b[tag:c▲\x1b]", "'\\x1b' does not belong here: ']' is missing, or one of = != < <= > >="),
    ("a/b[tag:c=▲\x00]", "a value ('' is the empty one) is missing"),
    ("a[▲", "a condition begins with tag:, hdr: or md:"),
    ("a[▲]", "a condition begins with tag:, hdr: or md:"),
    ("a[▲tag]", "a condition begins with tag:, hdr: or md:"),
    ("a/b[▲TAG:a]", "a condition begins with tag:, hdr: or md:"),
    ("a/b[▲ tag:a]", "a condition begins with tag:, hdr: or md:"),
    ("a/b[▲header:c]", "a condition begins with tag:, hdr: or md:"),
    ("a[▲hdr:b]", "a bucket has tags only; of its objects: BUCKET/*[hdr:...]"),
    ("a[tag:x][▲md:b]/c", "a bucket has tags only; of its objects: BUCKET/*[md:...]"),
    ("a/b[tag:▲", "a name is missing"),
    ("a/b[tag:▲]", "a name is missing"),
    ("a/b[tag:▲=c]", "a name is missing"),
    ("a/b[tag:▲ c]", "a name is missing"),
    ("a/b[tag:▲'']", "a name is missing"),
    ("a/b[tag:▲b*]", "a name is no pattern: write \\* for a *"),
    ("a/b[tag:▲'b?']", "a name is no pattern: write \\* for a *"),
    ("a/b[md:▲'[bc]'=d]", "a name is no pattern: write \\* for a *"),
    ("a/b[hdr:▲X-Amz-Meta-Taken]", "user metadata is md:taken"),
    ("a/b[md:▲X-Amz-Meta-Taken]", "user metadata is md:taken"),
    ("a/b[md:▲'x-amz-meta-']", "user metadata is md:"),
    ("a/b[hdr:▲x-amz-tagging=c]", "tags are tag:NAME"),
    ("a/b[tag:c▲", "']' is missing"),
    ("a/b[tag:c=d▲", "']' is missing"),
    ("a/b[tag:c=5▲", "']' is missing"),
    ("a/b[tag:c▲ ]", "' ' does not belong here: ']' is missing, or one of = != < <= > >="),
    ("a/b[tag:c▲!d]", "'!' does not belong here: ']' is missing, or one of = != < <= > >="),
    ("a/b[tag:c▲[tag:d]", "'[' does not belong here: ']' is missing, or one of = != < <= > >="),
    ("a/b[tag:c=d▲ ]", "' ' does not belong here: ']' is missing"),
    ("a/b[tag:c=d▲=e]", "'=' does not belong here: ']' is missing"),
    ("a/b[tag:c=d▲[tag:e]", "'[' does not belong here: ']' is missing"),
    ("a/b[tag:c<5▲<6]", "'<' does not belong here: ']' is missing"),
    ("a/b[tag:c=▲]", "a value ('' is the empty one) is missing"),
    ("a/b[tag:c=▲", "a value ('' is the empty one) is missing"),
    ("a/b[tag:c=▲ d]", "a value ('' is the empty one) is missing"),
    ("a/b[tag:c=▲=d]", "a value ('' is the empty one) is missing"),
    ("a/b[tag:c=▲<d]", "a value ('' is the empty one) is missing"),
    ("a/b[tag:c<▲>d]", "a value ('' is the empty one) is missing"),
    ("a/b[tag:c!=▲!d]", "a value ('' is the empty one) is missing"),
    ("a/b[tag:c=▲*]", "a value with * or ? is written in quotes"),
    ("a/b[tag:c!=▲?]", "a value with * or ? is written in quotes"),
    ("a/b[tag:c='*'▲*]", "a value with * or ? is written in quotes"),
    ("a/b[tag:c=d▲?'*']", "a value with * or ? is written in quotes"),
    ("a/b[hdr:content-length=▲c]", "content-length is compared with a number, such as 100, 64kB or 1GiB"),
    ("a/b[hdr:Content-Length<▲'5*']", "content-length is compared with a number, such as 100, 64kB or 1GiB"),
    ("a/b[tag:c<▲'d*']", "< compares with a text or a number, not with a pattern"),
    ("a/b[tag:c>=▲'[de]']", ">= compares with a text or a number, not with a pattern"),
    ("▲'a", "this ' has no end"),
    ("a▲'", "this ' has no end"),
    ("a▲\"b'", 'this " has no end'),
    ("'a'▲'b\\'", "this ' has no end"),
    ("a/b[tag:▲'c]", "this ' has no end"),
    ("a/b[tag:c=▲'d]", "this ' has no end"),
    ("'▲[", "this set of characters has no end: write \\[ for a ["),
    ("'▲[!", "this set of characters has no end: write \\[ for a ["),
    ("'a▲[]'", "this set of characters has no end: write \\[ for a ["),
    ("'▲[^]'", "this set of characters has no end: write \\[ for a ["),
    ("'▲[a'", "this set of characters has no end: write \\[ for a ["),
    ("'▲[a-", "this set of characters has no end: write \\[ for a ["),
    ("a/b[tag:c=▲'[d']", "this ' has no end"),
    ("'[▲b-a]'", "b-a is no range: a comes before b"),
    ("'[x▲z-a]'", "z-a is no range: a comes before z"),
    ("'[!▲ -\x00]'", " -\x00 is no range: \x00 comes before  "),
    ("▲\\", "nothing follows the \\"),
    ("a/b▲\\", "nothing follows the \\"),
    ("'a▲\\", "nothing follows the \\"),
    ("'[▲\\", "nothing follows the \\"),
    ("'[a-▲\\", "nothing follows the \\"),
    ("a/b[tag:c=d▲\\", "nothing follows the \\"),
]


def refused(marked: str) -> FilterError:
    with pytest.raises(FilterError) as error:
        parse(marked.replace("▲", ""))
    assert error.value.text == marked.replace("▲", "")
    return error.value


@pytest.mark.parametrize(("marked", "what"), REFUSED)
def test_refused_where_it_goes_wrong(marked: str, what: str) -> None:
    error = refused(marked)
    assert (error.what, error.column) == (what, marked.index("▲") + 1)
    assert str(error) == f"column {error.column}: {what}"
    assert isinstance(error, ValueError)


@pytest.mark.parametrize(
    "before", ["a ", " \t", "é😀/\udcff ", "'\x00\u2028'\u2003", "!a/b[tag:c='d'][hdr:content-length<5] "]
)
@pytest.mark.parametrize(("marked", "what"), REFUSED)
def test_refused_behind_other_filters(marked: str, what: str, before: str) -> None:
    error = refused(before + marked)
    assert (error.what, error.column) == (what, len(before) + marked.index("▲") + 1)
    assert str(error) == f"column {error.column}: {what}"
    line, mark = error.pointed().split("\n")
    assert line == (before + marked).replace("\t", " ").replace("▲", "")
    assert mark == " " * (error.column - 1) + "^"


@pytest.mark.parametrize(
    ("before", "number"), [("\n", 2), ("a/b\n", 2), ("a\r\n", 2), ("a\n\n\tb ", 3), ("'a\nb'\n!c\n", 4), ("a\\\n ", 2)]
)
@pytest.mark.parametrize(("marked", "what"), REFUSED)
def test_refused_on_another_line(marked: str, what: str, before: str, number: int) -> None:
    error = refused(before + marked)
    assert (error.what, error.column) == (what, len(before) + marked.index("▲") + 1)
    start = before.rpartition("\n")[2] + marked.partition("▲")[0]
    assert str(error) == f"line {number}, column {len(start) + 1}: {what}"
    assert error.pointed() == f"{start.replace(chr(9), ' ')}{marked.partition('▲')[2]}\n{' ' * len(start)}^"


def test_refused_on_the_first_of_several_lines() -> None:
    error = refused("a/b▲]\t\nc\n")
    assert str(error) == "line 1, column 4: ']' does not belong here: a filter ends with a space"
    assert error.pointed() == "a/b] \n   ^"


def test_line_break_at_the_end_is_no_second_line() -> None:
    assert str(refused("a/b▲]\n")) == "column 4: ']' does not belong here: a filter ends with a space"
    error = refused("a/b[tag:▲\n\n")
    assert str(error) == "column 9: a name is missing"
    assert error.pointed() == "a/b[tag:\n        ^"


def test_refused_behind_the_last_line_break() -> None:
    assert str(refused("a/b[tag:c\\\n▲")) == "line 2, column 1: ']' is missing"


def test_refused_on_the_last_of_ten_thousand_lines() -> None:
    text = "a/b[tag:c]\n" * 9_999
    error = refused(f"{text}▲/")
    assert (error.column, str(error)) == (len(text) + 1, "line 10000, column 1: a bucket is missing")
    assert error.pointed() == "/\n^"
