"""Reads while changes wait: each is asked for before the push, and again at the remote itself after it; the answers are the
same. In front of SeaweedFS, and of an embedded store, which answers S3's rarer questions as S3 does."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import peers
import pytest
from botocore.exceptions import ClientError
from e2e.queued import Queued, linked, refusal, state
from model import listing

pytestmark = pytest.mark.peer

MIB = 1 << 20
PLAIN_KEYS = ["a/b", "a/c", "a/d/e", "b", "c/x", "c/y", "d/1", "d/2", "d/3/4", "e", "f", "g/1", "z"]
"""In an order that is also that of directories, as which SeaweedFS lists them."""
RARE_KEYS = [
    "a",
    "a-b",
    "b/",
    "//",
    "/",
    "a//b",
    "..",
    "x/../y",
    "é",
    "e\u0301",
    "\U0001f600/1",
    "\U0001f600/2",
    "\uffee",
    "a b+c%2F",
    "A",
    "~",
    "a\n",
]


@pytest.fixture(scope="module", params=["seaweedfs", "standalone"])
def queue(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Queued]:
    remote: peers.Server = request.getfixturevalue(request.param)
    with linked(remote, tmp_path_factory.mktemp("serves")) as found:
        yield found


@pytest.fixture
def is_exact(queue: Queued, standalone: peers.Server) -> bool:
    """Whether the remote is one that answers all that S3 answers."""
    return queue.direct.meta.endpoint_url == standalone.url


@pytest.fixture
def bucket(queue: Queued, new_bucket_name: Callable[[], str]) -> Iterator[str]:
    """Nothing is pushed from the beginning of the test on."""
    name = queue.known_bucket(new_bucket_name())
    queue.pause()
    yield name
    queue.resume()


def arrive(queue: Queued) -> None:
    queue.resume()
    queue.drained()


def shown(page: dict[str, Any]) -> dict[str, Any]:
    """What of a page of a list does not depend on when it was asked for."""
    left_out = ("LastModified", "Owner")  # who that is at the remote is known where the page has an object from there
    contents = [{k: v for k, v in entry.items() if k not in left_out} for entry in page.get("Contents", [])]
    names = ("CommonPrefixes", "IsTruncated", "KeyCount", "NextMarker", "MaxKeys", "Prefix", "Delimiter", "StartAfter")
    return {"Contents": contents} | {name: page[name] for name in names if name in page}


def lists(client: Any, bucket: str, asked: list[tuple[Any, ...]]) -> dict[Any, Any]:
    """All pages of lists of both kinds, by their parameters."""
    found: dict[Any, Any] = {}
    for prefix, delimiter, size, start in asked:
        given = {"Prefix": prefix, "Delimiter": delimiter, "MaxKeys": size}
        given = {name: value for name, value in given.items() if value != ""}
        found[2, prefix, delimiter, size, start] = _pages_v2(client, bucket, given, start)
        found[1, prefix, delimiter, size, start] = _pages_v1(client, bucket, given, start)
    return found


def _pages_v2(client: Any, bucket: str, given: dict[str, Any], start: str) -> list[Any]:
    page = client.list_objects_v2(Bucket=bucket, **given, **({"StartAfter": start} if start else {}))
    pages = [shown(page)]
    while page["IsTruncated"]:
        page = client.list_objects_v2(Bucket=bucket, **given, ContinuationToken=page["NextContinuationToken"])
        pages.append({name: value for name, value in shown(page).items() if name != "StartAfter"})
    return pages


def _pages_v1(client: Any, bucket: str, given: dict[str, Any], start: str) -> list[Any]:
    page = client.list_objects(Bucket=bucket, **given, Marker=start)
    pages = [shown(page)]
    while page["IsTruncated"]:
        marker = page.get("NextMarker") or page["Contents"][-1]["Key"]
        page = client.list_objects(Bucket=bucket, **given, Marker=marker)
        pages.append(shown(page))
    return pages


@pytest.mark.parametrize("seed", range(3))
def test_lists(queue: Queued, bucket: str, is_exact: bool, seed: int) -> None:
    """Objects are added, replaced, deleted, come and go; prefixes live and die with them."""
    choose = random.Random(seed)
    keys = [*PLAIN_KEYS, *(RARE_KEYS if is_exact else ())]
    for key in choose.sample(keys, len(keys) // 2):
        queue.direct.put_object(Bucket=bucket, Key=key, Body=b"remote" + key.encode())
    for key in choose.choices([*keys, "known"], k=len(keys)):
        if choose.random() < 0.5:
            queue.client.delete_object(Bucket=bucket, Key=key)
        else:
            queue.client.put_object(Bucket=bucket, Key=key, Body=choose.randbytes(choose.randrange(50)))
    starts = ["", "", "", *keys, "a/", "d/2\uffff", *(["c"] if is_exact else ())]
    sets = itertools.product(
        ["", "a", "a/", "d/"], ["", "/", "-", "/d"] if is_exact else ["", "/"], [1, 3, 1000], starts
    )
    asked = choose.sample([one for one in sets if is_exact or not (one[1] and one[1] in one[3])], 50)
    before = lists(queue.client, bucket, asked)
    arrive(queue)
    if is_exact:
        after = lists(queue.direct, bucket, asked)
    else:
        before = {at: _joined(pages) for at, pages in before.items()}
        after = _modelled(queue.direct.list_objects_v2(Bucket=bucket)["Contents"], before)
    for at, pages in before.items():
        assert (at, pages) == (at, after[at])


def _joined(pages: list[Any]) -> tuple[list[Any], list[Any]]:
    return (
        [(entry["Key"], entry["Size"], entry["ETag"]) for page in pages for entry in page["Contents"]],
        [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", [])],
    )


def _modelled(there: list[dict[str, Any]], asked: Iterable[Any]) -> dict[Any, Any]:
    """What S3 answers. SeaweedFS does not where the start is within a common prefix, or the name of a directory."""
    objects = {entry["Key"]: (entry["Key"], entry["Size"], entry["ETag"]) for entry in there}
    found = {}
    for at in asked:
        _, prefix, delimiter, _, start = at
        page = listing.page(objects, prefix=prefix, delimiter=delimiter, after=start, limit=1000)
        found[at] = ([objects[key] for key in page.keys], page.prefixes)
    return found


def test_a_page_of_nothing(queue: Queued, bucket: str) -> None:
    queue.client.put_object(Bucket=bucket, Key="a", Body=b"a")
    for ask in (queue.client.list_objects, queue.client.list_objects_v2):
        page = ask(Bucket=bucket, MaxKeys=0)
        assert (page["IsTruncated"], page.get("Contents", [])) == (False, [])


def test_a_list_goes_on_while_what_it_shows_arrives(queue: Queued, bucket: str) -> None:
    """Tokens stay valid: no name is lost and none comes twice, though what they came from is at the remote meanwhile."""
    names = [f"{number:03}" for number in range(40)]
    for name in names[::2]:
        queue.direct.put_object(Bucket=bucket, Key=name, Body=b"remote")
    for name in names[1::2]:
        queue.client.put_object(Bucket=bucket, Key=name, Body=b"here")
    found: list[str] = []
    more: dict[str, str] = {}
    for number in itertools.count():
        page = queue.client.list_objects_v2(Bucket=bucket, MaxKeys=7, Prefix="0", **more)
        found += [entry["Key"] for entry in page["Contents"]]
        if not page["IsTruncated"]:
            break
        more = {"ContinuationToken": page["NextContinuationToken"]}
        if number == 1:
            arrive(queue)
    assert found == names


def test_reads(queue: Queued, bucket: str, is_exact: bool) -> None:
    body = random.Random(1).randbytes(300_000)
    etag = queue.client.put_object(Bucket=bucket, Key="o", Body=body, Metadata={"m": "1"}, Tagging="t=1")["ETag"]
    questions: list[dict[str, Any]] = [
        {},
        {"Range": "bytes=0-0"},
        {"Range": "bytes=-5"},
        {"Range": "bytes=299999-"},
        {"Range": "bytes=100-400000"},
        {"Range": "bytes=300000-"},
        {"IfMatch": etag},
        {"IfMatch": '"other"'},
        {"IfNoneMatch": etag},
        {"IfNoneMatch": '"other"'},
        {"IfModifiedSince": "Tue, 01 Jan 2030 00:00:00 GMT"},
        {"IfUnmodifiedSince": "Tue, 01 Jan 2019 00:00:00 GMT"},
        {"Range": "bytes=5-9", "IfMatch": etag},
        {"ResponseContentType": "text/x", "ResponseCacheControl": "no-store"},
    ]

    def answers(client: Any) -> list[Any]:
        return [
            _read(ask, Bucket=bucket, Key="o", **question)
            for ask in (client.get_object, client.head_object)
            for question in questions
            if is_exact or ask != client.head_object or "Range" not in question  # SeaweedFS takes no notice of it
        ]

    before = answers(queue.client)
    assert state(queue.client.get_object(Bucket=bucket, Key="o")) == "pending"
    arrive(queue)
    assert before == answers(queue.direct)
    assert before == answers(queue.client)


def _read(ask: Callable[..., Any], **arguments: Any) -> Any:
    names = ("ETag", "ContentLength", "ContentRange", "Metadata", "CacheControl", "TagCount")
    try:
        answer = ask(**arguments)
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"]
    status = answer["ResponseMetadata"]["HTTPStatusCode"]
    body = answer["Body"].read() if "Body" in answer else None
    return (
        status,
        body,
        {name: answer.get(name) for name in names if ask.__name__ != "head_object" or name != "TagCount"},
    )


def test_parts_of_an_upload(queue: Queued, bucket: str, is_exact: bool) -> None:
    s3, at = queue.client, {"Bucket": bucket, "Key": "u"}
    upload = {**at, "UploadId": s3.create_multipart_upload(**at)["UploadId"]}
    other = queue.direct.create_multipart_upload(Bucket=bucket, Key="t")["UploadId"]
    listed = s3.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert [(entry["Key"], entry["UploadId"]) for entry in listed] == [("t", other), ("u", upload["UploadId"])]
    bodies = [random.Random(n).randbytes(size) for n, size in enumerate((5 * MIB, 5 * MIB + 1, 9))]
    etags = [s3.upload_part(**upload, PartNumber=n, Body=body)["ETag"] for n, body in enumerate(bodies, 1)]
    page = s3.list_parts(**upload, MaxParts=2)
    assert [part["ETag"] for part in page["Parts"]] == etags[:2]
    page = s3.list_parts(**upload, PartNumberMarker=page["NextPartNumberMarker"])
    assert [part["ETag"] for part in page["Parts"]] == etags[2:]
    parts = [{"PartNumber": n, "ETag": etag} for n, etag in enumerate(etags, 1)]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    listed = s3.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert [entry["UploadId"] for entry in listed] == [other]

    def answers(client: Any) -> list[Any]:
        found = [client.head_object(**at, PartNumber=number) for number in (1, 3)]
        sizes = [(one["ContentLength"], one.get("PartsCount"), one["ETag"]) for one in found]
        return [sizes, client.get_object(**at, PartNumber=2)["Body"].read() == bodies[1]]

    before = answers(s3)
    assert before[0][1][0] == 9
    assert before[1]
    arrive(queue)
    assert before == answers(queue.direct)


def test_no_change_makes_a_read_of_the_past(queue: Queued, bucket: str) -> None:
    s3, at = queue.client, {"Bucket": bucket, "Key": "known"}
    s3.put_object(**at, Body=b"1")
    assert s3.get_object(**at)["Body"].read() == b"1"
    s3.delete_object(**at)
    assert refusal(s3.get_object, **at)[:2] == ("NoSuchKey", 404)
    assert refusal(s3.get_object_tagging, **at)[:2] == ("NoSuchKey", 404)
    assert refusal(s3.head_object, **at)[1] == 404
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    s3.delete_object(**at)
    s3.put_object(**at, Body=b"2")
    assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["Size"] == 1
    arrive(queue)
    assert queue.direct.get_object(**at)["Body"].read() == b"2"
