"""GetObject and HeadObject beneath the conformance suite: bodies that change or are damaged while they are read."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from conformance.calling import answer, body_of, call, refused
from unit.standalone import opened
from unit.standalone.opened import BUCKET

from s3d.s3 import codec
from s3d.s3.errors import S3Error
from s3d.s3.message import FileRange, S3Response
from s3d.standalone.backend import Standalone
from s3d.standalone.store import Store

backend, directory, store = opened.backend, opened.directory, opened.store
AT = {"Bucket": BUCKET, "Key": "k"}
LARGE = bytes(range(250)) * 2000


async def get(backend: Standalone, operation: str = "GetObject", **members: Any) -> S3Response:
    return await backend(codec.build_request(operation, AT | members))


async def test_a_small_body_is_bytes_and_a_large_one_a_file(backend: Standalone) -> None:
    await call(backend, "PutObject", AT, b"small")
    assert (await get(backend)).body == b"small"
    await call(backend, "PutObject", AT, LARGE)
    body = (await get(backend, Range="bytes=10-19")).body
    assert isinstance(body, FileRange)
    assert (body.offset, body.length) == (10, 10)
    body.file.close()


@pytest.mark.parametrize("gone", ["DeleteObject", "PutObject"])
async def test_what_is_read_is_not_disturbed(backend: Standalone, store: Store, gone: str) -> None:
    await call(backend, "PutObject", AT, LARGE)
    response = await get(backend)
    await call(backend, gone, AT, b"new" if gone == "PutObject" else None)
    await store.bodies.close()
    assert await body_of(response) == LARGE


async def test_head_has_the_headers_of_get_and_opens_nothing(backend: Standalone, store: Store) -> None:
    members = AT | {"ContentType": "text/x", "Metadata": {"a": "b"}, "StorageClass": "GLACIER", "Tagging": "a=b&c=d"}
    await call(backend, "PutObject", members, LARGE)
    got = await get(backend)
    assert isinstance(got.body, FileRange)
    got.body.file.close()
    for path in (store.bodies.incoming.parent / "bodies").rglob("*"):
        if path.is_file():
            path.unlink()
    head = await get(backend, "HeadObject")
    del got.headers["x-amz-request-id"], head.headers["x-amz-request-id"]
    assert head.headers == got.headers
    assert head.headers["x-amz-tagging-count"] == "2"
    await call(backend, "DeleteObject", AT)


async def test_a_lost_file_is_an_error_not_a_wrong_body(
    backend: Standalone, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    await call(backend, "PutObject", AT, LARGE)
    for path in (store.bodies.incoming.parent / "bodies").rglob("*"):
        if path.is_file():
            path.unlink()
    with pytest.raises(S3Error, match="InternalError"):
        await get(backend)
    assert "the disk failed" in caplog.text
    await call(backend, "DeleteObject", AT)


async def test_a_lost_row_is_an_error_not_a_wrong_body(backend: Standalone, store: Store) -> None:
    await call(backend, "PutObject", AT, b"small")
    await store.database.change(lambda c: c.execute("DELETE FROM body").rowcount)
    with pytest.raises(S3Error, match="InternalError"):
        await get(backend)
    await call(backend, "DeleteObject", AT)


async def test_no_bytes(backend: Standalone) -> None:
    await call(backend, "PutObject", AT, b"")
    response = await get(backend)
    assert (response.status, response.body, response.headers["Content-Length"]) == (200, b"", "0")
    with pytest.raises(S3Error, match="InvalidRange"):
        await get(backend, Range="bytes=0-0")


async def test_an_object_of_several_files(backend: Standalone) -> None:
    upload = AT | {"UploadId": (await call(backend, "CreateMultipartUpload", AT))["UploadId"]}
    parts = []
    for number, body in ((1, bytes(5 << 20)), (2, LARGE), (3, b"end")):
        if number == 3:
            continue
        part = await call(backend, "UploadPart", {**upload, "PartNumber": number}, body)
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    await call(backend, "CompleteMultipartUpload", {**upload, "MultipartUpload": {"Parts": parts}})
    response = await get(backend, Range=f"bytes={(5 << 20) - 3}-{(5 << 20) + 2}")
    assert isinstance(response.body, AsyncGenerator)
    assert await body_of(response) == bytes(3) + LARGE[:3]
    response, members = await answer(backend, codec.build_request("GetObject", AT | {"PartNumber": 2}))
    assert members["Body"] == LARGE
    assert (response.status, members["PartsCount"]) == (206, 2)


@pytest.mark.parametrize(
    ("condition", "status"),
    [("same", 206), ("date", 206), ('"x"', 200), ("*", 200), ("Thu, 01 Jan 1970 00:00:00 GMT", 200)],
)
async def test_if_range(backend: Standalone, condition: str, status: int) -> None:
    etag = (await call(backend, "PutObject", AT, b"0123456789"))["ETag"]
    head = await get(backend, "HeadObject")
    request = codec.build_request("GetObject", AT | {"Range": "bytes=2-3"})
    request.headers["If-Range"] = {"same": etag, "date": head.headers["Last-Modified"]}.get(condition, condition)
    response = await backend(request)
    assert (response.status, response.body) == (status, b"23" if status == 206 else b"0123456789")


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: x=1", "a\nb", "a\rb", "a\0", "\x7f"])
async def test_a_header_of_the_answer_that_would_begin_another(backend: Standalone, bucket: str, value: str) -> None:
    at = {"Bucket": bucket, "Key": "k"}
    await call(backend, "PutObject", at, b"x")
    for name in ("ResponseContentType", "ResponseContentDisposition", "ResponseExpires"):
        with refused(400, "InvalidArgument"):
            request = codec.build_request("GetObject", at)
            wire = f"response-{'-'.join(re.findall('[A-Z][a-z]+', name)[1:]).lower()}"
            request.query.append((wire, value))
            await answer(backend, request)
