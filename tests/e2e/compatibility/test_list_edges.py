"""Lists: delimiters, prefixes, page sizes, markers and tokens at their edges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from e2e.compatibility.failing import failure
from e2e.compatibility.raw import Raw

pytestmark = pytest.mark.peer

KEYS = ["asdf", "boo/bar", "boo/baz/xyzzy", "cquux/thud", "cquux/bla"]
NAMED = ["bar", "baz", "foo", "quxx"]


@pytest.fixture
def fill(s3: Any, bucket: str) -> Callable[[list[str]], str]:
    def put(keys: list[str]) -> str:
        for key in keys:
            s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
        return bucket

    return put


def keys_of(answer: Any) -> list[str]:
    return [entry["Key"] for entry in answer.get("Contents", [])]


def prefixes_of(answer: Any) -> list[str]:
    return [entry["Prefix"] for entry in answer.get("CommonPrefixes", [])]


@pytest.fixture(params=["list_objects", "list_objects_v2"])
def lister(request: pytest.FixtureRequest, s3: Any) -> Callable[..., Any]:
    call: Callable[..., Any] = getattr(s3, request.param)
    return call


@pytest.mark.parametrize(
    ("keys", "delimiter", "listed", "prefixes"),
    [
        (["foo/bar", "foo/bar/xyzzy", "quux/thud", "asdf"], "/", ["asdf"], ["foo/", "quux/"]),
        (["bar", "baz", "cab", "foo"], "a", ["foo"], ["ba", "ca"]),
        (["b%ar", "b%az", "c%ab", "foo"], "%", ["foo"], ["b%", "c%"]),
        (["b ar", "b az", "c ab", "foo"], " ", ["foo"], ["b ", "c "]),
        (["b.ar", "b.az", "c.ab", "foo"], ".", ["foo"], ["b.", "c."]),
        (["bar", "baz", "cab", "foo"], "\n", ["bar", "baz", "cab", "foo"], []),
        (["bar", "baz", "cab", "foo"], "", ["bar", "baz", "cab", "foo"], []),
        (["bar", "baz", "cab", "foo"], "/", ["bar", "baz", "cab", "foo"], []),
        (["0/", "0/1", "0"], "/", ["0"], ["0/"]),
        (["b+r", "b&r", "b<r"], "<", ["b&r", "b+r"], ["b<"]),
        (["é/1", "é/2", "z"], "/", ["z"], ["é/"]),
    ],
)
def test_delimiters(
    lister: Any, fill: Any, keys: list[str], delimiter: str, listed: list[str], prefixes: list[str]
) -> None:
    answer = lister(Bucket=fill(keys), Delimiter=delimiter)
    assert (keys_of(answer), prefixes_of(answer)) == (listed, prefixes)
    assert answer.get("Delimiter") == (delimiter or None)


@pytest.mark.parametrize(
    ("keys", "prefix", "delimiter", "listed", "prefixes"),
    [
        (["foo/bar", "foo/baz", "quux"], "foo/", None, ["foo/bar", "foo/baz"], []),
        (["bar", "baz", "foo"], "ba", None, ["bar", "baz"], []),
        (["foo/bar", "foo/baz", "quux"], "", None, ["foo/bar", "foo/baz", "quux"], []),
        (["foo/bar", "foo/baz", "quux"], "d", None, [], []),
        (["foo/bar", "foo/baz", "quux"], "\n", None, [], []),
        (["foo/bar", "foo/baz/xyzzy", "quux/thud", "asdf"], "foo/", "/", ["foo/bar"], ["foo/baz/"]),
        (["bar", "bazar", "cab", "foo"], "ba", "a", ["bar"], ["baza"]),
        (["b/a/r", "b/a/c", "b/a/g", "g"], "d", "/", [], []),
        (["b/a/c", "b/a/g", "b/a/r", "g"], "b", "d", ["b/a/c", "b/a/g", "b/a/r"], []),
        (["b/a/c", "b/a/g", "b/a/r", "g"], "y", "z", [], []),
        (["_bla/1", "_bla/2", "_bla/3", "_bla/4", "abcd"], "_bla/", None, ["_bla/1", "_bla/2", "_bla/3", "_bla/4"], []),
        (KEYS, "boo/", "/", ["boo/bar"], ["boo/baz/"]),
        (["a/", "a/b"], "a/", "/", ["a/", "a/b"], []),
    ],
)
def test_prefixes(
    lister: Any, fill: Any, keys: list[str], prefix: str, delimiter: str | None, listed: list[str], prefixes: list[str]
) -> None:
    options = {} if delimiter is None else {"Delimiter": delimiter}
    answer = lister(Bucket=fill(keys), Prefix=prefix, **options)
    assert (keys_of(answer), prefixes_of(answer)) == (listed, prefixes)
    assert answer["Prefix"] in (prefix, quote(prefix))  # of version 1 boto3 leaves it as it is encoded


def test_pages_of_version_1_with_prefix_and_delimiter(s3: Any, fill: Any) -> None:
    bucket = fill(KEYS)
    expected = [(["asdf"], [], "asdf"), ([], ["boo/"], "boo/"), ([], ["cquux/"], None)]
    marker = ""
    for listed, prefixes, following in expected:
        answer = s3.list_objects(Bucket=bucket, Delimiter="/", Marker=marker, MaxKeys=1)
        assert (keys_of(answer), prefixes_of(answer)) == (listed, prefixes)
        assert (answer["IsTruncated"], answer.get("NextMarker")) == (following is not None, following)
        marker = following or ""
    answer = s3.list_objects(Bucket=bucket, Delimiter="/", Prefix="boo/", MaxKeys=1)
    assert (keys_of(answer), answer["NextMarker"]) == (["boo/bar"], "boo/bar")
    answer = s3.list_objects(Bucket=bucket, Delimiter="/", Prefix="boo/", MaxKeys=1, Marker="boo/bar")
    assert (prefixes_of(answer), answer["IsTruncated"]) == (["boo/baz/"], False)


def test_pages_of_version_2_with_a_delimiter(s3: Any, fill: Any) -> None:
    bucket = fill(KEYS)
    found, options = [], {}
    while True:
        answer = s3.list_objects_v2(Bucket=bucket, Delimiter="/", MaxKeys=1, **options)
        assert answer["KeyCount"] == 1
        found += keys_of(answer) + prefixes_of(answer)
        if not answer["IsTruncated"]:
            break
        options = {"ContinuationToken": answer["NextContinuationToken"]}
    assert found == ["asdf", "boo/", "cquux/"]
    assert "NextContinuationToken" not in answer


def test_without_a_size_a_page_has_a_thousand(lister: Any, fill: Any) -> None:
    answer = lister(Bucket=fill(NAMED))
    assert (answer["MaxKeys"], answer["IsTruncated"], keys_of(answer)) == (1000, False, NAMED)


@pytest.mark.parametrize(("size", "said"), [(0, 0), (1, 1), (1000, 1000), (1001, 1000), (2147483647, 1000)])
def test_sizes_of_pages(lister: Any, fill: Any, size: int, said: int) -> None:
    answer = lister(Bucket=fill(NAMED), MaxKeys=size)
    assert (answer["MaxKeys"], keys_of(answer)) == (said, NAMED[:size])
    assert answer["IsTruncated"] == (size == 1)


@pytest.mark.parametrize("version", ["", "&list-type=2"])
@pytest.mark.parametrize("size", ["blah", "-1", "1.5", "2147483648", "99999999999999999999"])
def test_a_size_that_is_none(raw: Raw, bucket: str, version: str, size: str) -> None:
    answer = raw("GET", f"/{bucket}?max-keys={size}{version}")
    assert (answer.status, answer.code, answer.text("ArgumentName")) == (400, "InvalidArgument", "max-keys")


def test_what_is_said_of_a_wrong_size(raw: Raw, bucket: str) -> None:
    """The tests of several clients compare the sentences."""
    text = raw("GET", f"/{bucket}?max-keys=-1").text("Message")
    assert text == "Argument maxKeys must be an integer between 0 and 2147483647"
    text = raw("GET", f"/{bucket}?max-keys=x").text("Message")
    assert text == "Provided max-keys not an integer or within integer range"


@pytest.mark.parametrize("version", ["", "&list-type=2"])
def test_an_empty_size_is_the_usual_one(raw: Raw, bucket: str, version: str) -> None:
    answer = raw("GET", f"/{bucket}?max-keys={version}")
    assert (answer.status, answer.text("MaxKeys")) == (200, "1000")


@pytest.mark.parametrize(
    ("marker", "listed"),
    [
        ("", NAMED),
        ("bar", NAMED[1:]),
        ("blah", NAMED[2:]),
        ("zzz", []),
        ("\n", NAMED),
        ("aaa", NAMED),
        ("b", NAMED),
        ("bar\x01", NAMED[1:]),
    ],
)
def test_markers(s3: Any, fill: Any, marker: str, listed: list[str]) -> None:
    bucket = fill(NAMED)
    answer = s3.list_objects(Bucket=bucket, Marker=marker)
    assert (answer["Marker"], keys_of(answer), answer["IsTruncated"]) == (marker, listed, False)
    answer = s3.list_objects_v2(Bucket=bucket, StartAfter=marker)
    assert keys_of(answer) == listed


def test_without_a_marker_it_is_empty(s3: Any, fill: Any) -> None:
    answer = s3.list_objects(Bucket=fill(NAMED))
    assert answer["Marker"] == ""
    assert "NextMarker" not in answer


def test_without_a_delimiter_the_last_key_is_the_next_marker(s3: Any, fill: Any) -> None:
    bucket = fill(NAMED)
    answer = s3.list_objects(Bucket=bucket, MaxKeys=1)
    assert (keys_of(answer), answer["IsTruncated"]) == (NAMED[:1], True)
    assert "NextMarker" not in answer
    assert keys_of(s3.list_objects(Bucket=bucket, Marker=NAMED[0])) == NAMED[1:]


def test_a_token_counts_more_than_a_start(s3: Any, fill: Any) -> None:
    bucket = fill(NAMED)
    first = s3.list_objects_v2(Bucket=bucket, StartAfter="bar", MaxKeys=1)
    assert (keys_of(first), first["StartAfter"]) == (["baz"], "bar")
    token = first["NextContinuationToken"]
    second = s3.list_objects_v2(Bucket=bucket, StartAfter="bar", ContinuationToken=token)
    assert (keys_of(second), second["StartAfter"], second["ContinuationToken"]) == (["foo", "quxx"], "bar", token)


def test_an_empty_token_is_none(raw: Raw, bucket: str) -> None:
    answer = raw("GET", f"/{bucket}?list-type=2&continuation-token=")
    assert (answer.status, answer.code) == (400, "InvalidArgument")
    assert answer.text("ArgumentName") == "continuation-token"


@pytest.mark.parametrize(("fetch", "has"), [("true", True), ("false", False), ("", False), (None, False)])
def test_owners_on_request(raw: Raw, fill: Any, fetch: str | None, has: bool) -> None:
    asked = "" if fetch is None else f"&fetch-owner={fetch}"
    answer = raw("GET", f"/{fill(['k'])}?list-type=2{asked}")
    assert (answer.status, answer.text("ID") is not None) == (200, has)


def test_an_entry_says_what_head_says(s3: Any, lister: Any, fill: Any) -> None:
    bucket = fill(NAMED)
    for entry in lister(Bucket=bucket)["Contents"]:
        head = s3.head_object(Bucket=bucket, Key=entry["Key"])
        assert entry["ETag"] == head["ETag"]
        assert entry["Size"] == head["ContentLength"]
        assert entry["LastModified"] == head["LastModified"]
        assert entry["StorageClass"] == "STANDARD"


def test_the_owner_is_that_of_the_acl(s3: Any, fill: Any) -> None:
    bucket = fill(["k"])
    (entry,) = s3.list_objects(Bucket=bucket)["Contents"]
    owner = s3.get_object_acl(Bucket=bucket, Key="k")["Owner"]
    assert entry["Owner"] == owner == s3.list_buckets()["Owner"]


@pytest.mark.parametrize("version", ["", "&list-type=2"])
def test_encoded_urls(raw: Raw, s3: Any, fill: Any, version: str) -> None:
    bucket = fill(["asdf+b", "foo+1/bar", "foo/bar/xyzzy", "quux ab/thud", "é/%"])
    answer = raw("GET", f"/{bucket}?delimiter=/&encoding-type=url{version}")
    assert answer.text("EncodingType") == "url"
    text = answer.body.decode()
    assert "<Key>asdf%2Bb</Key>" in text
    for prefix in ("foo%2B1/", "foo/", "quux%20ab/", "%C3%A9/"):
        assert f"<Prefix>{prefix}</Prefix>" in text
    assert raw("GET", f"/{bucket}?encoding-type=other{version}").code == "InvalidArgument"


def test_keys_that_xml_cannot_hold_come_encoded(s3: Any, lister: Any, fill: Any) -> None:
    keys = ["a\x01b", "a\nb", "a\rb", "a\tb", "\U0001f600"]
    assert sorted(keys_of(lister(Bucket=fill(keys)))) == sorted(keys)


def test_special_names(s3: Any, lister: Any, fill: Any) -> None:
    keys = [" ", '"', "$", "%", "&", "'", "<", ">", "_", "_ ", "_ _", "__", "+", "a//b", "..", "./x", "\\", "#?", "%2F"]
    bucket = fill(keys)
    assert keys_of(lister(Bucket=bucket)) == sorted(keys)
    for key in keys:
        s3.put_object_acl(Bucket=bucket, Key=key, ACL="private")
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()


def test_parameters_that_s3_does_not_know_do_not_matter(raw: Raw, fill: Any) -> None:
    bucket = fill(["k"])
    assert raw("GET", f"/{bucket}?unheard-of=1&list-type=2").text("Key") == "k"
    assert raw("GET", f"/{bucket}/k?v=123").body == b"k"
    assert raw("HEAD", f"/{bucket}/k?v=123").status == 200
    assert raw("GET", "/?v=123").text("Owner") is not None


def test_pages_are_whole_with_many_keys(s3: Any, lister: Any, fill: Any) -> None:
    keys = [f"{number:03d}/{letter}" for number in range(20) for letter in "ab"]
    bucket = fill(keys)
    for size in (3, 7, 40):
        pages = s3.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": size}
        )
        assert [prefix for page in pages for prefix in prefixes_of(page)] == [f"{n:03d}/" for n in range(20)]


def test_versions_with_markers(s3: Any, versioned: str) -> None:
    ids = {key: [s3.put_object(Bucket=versioned, Key=key, Body=b"1")["VersionId"] for _ in range(3)] for key in "ab"}
    answer = s3.list_object_versions(Bucket=versioned, MaxKeys=2)
    assert [entry["VersionId"] for entry in answer["Versions"]] == ids["a"][:0:-1]
    assert (answer["NextKeyMarker"], answer["NextVersionIdMarker"]) == ("a", ids["a"][1])
    rest = s3.list_object_versions(Bucket=versioned, KeyMarker="a", VersionIdMarker=ids["a"][1])
    assert [entry["VersionId"] for entry in rest["Versions"]] == [ids["a"][0], *ids["b"][::-1]]
    assert [entry["IsLatest"] for entry in rest["Versions"]] == [False, True, False, False]
    after = s3.list_object_versions(Bucket=versioned, KeyMarker="a")
    assert {entry["Key"] for entry in after["Versions"]} == {"b"}
    assert failure(s3.list_object_versions, Bucket=versioned, VersionIdMarker=ids["a"][0]) == (400, "InvalidArgument")


def test_a_version_entry_says_what_head_says(s3: Any, versioned: str) -> None:
    s3.put_object(Bucket=versioned, Key="k", Body=b"12345")
    (entry,) = s3.list_object_versions(Bucket=versioned)["Versions"]
    head = s3.head_object(Bucket=versioned, Key="k")
    found = (entry["ETag"], entry["Size"], entry["LastModified"], entry["VersionId"], entry["StorageClass"])
    assert found == (head["ETag"], 5, head["LastModified"], head["VersionId"], "STANDARD")
    assert entry["Owner"] == s3.list_buckets()["Owner"]
