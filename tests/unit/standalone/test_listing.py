from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.standalone.filled import DELIMITERS, KEYS, PREFIXES, Filled, expected

from s3d.standalone.listing import END, Page, Rows, Selection, behind, kind, read, selection
from s3d.standalone.version import key_text


def selected(filled: Filled) -> Callable[[bytes, bytes, int], Rows]:
    query = "SELECT key FROM object WHERE bucket = 1 AND key >= ? AND key < ? ORDER BY key LIMIT ?"
    return lambda start, end, limit: filled.connection.execute(query, (start, end, limit))


@pytest.mark.parametrize(
    ("prefix", "first_behind"),
    [
        (b"a", b"b"),
        (b"dir/", b"dir0"),
        (b"a\xff", b"b"),
        (b"a\xff\xff", b"b"),
        (b"\xfe\xff", b"\xff"),
        (b"\xff", END),
        (b"", END),
    ],
)
def test_behind_a_prefix(prefix: bytes, first_behind: bytes) -> None:
    assert behind(prefix) == first_behind
    assert prefix + b"\xff" * (1024 - len(prefix)) < first_behind


@given(st.binary(max_size=4), st.binary(max_size=8))
def test_nothing_is_between_a_prefix_and_what_is_behind_it(prefix: bytes, key: bytes) -> None:
    assert (prefix <= key < behind(prefix)) == key.startswith(prefix)


@given(st.sets(KEYS, max_size=30), PREFIXES, DELIMITERS, st.integers(1, 5), KEYS | st.just(b""))
def test_a_page_is_a_slice_of_the_list(
    keys: set[bytes], prefix: bytes, delimiter: bytes, limit: int, marker: bytes
) -> None:
    filled = Filled()
    filled.put_many(keys)
    wanted = Selection(prefix, delimiter, limit, str)
    page = read(selected(filled), wanted, wanted.behind(marker))
    left = [
        (entry, is_group)
        for entry, is_group in expected((key for key in keys if key > marker), prefix, delimiter)
        if not (is_group and marker.startswith(entry))
    ]
    assert sorted([(row[0], False) for row in page.rows] + [(group, True) for group in page.groups]) == left[:limit]
    assert page.truncated == (len(left) > limit)
    assert page.marker == (left[:limit][-1][0] if left else b"")


@pytest.mark.parametrize("size", [1, 2, 3, 4, 100])
def test_groups_of_any_size_are_read_through_or_jumped_over(size: int) -> None:
    filled = Filled()
    filled.put_many(b"%d/%03d" % (group, number) for group in range(5) for number in range(size))
    filled.put_many([b"0", b"3", b"9"])
    page = read(selected(filled), Selection(b"", b"/", 1000, str), b"")
    assert page.groups == [b"0/", b"1/", b"2/", b"3/", b"4/"]
    assert page.rows == [(b"0",), (b"3",), (b"9",)]


def test_an_empty_page_is_the_last() -> None:
    filled = Filled()
    filled.put_many([b"a"])
    assert read(selected(filled), Selection(b"", b"", 0, str), b"") == Page()


def test_rows_before_the_start_count() -> None:
    filled = Filled()
    filled.put_many([b"c", b"d/1"])
    first = [(b"a",), (b"b",)]
    for limit, truncated, last in ((1, True, b"a"), (2, True, b"b"), (3, True, b"c"), (4, False, b"d/")):
        page = read(selected(filled), Selection(b"", b"/", limit, str), b"b\0", first)
        assert (len(page.rows) + len(page.groups), page.truncated, page.marker) == (limit, truncated, last)


def test_a_selection() -> None:
    wanted = selection({"Prefix": "p/", "Delimiter": "\u00fc", "MaxKeys": 2000, "EncodingType": "url"})
    assert (wanted.prefix, wanted.delimiter, wanted.limit) == (b"p/", b"\xc3\xbc", 1000)
    assert wanted.written(b"a b/\xff+%") == "a%20b/%FF%2B%25"
    plain = selection({})
    assert (plain.prefix, plain.delimiter, plain.limit) == (b"", b"", 1000)
    assert plain.written(b"a b/\xff+%") == "a b/\udcff+%"


@given(st.binary(max_size=6))
def test_a_written_key_names_the_same_bytes(key: bytes) -> None:
    assert selection({}).written(key) == key_text(key)


@pytest.mark.parametrize(
    ("checksum", "said"),
    [
        (None, None),
        ("CRC32:AAAA/w==", ("CRC32", "FULL_OBJECT")),
        ("SHA256:AAAA-3", ("SHA256", "COMPOSITE")),
    ],
)
def test_the_kind_of_a_checksum(checksum: str | None, said: tuple[str, str] | None) -> None:
    assert kind(checksum) == said
