"""What filters say of objects: each condition with each operator, what is not known, and several filters together."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import pytest

from s3d.filters.facts import Facts
from s3d.filters.match import Filters, Reason
from s3d.filters.parse import FilterError, parse

OBJECT = Facts("b", "k")


def ask(text: str, facts: Facts = OBJECT) -> bool | None:
    answer = Filters.of(text).matches(facts)
    assert answer is None or type(answer) is bool
    return answer


def holding(kind: str, values: Mapping[str, str]) -> Facts:
    """An object of whose tags, headers, ... these are known, and nothing of the others."""
    return {
        "tag": Facts("b", "k", tags=values),
        "hdr": Facts("b", "k", headers=values),
        "md": Facts("b", "k", metadata=values),
        "bucket": Facts("b", "k", bucket_tags=values),
    }[kind]


def text_of(kind: str, test: str) -> str:
    return f"b[tag:{test}]" if kind == "bucket" else f"b/k[{kind}:{test}]"


KINDS = ("tag", "hdr", "md", "bucket")
VALUES = [  # at the object; None: there is none
    # test           fits                                   does not
    ("", ["", "x", "0"], [None]),
    ("=x", ["x"], [None, "", "X", "xx", " x", "x\n"]),
    ("!=x", [None, "", "X", "xx", "x "], ["x"]),
    ("=''", [""], [None, " ", "''"]),
    ("!=''", [None, " "], [""]),
    ("='x*'", ["x", "xy", "x/y\n"], [None, "", "ax", "X"]),
    ("!='x*'", [None, "", "ax"], ["x", "xy"]),
    ("='*'", ["", "x"], [None]),
    ("!='*'", [None], ["", "x"]),
    ("='?'", ["x", "\n", "\udcff"], [None, "", "xy"]),
    ("='[a-c][!x]'", ["ab", "c\n"], [None, "ax", "db", "a", "abc"]),
    ("=5", ["5"], [None, "5.0", "05", " 5", "5B"]),
    ("!=5", [None, "5.0", "05"], ["5"]),
    ("=5kB", ["5kB"], [None, "5000", "5kb"]),
    (r"=\*", ["*"], [None, "x"]),
    ("<m", ["", "a", "M", "lzz", "5"], [None, "m", "ma", "n", "é", "\udcff"]),
    ("<=m", ["", "m", "lzz"], [None, "ma", "n"]),
    (">m", ["ma", "n", "é", "\udcff", "😀"], [None, "", "m", "M", "l"]),
    (">=m", ["m", "ma"], [None, "", "M", "lzz"]),
    ("<''", [], [None, "", "a"]),
    (">=''", ["", "a"], [None]),
    (">''", ["a", "\x00"], [None, ""]),
    (">é", ["ê", "\u0100", "\udcff"], [None, "e", "z", "é"]),
    ("<2026-02", ["2026-01-31", "2026", "2025-12-31"], [None, "2026-02", "2026-02-01", "2027"]),
    ("<'10'", ["0", "1", "0999"], [None, "10", "2", "9", "100"]),
    ("<10x", ["10", "1"], [None, "2", "9"]),
    ("<10", ["9", "9.999", "09", "-11", "0", "-0", "1.5", "00"], [None, "", "10", "10.0", "010", "x", "1e0", "1B"]),
    ("<=10", ["10", "10.000", "9"], [None, "", "10.001", "11", " 10", "10 ", "10\n", "+10", "10."]),
    (">10", ["10.1", "11", "1" * 5000], [None, "", "10", "9", "-11", "1e5", "inf", "nan", "a", "11B", "0x11", "1_1"]),
    (">=10", ["10", "10.0", "11"], [None, "", "9.9", "١٢", "12\u0661", "११", "infinity", "1,1", "11\x00", "--11"]),
    (">-5", ["-4.9", "0", "-0", "5"], [None, "", "-5", "-6", "+5", ".5", "- 4"]),
    ("<-0.5", ["-1", "-0.51"], [None, "0", "-0.5", "-.6"]),
    (">=2kB", ["2000", "2048", "2000.0"], [None, "1999", "2kB", "3MB"]),
    (">=2KiB", ["2048"], [None, "2047.9", "2000"]),
    (">9007199254740992", ["9007199254740993", "9007199254740992.1"], [None, "9007199254740992"]),
    ("<" + "9" * 400, ["9" * 399 + "8", "1"], [None, "9" * 400, "1" + "0" * 400]),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("test", "yes", "no"), VALUES)
def test_values(kind: str, test: str, yes: list[str | None], no: list[str | None]) -> None:
    filters = Filters.of(text_of(kind, f"a{test}"))
    for value in [*yes, *no]:
        held = {"b": "x", "A": "x"} | ({} if value is None else {"a": value})
        assert filters.matches(holding(kind, held)) is (value in yes), value


@pytest.mark.parametrize("kind", ["tag", "bucket"])
@pytest.mark.parametrize("test", [test for test, _, _ in VALUES])
def test_tags_that_are_not_known(kind: str, test: str) -> None:
    unknown = (
        Facts("b", "k", tags=None, bucket_tags={"a": "x"})
        if kind == "tag"
        else Facts("b", "k", tags={"a": "x"}, bucket_tags=None)
    )
    text = text_of(kind, f"a{test}")
    assert ask(text, unknown) is None
    assert ask(f"!{text}", unknown) is None
    assert ask(text.replace("b", "c", 1), unknown) is False


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("operator", ["=", "!=", "<", "<=", ">", ">="])
def test_each_is_looked_for_where_it_is(kind: str, operator: str) -> None:
    everywhere = {"a": "m"}
    for other in KINDS:
        if other != kind:
            assert ask(text_of(kind, "a"), holding(other, everywhere)) is False
            assert ask(text_of(kind, f"a{operator}m"), holding(other, everywhere)) is (operator == "!=")


@pytest.mark.parametrize(
    ("text", "facts", "expected"),
    [
        ("*/*[tag:Ab]", Facts("b", "k", tags={"Ab": ""}), True),
        ("*/*[tag:Ab]", Facts("b", "k", tags={"ab": "", "AB": ""}), False),
        ("*/*[hdr:Content-TYPE=a]", Facts("b", "k", headers={"content-type": "a"}), True),
        ("*/*[md:ABC=a]", Facts("b", "k", metadata={"abc": "a"}), True),
        ("*/*[md:abc=A]", Facts("b", "k", metadata={"abc": "a"}), False),
        ("*/*[md:content-length=5]", Facts("b", "k", 5), False),
        ("*/*[md:content-length=5]", Facts("b", "k", metadata={"content-length": "5"}), True),
        ("*/*[tag:content-length='5']", Facts("b", "k", tags={"content-length": "5"}), True),
        ("*/*[hdr:x-anything]", Facts("b", "k"), False),
        ("*/*[hdr:x-anything!=a]", Facts("b", "k"), True),
    ],
)
def test_names(text: str, facts: Facts, expected: bool) -> None:
    assert ask(text, facts) is expected


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 5 * 1024**4, 2**63])
def test_length(size: int) -> None:
    facts = Facts("b", "k", size, {"content-length": "77"})
    assert ask("b/k[hdr:content-length]", facts) is True
    assert ask("b/k[hdr:Content-Length=100]", facts) is (size == 100)
    assert ask("b/k[hdr:content-length!=100]", facts) is (size != 100)
    assert ask("b/k[hdr:content-length<100]", facts) is (size < 100)
    assert ask("b/k[hdr:content-length<=100.0]", facts) is (size <= 100)
    assert ask("b/k[hdr:content-length>0.1kB]", facts) is (size > 100)
    assert ask("b/k[hdr:content-length>=100B]", facts) is (size >= 100)
    assert ask("b/k[hdr:content-length<=5TiB]", facts) is (size <= 5 * 1024**4)
    assert ask("b/k[hdr:content-length>99.5]", facts) is (size >= 100)
    assert ask("b/k[hdr:content-length>-1]", facts) is True


@pytest.mark.parametrize(
    ("text", "size"),
    [("1.005kB", 1005), ("4.35kB", 4350), ("0.000001MB", 1), ("9007199254740993", 9007199254740993), ("0.5KiB", 512)],
)
def test_length_is_compared_exactly(text: str, size: int) -> None:
    for more in (-1, 0, 1):
        facts = Facts("b", "k", size + more)
        assert ask(f"b/k[hdr:content-length={text}]", facts) is (more == 0)
        assert ask(f"b/k[hdr:content-length<={text}]", facts) is (more <= 0)
        assert ask(f"b/k[hdr:content-length>{text}]", facts) is (more > 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        (" \n ", True),
        ("b", True),
        ("c", False),
        ("b/k", True),
        ("b/x", False),
        ("b/''", False),
        ("c b", True),
        ("b/x b/k", True),
        ("c d", False),
        ("!b", False),
        ("!c", True),
        ("!c !d", True),
        ("!c !b", False),
        ("b !c", True),
        ("!c b", True),
        ("b !b/k", False),
        ("!b/k b", False),
        ("b !b/x", True),
        ("c !d", False),
        ("c !b", False),
        ("b !b b", False),
        ("*", True),
        ("!*", False),
        ("* !*", False),
    ],
)
def test_several_filters(text: str, expected: bool) -> None:
    assert ask(text) is expected
    assert Filters(parse(text)).matches(OBJECT) is expected


# Filters that fit, do not, and depend on the tags of the object or the bucket.
YES, NO, OWN, BUCKETS = "b", "c", "b/k[tag:a]", "b[tag:a]"
UNKNOWN = Facts("b", "k", tags=None, bucket_tags=None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (OWN, None),
        (BUCKETS, None),
        (f"{OWN} {NO}", None),
        (f"{NO} {BUCKETS}", None),
        (f"{OWN} {YES}", True),
        (f"{YES} {BUCKETS}", True),
        (f"!{OWN}", None),
        (f"!{OWN} !{NO}", None),
        (f"!{OWN} !{YES}", False),
        (f"!{YES} !{BUCKETS}", False),
        (f"{YES} !{OWN}", None),
        (f"{NO} !{OWN}", False),
        (f"{OWN} !{OWN}", None),
        (f"{OWN} !{NO}", None),
        (f"{OWN} !{YES}", False),
        (f"{OWN} {YES} !{BUCKETS} !{NO}", None),
        ("b/k[tag:a][hdr:content-length>0]", False),
        ("b/k[hdr:content-length>0][tag:a]", False),
        ("b/k[tag:a][hdr:content-length]", None),
        ("b[tag:a]/x", False),
        ("b[tag:a]/k[md:a]", False),
        ("b[tag:a]/k[md:a!=x]", None),
        ("b/k[tag:a!=x]", None),
        ("b/k[tag:a][tag:b]", None),
    ],
)
def test_what_is_not_known(text: str, expected: bool | None) -> None:
    assert ask(text, UNKNOWN) is expected


def test_it_is_not_known_only_if_it_depends_on_it() -> None:
    """All sets of up to three of them: the answer with unknown tags is the one that every tagging gives, or None."""
    parts = [YES, NO, OWN, BUCKETS]
    parts += [f"!{part}" for part in parts]
    taggings = [Facts("b", "k", tags=own, bucket_tags=of) for own in ({}, {"a": ""}) for of in ({}, {"a": ""})]
    for length in range(4):
        for chosen in itertools.permutations(parts, length):
            filters = Filters.of(" ".join(chosen))
            possible = {filters.matches(one) for one in taggings}
            found = filters.matches(UNKNOWN)
            if found is None:
                assert any(OWN in part or BUCKETS in part for part in chosen)
            else:
                assert possible == {found}
            if len(possible) > 1:
                assert found is None


@pytest.mark.parametrize("order", list(itertools.permutations(["b/*[tag:a]", "b/k*", "!b/*[tag:x]", "!c"])))
def test_the_order_does_not_matter(order: tuple[str, ...]) -> None:
    filters = Filters.of(" ".join(order))
    expected = {"k": True, "x": False}
    for key, tags in itertools.product(("k", "x"), (None, {}, {"a": ""}, {"x": ""}, {"a": "", "x": ""})):
        facts = Facts("b", key, tags=tags)
        if tags is None:
            assert filters.matches(facts) is None
        else:
            assert filters.matches(facts) is ((expected[key] or "a" in tags) and "x" not in tags)


@pytest.mark.parametrize(
    ("text", "tags", "bucket_tags"),
    [
        ("", False, False),
        ("b/k[hdr:a][md:b]", False, False),
        ("b/k[tag:a]", True, False),
        ("b[tag:a]", False, True),
        ("b[tag:a]/k[tag:b]", True, True),
        ("a !b/k[md:x][tag:a]", True, False),
        ("a !b[tag:a]", False, True),
    ],
)
def test_what_is_needed(text: str, tags: bool, bucket_tags: bool) -> None:
    filters = Filters.of(text)
    assert (filters.needs_tags, filters.needs_bucket_tags) == (tags, bucket_tags)


def test_refused_and_printed() -> None:
    with pytest.raises(FilterError):
        Filters.of("b/")
    assert str(Filters.of(" b\n'!c' ")) == r"b '!c'"


@pytest.mark.parametrize(
    ("text", "facts", "expected"),
    [
        ("b/k", OBJECT, (True, None)),
        ("c/k", OBJECT, (False, "bucket c")),
        ("c/x", OBJECT, (False, "bucket c")),
        ("b/'x y'", OBJECT, (False, "key 'x y'")),
        ("b[tag:a=1]/x", OBJECT, (False, "bucket [tag:a=1]")),
        ("b/k[md:a][tag:b]", Facts("b", "k", metadata={"a": ""}), (False, "object [tag:b]")),
        ("b/k[hdr:content-length<5]", Facts("b", "k", 5), (False, "object [hdr:content-length<5]")),
        ("b/k[tag:a]", UNKNOWN, (None, "object [tag:a]")),
        ("b[tag:a]/k[tag:b]", UNKNOWN, (None, "bucket [tag:a]")),
        ("b[tag:a]/k[md:b]", UNKNOWN, (False, "object [md:b]")),
        ("!c", OBJECT, (False, "bucket c")),
        ("!b", OBJECT, (True, None)),
    ],
)
def test_explained(text: str, facts: Facts, expected: tuple[bool | None, str | None]) -> None:
    assert Filters.of(text).explained(facts) == [Reason(text, *expected)]


def test_explained_in_their_order() -> None:
    found = Filters.of("c !b/k b[tag:a]").explained(Facts("b", "k", bucket_tags=None))
    assert found == [Reason("c", False, "bucket c"), Reason("!b/k", True), Reason("b[tag:a]", None, "bucket [tag:a]")]
    assert Filters.of("").explained(OBJECT) == []


def test_ten_thousand_filters() -> None:
    text = "\n".join(f"b/'key {number}'*[tag:n={number}]" for number in range(10_000))
    filters = Filters.of(f"{text} !b/*[tag:no]")
    assert filters.matches(Facts("b", "key 9999/a", tags={"n": "9999"})) is True
    assert filters.matches(Facts("b", "key 9999/a", tags={"n": "9998"})) is False
    assert filters.matches(Facts("b", "key 0", tags={"n": "0", "no": ""})) is False
    assert filters.matches(Facts("b", "key 0", tags=None)) is None


@pytest.mark.parametrize(
    "key", ["\udcff\udcfe", "a\x00b", "\x00", "\n", "\u2028", "é", "'", "[x]", "a b", "\\", "!", "😀"]
)
def test_opaque_keys(key: str) -> None:
    """Keys are bytes, shown with surrogateescape. Each fits itself and what is open, and nothing near to it."""
    quoted = "".join(f"\\{character}" for character in key)
    for text in (quoted, f"{quoted}*", f"*{quoted}", f"*{quoted}*", "?" * len(key), f"*{'?' * len(key)}*"):
        assert ask(f"b/{text}", Facts("b", key)) is True, text
        assert ask(f"b/{text}", Facts("b", "")) is False, text
    assert ask(f"b/{quoted}", Facts("b", key + "\n")) is False
    assert ask(f"b/{quoted}?", Facts("b", key)) is False
