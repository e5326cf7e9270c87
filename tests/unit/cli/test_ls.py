"""``s3d ls`` over the reference model."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from s3d.cli.ls import in_key_order

DATE = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")


def names(out: str) -> list[str]:
    return [DATE.sub("", line).strip() for line in out.splitlines()]


def test_buckets(shell: Any) -> None:
    code, out, _ = shell("ls")
    assert (code, names(out)) == (0, ["bucket"])
    code, out, _ = shell("ls", "--json")
    assert json.loads(out)["bucket"] == "bucket"


def test_one_level(shell: Any) -> None:
    for key in ("a", "dir/b", "dir/c/d", "zz/e"):
        shell.put(key)
    assert names(shell("ls", "bucket")[1]) == ["4 a", "PRE dir/", "PRE zz/"]
    assert names(shell("ls", "s3://bucket/dir/")[1]) == ["4 b", "PRE c/"]
    assert names(shell("ls", "bucket/d")[1]) == ["PRE dir/"]


def test_recursive_shows_whole_keys(shell: Any) -> None:
    for key in ("a", "dir/b", "dir/c/d"):
        shell.put(key)
    assert names(shell("ls", "-r", "bucket/dir")[1]) == ["4 dir/b", "4 dir/c/d"]


def test_json_lines(shell: Any) -> None:
    shell.put("a", b"12345")
    shell.put("p/b")
    code, out, _ = shell("ls", "--json", "bucket")
    first, second = (json.loads(line) for line in out.splitlines())
    assert code == 0
    assert (first["key"], first["size"], first["etag"]) == ("a", 5, "827ccb0eea8a706c4c34a16891f84e7b")
    assert first["last_modified"].endswith("+00:00")
    assert second == {"prefix": "p/"}


def test_human_sizes(shell: Any) -> None:
    shell.put("a", b"x" * 2048)
    assert names(shell("ls", "--human-readable", "bucket")[1]) == ["2.0 KiB a"]


@pytest.mark.parametrize("key", ["a//b", "../x", " a +%2F", "é😀", "\udcff\udcfe", "trail/", "/lead", "tab\tand\x01"])
def test_odd_keys_are_printed_byte_for_byte(shell: Any, key: str) -> None:
    shell.put(key)
    assert shell("ls", "-r", "bucket")[1].removesuffix("\n").endswith(f" {key}")
    line = shell("ls", "-r", "--json", "bucket")[1]
    assert line.isascii()
    assert json.loads(line)["key"] == key


def test_every_page_is_asked_for_and_printed_before_the_next(shell: Any, backend: Any) -> None:
    for number in range(1005):
        backend.inner.store.buckets["bucket"].objects[f"{number:04}"] = None
    model = backend.inner.store.buckets["bucket"]
    shell.put("seed")
    template = model.objects.pop("seed")
    for key in model.objects:
        model.objects[key] = template
    seen: list[int] = []

    def printed_so_far(request: Any) -> None:
        out, _ = shell.capture.readouterr()
        seen.append(out.count(b"\n"))

    backend.fail = printed_so_far
    code, out, _ = shell("ls", "bucket")
    assert code == 0
    assert seen == [0, 1000]
    assert len(out.splitlines()) == 5


def test_the_exit_code_says_whether_anything_begins_with_the_prefix(shell: Any) -> None:
    assert shell("ls", "bucket")[0] == 0
    assert shell("ls", "bucket/nothing")[0] == 1


def test_no_such_bucket(shell: Any) -> None:
    assert shell("ls", "missing") == (1, "", "s3d: NoSuchBucket: The specified bucket does not exist (missing)\n")


def test_prefixes_and_keys_are_in_the_order_of_bytes() -> None:
    page = {"CommonPrefixes": [{"Prefix": "b/"}], "Contents": [{"Key": "a"}, {"Key": "\ue000"}, {"Key": "😀"}]}
    assert [entry[kind] for kind, entry in in_key_order(page)] == ["a", "b/", "\ue000", "😀"]
