"""docs/filters.md says what is so: its examples, lists and grammar are taken out of the document itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from unit.filters import slow_evaluator

from s3d.filters.facts import Facts
from s3d.filters.language import Kind, Operator
from s3d.filters.match import Filters
from s3d.filters.parse import FilterError, parse

DOCUMENT = (Path(__file__).resolve().parents[3] / "docs" / "filters.md").read_text()
LANGUAGE = DOCUMENT.partition("## The language")[2].partition("\n## ")[0]
BLOCKS = re.findall(r"^```\n(.*?)^```$", LANGUAGE, re.MULTILINE | re.DOTALL)
EXAMPLES = {meaning: text for text, meaning in (re.split(r"\s{2,}", line) for line in BLOCKS[0].splitlines())}
GRAMMAR = dict(re.findall(r"^(\w+) *= (.*?)(?: *;.*)?$", BLOCKS[1], re.MULTILINE))

V, A = "videos", "2026/a.mp4"
MEANT: dict[str, tuple[list[Facts], list[Facts]]] = {  # objects that fit, and that do not
    "everything in the bucket videos": (
        [Facts(V, "x"), Facts(V, "")],
        [Facts("video", "x"), Facts("videos2", "x"), Facts("Videos", "x")],
    ),
    "keys that begin with 2026/": (
        [Facts(V, "2026/a"), Facts(V, "2026/"), Facts(V, "2026/a/b\nc")],
        [Facts(V, "2026"), Facts(V, "a/2026/b"), Facts("other", "2026/a")],
    ),
    "this key": (
        [Facts(V, "index.html")],
        [Facts(V, "a/index.html"), Facts(V, "index.html/"), Facts(V, "index-html"), Facts("video", "index.html")],
    ),
    "buckets that end with -raw, keys that end with .mp4": (
        [Facts("a-raw", "b.mp4"), Facts("-raw", "a/b.mp4")],
        [Facts("raw", "b.mp4"), Facts("a-raw-", "b.mp4"), Facts("a-raw", "b.mp4.part"), Facts("a-raw", "b-mp4")],
    ),
    "objects that have a tag release": (
        [Facts(V, "x", tags={"release": ""})],
        [Facts(V, "x"), Facts(V, "x", tags={"Release": ""}), Facts(V, "x", bucket_tags={"release": ""})],
    ),
    "with this tag, and not with that one": (
        [Facts(V, "x", tags={"release": "yes"}), Facts(V, "x", tags={"release": "yes", "camera": "7"})],
        [
            Facts(V, "x", tags={"release": "Yes"}),
            Facts(V, "x", tags={"release": "yes", "camera": "test"}),
            Facts(V, "x", tags={"camera": "7"}),
        ],
    ),
    "in buckets with this tag": (
        [Facts(V, A, bucket_tags={"site": "hamburg"})],
        [Facts(V, A), Facts(V, A, tags={"site": "hamburg"}), Facts(V, "2025/a", bucket_tags={"site": "hamburg"})],
    ),
    "by a header": (
        [Facts(V, "x", headers={"content-type": "video/mp4"})],
        [
            Facts(V, "x"),
            Facts(V, "x", headers={"content-type": "x-video/mp4"}),
            Facts(V, "x", headers={"content-type": "Video/mp4"}),
            Facts(V, "x", metadata={"content-type": "video/mp4"}),
        ],
    ),
    "by length": (
        [Facts(V, "x", 0), Facts(V, "x", 63_999_999)],
        [Facts(V, "x", 64_000_000), Facts(V, "x", 10**9, {"content-length": "1"})],
    ),
    "by user metadata (x-amz-meta-taken)": (
        [
            Facts(V, "x", metadata={"taken": "2026-01-01"}),
            Facts(V, "x", metadata={"taken": "2026-11-23T12:00"}),
            Facts(V, "x", metadata={"taken": "2027"}),
        ],
        [Facts(V, "x"), Facts(V, "x", metadata={"taken": "2025-12-31"}), Facts(V, "x", tags={"taken": "2027"})],
    ),
    "everything but that": (
        [Facts(V, A), Facts(V, "tmp"), Facts(V, "tm/p/", tags={"drafts": ""})],
        [Facts(V, "tmp/a"), Facts(V, A, tags={"draft": "no"}), Facts("photos", A)],
    ),
}


def test_each_example_has_objects_here() -> None:
    assert EXAMPLES.keys() == MEANT.keys()


@pytest.mark.parametrize("meaning", MEANT)
def test_examples(meaning: str) -> None:
    fit, unfit = MEANT[meaning]
    filters = Filters.of(EXAMPLES[meaning])
    assert [filters.matches(one) for one in fit] == [True] * len(fit)
    assert [filters.matches(one) for one in unfit] == [False] * len(unfit)
    assert [slow_evaluator.answer(EXAMPLES[meaning], one) for one in fit] == [True] * len(fit)


def test_the_example_of_what_is_refused() -> None:
    line, mark, *_ = BLOCKS[2].splitlines()
    with pytest.raises(FilterError) as refused:
        parse(line)
    assert f"{refused.value.pointed()} {refused.value}" == f"{line}\n{mark}"


def test_kinds_and_operators_are_those_of_the_grammar() -> None:
    assert {f'"{kind}"' for kind in Kind} == set(GRAMMAR["kind"].split(" | "))
    assert {f'"{one}"' for one in Operator if one} == set(GRAMMAR["operator"].split(" | "))


@pytest.mark.parametrize("unit", [unit.strip('"') for unit in GRAMMAR["unit"].split(" | ")])
def test_units_of_the_grammar(unit: str) -> None:
    size = (1024 if "i" in unit else 1000) ** " kMGT".upper().index(unit[0].upper().replace("B", " "))
    for written in (unit, unit.lower(), unit.upper(), unit.swapcase()):
        filters = Filters.of(f"*/*[hdr:content-length=3{written}]")
        assert [filters.matches(Facts("b", "k", 3 * size + more)) for more in (-1, 0, 1)] == [False, True, False]


@pytest.mark.parametrize("kind", [kind.strip('"') for kind in GRAMMAR["kind"].split(" | ")])
@pytest.mark.parametrize("operator", ["", *(one.strip('"') for one in GRAMMAR["operator"].split(" | "))])
def test_each_kind_has_each_operator(kind: str, operator: str) -> None:
    text = f"*/*[{kind}:name{operator}{'5' if operator else ''}]"
    assert str(parse(text)[0]) == text


def headers() -> list[str]:
    sentence = re.search(
        r"The other\s+headers are those that are kept with an object: (.*?)\. Others", LANGUAGE, re.DOTALL
    )
    assert sentence
    return re.findall(r"`([a-z-]+)`", sentence[1])


@pytest.mark.parametrize("name", headers())
def test_headers_of_the_document(name: str) -> None:
    filters = Filters.of(f"*/*[hdr:{name.title()}=x]")
    assert filters.matches(Facts("b", "k", headers={name: "x"})) is True
    assert filters.matches(Facts("b", "k", headers={name: "X"})) is False
    assert filters.matches(Facts("b", "k")) is False


def test_a_star_behind_a_backslash_is_one() -> None:
    assert r"`'100\*'` is a text that ends with a star" in LANGUAGE
    filters = Filters.of(r"*/*[tag:price='100\*']")
    assert filters.matches(Facts("b", "k", tags={"price": "100*"})) is True
    assert filters.matches(Facts("b", "k", tags={"price": "1000"})) is False


def test_what_needs_quotes() -> None:
    assert "for `/` and `!` in a bucket, for `= ! < >` in names and values" in LANGUAGE
    for where, characters in (("a{}b", "!"), ("*/*[tag:a{}b]", "=!<>"), ("*/*[tag:n=a{}b]", "=!<>")):
        for character in characters:
            assert parse(where.format(f"'{character}'")) == parse(where.format(f"\\{character}"))
            if where == "*/*[tag:a{}b]" and character != "!":
                continue  # an operator
            with pytest.raises(FilterError):
                parse(where.format(character))
    assert parse("a/b")[0].key is not None
    assert parse("a'/'b")[0].key is None
