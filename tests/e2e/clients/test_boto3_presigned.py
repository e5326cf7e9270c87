"""URLs and forms that boto3 signs for s3d's address, used by a plain HTTP client that knows nothing of S3.

Signature Version 2 is still what boto3 signs URLs with by default for an endpoint of one's own.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
import urllib3
from botocore.config import Config

pytestmark = pytest.mark.peer

KEY = "folder one/a+b é%.bin"
DATA = random.Random(1).randbytes(300_000)


@pytest.fixture(scope="module", params=["default", "v2", "v4"])
def version(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def signer(version: str, endpoint: str, credentials: dict[str, str]) -> Iterator[Any]:
    """A boto3 client that only signs."""
    config = Config(signature_version={"default": None, "v2": "s3", "v4": "s3v4"}[version])
    client = boto3.client("s3", endpoint_url=endpoint, config=config, **credentials)
    url = client.generate_presigned_url("get_object", Params={"Bucket": "some-bucket", "Key": "k"})
    assert ("X-Amz-Signature" if version == "v4" else "Signature") in parse_qs(urlsplit(url).query)
    yield client
    client.close()


@pytest.fixture
def _further_parameters(version: str, direct: bool) -> None:
    """SeaweedFS itself refuses a V2 signature on a query with more than subresources; s3d must not."""
    if direct and version != "v4":
        pytest.skip("SeaweedFS does not take this with Signature Version 2")


@pytest.fixture(scope="module")
def http() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(retries=False) as pool:
        yield pool


def test_get_and_head(signer: Any, http: urllib3.PoolManager, remote: Any, bucket: str) -> None:
    remote.put_object(Bucket=bucket, Key=KEY, Body=DATA, ContentType="image/png")
    url = signer.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": KEY})
    whole = http.request("GET", url)
    assert (whole.status, whole.headers["content-type"]) == (200, "image/png")
    assert hashlib.sha256(whole.data).digest() == hashlib.sha256(DATA).digest()
    part = http.request("GET", url, headers={"Range": "bytes=1000-1999"})
    assert (part.status, part.data) == (206, DATA[1000:2000])
    assert http.request("GET", url, headers={"If-None-Match": whole.headers["etag"]}).status == 304
    head = http.request("HEAD", signer.generate_presigned_url("head_object", Params={"Bucket": bucket, "Key": KEY}))
    assert (head.status, head.headers["content-length"]) == (200, str(len(DATA)))


@pytest.mark.usefixtures("_further_parameters")
def test_get_with_other_response_headers(signer: Any, http: urllib3.PoolManager, remote: Any, bucket: str) -> None:
    remote.put_object(Bucket=bucket, Key=KEY, Body=DATA)
    overrides = {"ResponseContentDisposition": 'attachment; filename="a b.bin"', "ResponseContentType": "text/x-own"}
    url = signer.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": KEY, **overrides})
    answer = http.request("GET", url)
    assert answer.status == 200
    assert answer.headers["content-disposition"] == 'attachment; filename="a b.bin"'
    assert answer.headers["content-type"] == "text/x-own"


@pytest.mark.usefixtures("_further_parameters")
def test_a_list(signer: Any, http: urllib3.PoolManager, remote: Any, bucket: str) -> None:
    for name in ("a/1", "a/2", "b"):
        remote.put_object(Bucket=bucket, Key=name, Body=b"")
    url = signer.generate_presigned_url("list_objects_v2", Params={"Bucket": bucket, "Prefix": "a/"})
    answer = http.request("GET", url)
    assert answer.status == 200
    assert answer.data.count(b"<Contents>") == 2


def test_put(signer: Any, http: urllib3.PoolManager, remote: Any, bucket: str) -> None:
    params = {"Bucket": bucket, "Key": KEY, "ContentType": "image/png"}
    url = signer.generate_presigned_url("put_object", Params=params)
    assert http.request("PUT", url, body=DATA, headers={"Content-Type": "image/png"}).status == 200
    stored = remote.get_object(Bucket=bucket, Key=KEY)
    assert stored["ContentType"] == "image/png"
    assert hashlib.sha256(stored["Body"].read()).digest() == hashlib.sha256(DATA).digest()


@pytest.mark.usefixtures("_further_parameters")
def test_put_with_metadata_in_the_signature(
    signer: Any, http: urllib3.PoolManager, remote: Any, bucket: str, direct: bool
) -> None:
    """With V4 the metadata is a signed header; with V2 boto3 puts it in the query, where S3 reads it and SeaweedFS not."""
    params = {"Bucket": bucket, "Key": KEY, "Metadata": {"owner": "someone"}}
    url = signer.generate_presigned_url("put_object", Params=params)
    in_query = "x-amz-meta-owner" in parse_qs(urlsplit(url).query)
    headers = {} if in_query else {"x-amz-meta-owner": "someone"}
    assert http.request("PUT", url, body=b"x", headers=headers).status == 200
    head = remote.head_object(Bucket=bucket, Key=KEY)
    assert head["ContentLength"] == 1
    if not (in_query and direct):
        assert head["Metadata"] == {"owner": "someone"}


def test_multipart(signer: Any, http: urllib3.PoolManager, remote: Any, bucket: str) -> None:
    """What a browser upload does: the server hands out one URL a part."""
    name = {"Bucket": bucket, "Key": KEY}
    upload = remote.create_multipart_upload(**name)["UploadId"]
    chunks = [random.Random(5).randbytes(5 << 20), b"the end"]
    parts = []
    for number, chunk in enumerate(chunks, 1):
        params = {**name, "UploadId": upload, "PartNumber": number}
        answer = http.request("PUT", signer.generate_presigned_url("upload_part", Params=params), body=chunk)
        assert answer.status == 200
        parts.append({"PartNumber": number, "ETag": answer.headers["etag"]})
    remote.complete_multipart_upload(**name, UploadId=upload, MultipartUpload={"Parts": parts})
    stored = remote.get_object(**name)["Body"].read()
    assert hashlib.sha256(stored).digest() == hashlib.sha256(b"".join(chunks)).digest()


def test_delete(signer: Any, http: urllib3.PoolManager, remote: Any, bucket: str) -> None:
    remote.put_object(Bucket=bucket, Key=KEY, Body=DATA)
    url = signer.generate_presigned_url("delete_object", Params={"Bucket": bucket, "Key": KEY})
    assert http.request("DELETE", url).status == 204
    assert "Contents" not in remote.list_objects_v2(Bucket=bucket)


def test_an_expired_url_is_refused(signer: Any, http: urllib3.PoolManager, remote: Any, bucket: str) -> None:
    remote.put_object(Bucket=bucket, Key=KEY, Body=DATA)
    url = signer.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": KEY}, ExpiresIn=1)
    time.sleep(2.1)
    answer = http.request("GET", url)
    assert answer.status in {400, 403}
    assert DATA not in answer.data


def test_a_browser_form(signer: Any, http: urllib3.PoolManager, remote: Any, bucket: str) -> None:
    post = signer.generate_presigned_post(
        bucket,
        "uploads/${filename}",
        Fields={"x-amz-meta-owner": "someone", "success_action_status": "201"},
        Conditions=[
            ["starts-with", "$key", "uploads/"],
            ["starts-with", "$Content-Type", ""],
            ["content-length-range", 1, 1_000_000],
            {"x-amz-meta-owner": "someone"},
            {"success_action_status": "201"},
        ],
    )
    fields = {**post["fields"], "Content-Type": "image/png", "file": ("my picture.png", DATA, "image/png")}
    answer = http.request("POST", post["url"], fields=fields)
    assert (answer.status, answer.data.count(b"<PostResponse>")) == (201, 1), answer.data
    stored = remote.get_object(Bucket=bucket, Key="uploads/my picture.png")
    assert (stored["ContentType"], stored["Metadata"]) == ("image/png", {"owner": "someone"})
    assert hashlib.sha256(stored["Body"].read()).digest() == hashlib.sha256(DATA).digest()


def test_a_form_that_breaks_its_policy_is_refused(
    signer: Any, http: urllib3.PoolManager, remote: Any, bucket: str
) -> None:
    post = signer.generate_presigned_post(bucket, "k", Conditions=[["content-length-range", 1, 10]])
    answer = http.request("POST", post["url"], fields={**post["fields"], "file": ("f", DATA, "text/plain")})
    assert (answer.status, b"<Code>EntityTooLarge</Code>" in answer.data) == (400, True), answer.data
    assert "Contents" not in remote.list_objects_v2(Bucket=bucket)
