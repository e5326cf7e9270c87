"""ListMultipartUploads of uploads here and at the remote: each once, in the order of keys, whatever the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from model.memory import Memory
from unit.write_queue.opened import BUCKET, Opened, opened

from s3d.s3 import codec
from s3d.s3.backend import Backend
from s3d.s3.message import S3Request, S3Response
from s3d.write_queue.list_uploads import list_multipart_uploads

HERE = ("a", "b", "b", "d/1", "e")
THERE = ("b", "c", "d/2", "e", "e")


async def begin(backend: Backend, key: str) -> str:
    response = await backend(codec.build_request("CreateMultipartUpload", {"Bucket": BUCKET, "Key": key}))
    assert isinstance(response.body, bytes)
    return str(codec.parse_response("CreateMultipartUpload", response, response.body)["UploadId"])


async def filled(queue: Opened) -> tuple[Memory, set[tuple[str, str]]]:
    """The remote, and all uploads: key and id."""
    remote, known = Memory(), set()
    await remote(codec.build_request("CreateBucket", {"Bucket": BUCKET}))
    for key in THERE:
        known.add((key, await begin(remote, key)))
    for key in HERE:
        begun = await queue.do("CreateMultipartUpload", {"Key": key})
        assert isinstance(begun.body, bytes)
        known.add((key, codec.parse_response("CreateMultipartUpload", begun, begun.body)["UploadId"]))
    return remote, known


async def nothing() -> set[str]:
    """No upload of the remote is the queue's own."""
    return set()


async def page(queue: Opened, remote: Memory, **members: Any) -> dict[str, Any]:
    request = codec.build_request("ListMultipartUploads", {"Bucket": BUCKET, **members})
    found = codec.parse_request(request, b"")
    response = await list_multipart_uploads(request, found, remote, queue.store, nothing)
    assert isinstance(response.body, bytes)
    return codec.parse_response("ListMultipartUploads", response, response.body)


@pytest.mark.parametrize("limit", [1, 2, 3, 1000])
@pytest.mark.parametrize("encoding", [None, "url"])
async def test_each_once_in_order(tmp_path: Path, limit: int, encoding: str | None) -> None:
    async with opened(tmp_path) as queue:
        remote, known = await filled(queue)
        listed: list[tuple[str, str]] = []
        position: dict[str, Any] = {}
        for _ in range(20):
            found = await page(queue, remote, MaxUploads=limit, EncodingType=encoding, **position)
            listed += [(unquote(entry["Key"]), entry["UploadId"]) for entry in found.get("Uploads") or []]
            if not found["IsTruncated"]:
                break
            assert len(found["Uploads"]) == limit
            position = {"KeyMarker": unquote(found["NextKeyMarker"]), "UploadIdMarker": found["NextUploadIdMarker"]}
        assert [key for key, _ in listed] == sorted(key for key, _ in known)
        assert set(listed) == known
        assert len(listed) == len(known)


async def test_prefix_and_delimiter(tmp_path: Path) -> None:
    async with opened(tmp_path) as queue:
        remote, _ = await filled(queue)
        found = await page(queue, remote, Delimiter="/")
        assert [entry["Prefix"] for entry in found["CommonPrefixes"]] == ["d/"]
        assert [entry["Key"] for entry in found["Uploads"]] == ["a", "b", "b", "b", "c", "e", "e", "e"]
        below = await page(queue, remote, Prefix="d/")
        assert [entry["Key"] for entry in below["Uploads"]] == ["d/1", "d/2"]
        assert (await page(queue, remote, KeyMarker="c"))["Uploads"][0]["Key"] == "d/1"


async def test_an_error_of_the_remote_is_the_answer(tmp_path: Path) -> None:
    async with opened(tmp_path) as queue:
        request = codec.build_request("ListMultipartUploads", {"Bucket": "none"})
        members = codec.parse_request(request, b"")
        response = await list_multipart_uploads(request, members, Memory(), queue.store, nothing)
        assert response.status == 404


async def test_uploads_with_which_the_queue_pushes_are_not_shown(tmp_path: Path) -> None:
    async with opened(tmp_path) as queue:
        remote, known = await filled(queue)
        pushed = next(upload_id for key, upload_id in known if key == "c")

        async def own() -> set[str]:
            return {pushed}

        request = codec.build_request("ListMultipartUploads", {"Bucket": BUCKET})
        members = codec.parse_request(request, b"")
        response = await list_multipart_uploads(request, members, remote, queue.store, own)
        assert isinstance(response.body, bytes)
        shown = codec.parse_response("ListMultipartUploads", response, response.body)["Uploads"]
        assert "c" not in {entry["Key"] for entry in shown}
        assert len(shown) == len(known) - 1


async def test_a_common_prefix_of_nothing_but_the_queue_s_own_is_not_shown(tmp_path: Path) -> None:
    async with opened(tmp_path) as queue:
        remote = Memory()
        await remote(codec.build_request("CreateBucket", {"Bucket": BUCKET}))
        ids = {key: await begin(remote, key) for key in ("d/1", "d/2", "e/1", "e/2", "f/1")}
        own = {ids["d/1"], ids["d/2"], ids["e/1"]}

        async def hidden() -> set[str]:
            return set(own)

        request = codec.build_request("ListMultipartUploads", {"Bucket": BUCKET, "Delimiter": "/"})
        response = await list_multipart_uploads(request, codec.parse_request(request, b""), remote, queue.store, hidden)
        assert isinstance(response.body, bytes)
        found = codec.parse_response("ListMultipartUploads", response, response.body)
        assert [entry["Prefix"] for entry in found["CommonPrefixes"]] == ["e/", "f/"]


async def test_what_the_client_says_of_the_bucket_s_owner_goes_on(tmp_path: Path) -> None:
    async with opened(tmp_path) as queue:
        remote, seen = Memory(), []
        await remote(codec.build_request("CreateBucket", {"Bucket": BUCKET}))

        async def watched(request: S3Request) -> S3Response:
            seen.append(request)
            return await remote(request)

        request = codec.build_request("ListMultipartUploads", {"Bucket": BUCKET, "ExpectedBucketOwner": "123456789012"})
        request.request_id = "the-client-s"
        await list_multipart_uploads(request, codec.parse_request(request, b""), watched, queue.store, nothing)
        (asked,) = seen
        assert (asked.headers["x-amz-expected-bucket-owner"], asked.request_id) == ("123456789012", "the-client-s")
