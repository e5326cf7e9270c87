"""What the write queue accepts while the remote is away arrives as if the client had sent it there itself: each object is
put twice, through the queue and straight at the remote, and both are compared."""

from __future__ import annotations

import base64
import contextlib
import http.client
import random
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import peers
import pytest
from e2e.boto import s3_client
from e2e.queued import Queued, linked, queued, refusal, state
from fault_proxy import FaultProxy

pytestmark = pytest.mark.peer

MIB = 1 << 20
DIFFERS = {"date", "last-modified", "x-amz-request-id", "x-amz-id-2", "x-s3d-state", "server", "connection", "vary"}
"""Headers of an answer that are not about the object, or not the same for two that were put after one another."""


@pytest.fixture(scope="module")
def queue(seaweedfs: peers.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Queued]:
    with linked(seaweedfs, tmp_path_factory.mktemp("accepts")) as found:
        yield found


@pytest.fixture
def bucket(queue: Queued, new_bucket_name: Callable[[], str]) -> Iterator[str]:
    """A bucket that the queue knows, of a remote that is away from then on."""
    name = queue.known_bucket(new_bucket_name())
    queue.proxy.set("closed")
    yield name
    queue.proxy.set("pass")


def arrive(queue: Queued) -> None:
    queue.proxy.set("pass")
    queue.drained()


def about(client: Any, bucket: str, key: str, **arguments: Any) -> tuple[dict[str, str], bytes, dict[str, str]]:
    """Headers, bytes and tags of an object."""
    answer = client.get_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED", **arguments)
    headers = {k: v for k, v in answer["ResponseMetadata"]["HTTPHeaders"].items() if k not in DIFFERS}
    tags = client.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]
    return headers, answer["Body"].read(), {tag["Key"]: tag["Value"] for tag in tags}


ALL_HEADERS = {
    "ContentType": "text/x-test; charset=utf-8",
    "CacheControl": "private, max-age=5",
    "ContentDisposition": 'attachment; filename="a b.txt"',
    "ContentEncoding": "identity",
    "ContentLanguage": "de, en",
    "Expires": 2_000_000_000,
    "Metadata": {"plain": "1", "spaces": "a  b", "empty": "", "case": "MiXed"},
    "Tagging": "k=v&empty=&%C3%A9%2B=%20%40",
    "StorageClass": "STANDARD_IA",
}


@pytest.mark.parametrize("headers", [{}, ALL_HEADERS], ids=["no header", "all headers"])
@pytest.mark.parametrize("size", [0, 1, 70_000, 2 * MIB])
def test_headers(queue: Queued, bucket: str, headers: dict[str, Any], size: int) -> None:
    body = random.Random(size).randbytes(size)
    for where, key in ((queue.client, "here"), (queue.direct, "there")):
        where.put_object(Bucket=bucket, Key=key, Body=body, **headers)
    assert state(queue.client.head_object(Bucket=bucket, Key="here")) == "pending"
    before = about(queue.client, bucket, "here")
    arrive(queue)
    assert about(queue.direct, bucket, "here") == about(queue.direct, bucket, "there")
    after = about(queue.direct, bucket, "here")
    assert before[1:] == after[1:]
    of_seaweedfs = (
        "seaweed-",
        "x-amz-tagging-",
        *([] if headers else ["content-type"]),
    )  # it looks into the bytes for one
    other = {name: value for name, value in after[0].items() if before[0].get(name) != value}
    assert {name: value for name, value in other.items() if not name.startswith(of_seaweedfs)} == {}


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_checksums(queue: Queued, bucket: str, algorithm: str) -> None:
    name = f"Checksum{algorithm}"
    body = random.Random(1).randbytes(100_000)
    for where, key in ((queue.client, "here"), (queue.direct, "there")):
        where.put_object(Bucket=bucket, Key=key, Body=body, ChecksumAlgorithm=algorithm)
    before = queue.client.head_object(Bucket=bucket, Key="here", ChecksumMode="ENABLED")[name]
    wrong = base64.b64encode(bytes(len(base64.b64decode(before)))).decode()
    code, status, _ = refusal(queue.client.put_object, Bucket=bucket, Key="wrong", Body=body, **{name: wrong})
    assert (code, status) == ("BadDigest", 400)
    arrive(queue)
    assert about(queue.direct, bucket, "here") == about(queue.direct, bucket, "there")
    after = queue.direct.head_object(Bucket=bucket, Key="there", ChecksumMode="ENABLED").get(name, before)
    assert after == before
    assert refusal(queue.direct.head_object, Bucket=bucket, Key="wrong")[1] == 404


def send(queue: Queued, path: str, pieces: list[bytes], headers: dict[str, str]) -> tuple[int, dict[str, str]]:
    """A request as other SDKs make it. What s3d says."""
    connection = http.client.HTTPConnection(urlsplit(queue.server.url).netloc, timeout=60)
    try:
        connection.putrequest("PUT", path)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        for piece in pieces:
            connection.send(piece)
        answer = connection.getresponse()
        answer.read()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()


def test_every_form_of_body(queue: Queued, bucket: str) -> None:
    body = random.Random(2).randbytes(150_000)
    halves = (body[:100_000], body[100_000:])
    crc = base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
    chunks = [b"%x\r\n%b\r\n" % (len(half), half) for half in halves]
    trailer = b"0\r\nx-amz-checksum-crc32:%b\r\n\r\n" % crc.encode()
    aws = {
        "Content-Encoding": "aws-chunked",
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": str(len(body)),
        "x-amz-trailer": "x-amz-checksum-crc32",
    }
    length = {"Content-Length": str(sum(map(len, chunks)) + len(trailer))}
    chunked = {"Transfer-Encoding": "chunked"}
    framed = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (*chunks, trailer)]
    forms: dict[str, tuple[list[bytes], dict[str, str]]] = {
        "length": ([body], {"Content-Length": str(len(body))}),
        "chunked": ([*chunks, b"0\r\n\r\n"], chunked | {"x-amz-decoded-content-length": str(len(body))}),
        "aws-chunked": ([*chunks, trailer], aws | length),
        "aws-chunked in chunks": ([*framed, b"0\r\n\r\n"], aws | chunked),
    }
    for form, (pieces, headers) in forms.items():
        status, answer = send(queue, f"/{bucket}/{form.replace(' ', '%20')}", pieces, headers)
        assert (form, status, answer.get("x-s3d-state")) == (form, 200, "pending")
    wrong = trailer.replace(crc.encode(), b"AAAAAA==")
    assert send(queue, f"/{bucket}/wrong", [*chunks, wrong], aws | length)[0] == 400
    arrive(queue)
    for form in forms:
        found = queue.direct.get_object(Bucket=bucket, Key=form, ChecksumMode="ENABLED")
        assert found["Body"].read() == body
        assert "aws-chunked" not in found.get("ContentEncoding", "")
        assert found.get("ChecksumCRC32", crc) == crc
    assert refusal(queue.direct.head_object, Bucket=bucket, Key="wrong")[1] == 404


def test_uploads_of_many_parts_at_a_time(queue: Queued, bucket: str) -> None:
    headers = {k: v for k, v in ALL_HEADERS.items() if k != "Expires"}
    bodies = {number: random.Random(number).randbytes(size) for number, size in ((1, 5 * MIB), (4, 6 * MIB), (9, 77))}

    def upload(client: Any, key: str) -> str:
        at = {"Bucket": bucket, "Key": key}
        at["UploadId"] = client.create_multipart_upload(**at, **headers)["UploadId"]

        def send_part(number: int) -> dict[str, Any]:
            return {
                "PartNumber": number,
                "ETag": client.upload_part(**at, PartNumber=number, Body=bodies[number])["ETag"],
            }

        with ThreadPoolExecutor(3) as pool:
            parts = list(pool.map(send_part, bodies))
        done = client.complete_multipart_upload(**at, MultipartUpload={"Parts": parts})
        etag: str = done["ETag"]
        return etag

    etag = upload(queue.client, "here")
    assert upload(queue.direct, "there") == etag
    attributes = ["ETag", "ObjectParts", "ObjectSize"]
    found = queue.client.get_object_attributes(Bucket=bucket, Key="here", ObjectAttributes=attributes)
    assert (found["ETag"], found["ObjectParts"]["TotalPartsCount"]) == (etag.strip('"'), 3)
    before = about(queue.client, bucket, "here")
    arrive(queue)
    after = about(queue.direct, bucket, "here")
    assert after == about(queue.direct, bucket, "there")
    assert before[1:] == after[1:]
    assert after[0]["etag"] == etag


def test_parts_from_what_waits(queue: Queued, bucket: str) -> None:
    s3, at = queue.client, {"Bucket": bucket, "Key": "copy"}
    body = random.Random(3).randbytes(6 * MIB)
    s3.put_object(Bucket=bucket, Key="source é", Body=body)
    upload = {**at, "UploadId": s3.create_multipart_upload(**at)["UploadId"]}
    source = {"Bucket": bucket, "Key": "source é"}
    etags = [
        s3.upload_part_copy(**upload, PartNumber=number, CopySource=source, CopySourceRange=f"bytes={of}")
        for number, of in ((1, f"0-{5 * MIB - 1}"), (2, "10-19"))
    ]
    parts = [{"PartNumber": n, "ETag": each["CopyPartResult"]["ETag"]} for n, each in enumerate(etags, 1)]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    s3.delete_object(Bucket=bucket, Key="source é")
    arrive(queue)
    assert queue.direct.get_object(**at)["Body"].read() == body[: 5 * MIB] + body[10:20]
    assert refusal(queue.direct.head_object, **source)[1] == 404


def test_copies_of_what_waits(queue: Queued, bucket: str) -> None:
    s3 = queue.client
    s3.put_object(Bucket=bucket, Key="a", Body=b"body", **ALL_HEADERS)
    s3.copy_object(Bucket=bucket, Key="same", CopySource=f"{bucket}/a")
    replaced = {"MetadataDirective": "REPLACE", "Metadata": {"n": "2"}, "ContentType": "text/other"}
    s3.copy_object(Bucket=bucket, Key="other", CopySource=f"{bucket}/a", **replaced)
    s3.copy_object(Bucket=bucket, Key="tags", CopySource=f"{bucket}/a", TaggingDirective="REPLACE", Tagging="x=y")
    s3.copy_object(Bucket=bucket, Key="a", CopySource=f"{bucket}/a", **replaced)
    refused = refusal(s3.copy_object, Bucket=bucket, Key="none", CopySource=f"{bucket}/absent")
    assert refused[1] == 503
    s3.delete_object(Bucket=bucket, Key="known")
    assert refusal(s3.copy_object, Bucket=bucket, Key="none", CopySource=f"{bucket}/known")[:2] == ("NoSuchKey", 404)
    arrive(queue)
    found = {key: about(queue.direct, bucket, key) for key in ("a", "same", "other", "tags")}
    assert {key: body for key, (_, body, _) in found.items()} == dict.fromkeys(found, b"body")
    tags = {"k": "v", "empty": "", "é+": " @"}
    assert {key: of for key, (_, _, of) in found.items()} == {
        "a": tags,
        "same": tags,
        "other": tags,
        "tags": {"x": "y"},
    }
    assert found["same"][0]["x-amz-meta-case"] == found["tags"][0]["x-amz-meta-case"] == "MiXed"
    for key in ("a", "other"):
        assert (found[key][0]["x-amz-meta-n"], found[key][0]["content-type"]) == ("2", "text/other")
        assert "x-amz-meta-case" not in found[key][0]
    assert refusal(queue.direct.head_object, Bucket=bucket, Key="none")[1] == 404


def test_deletes_and_tags(queue: Queued, bucket: str) -> None:
    s3 = queue.client
    for key in "abcd":
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode(), Tagging="t=1")
    objects = [{"Key": key} for key in ("a", "known", "never there")]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})
    assert [entry["Key"] for entry in answer["Deleted"]] == ["a", "known", "never there"]
    assert state(answer) == "pending"
    assert "Deleted" not in s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a"}], "Quiet": True})
    s3.delete_object_tagging(Bucket=bucket, Key="b")
    s3.put_object_tagging(Bucket=bucket, Key="c", Tagging={"TagSet": [{"Key": "t", "Value": "2"}]})
    s3.put_object(Bucket=bucket, Key="d", Body=b"again")  # the tags are those of the object that is replaced
    refused = refusal(s3.put_object_tagging, Bucket=bucket, Key="a", Tagging={"TagSet": []})
    assert refused[:2] == ("NoSuchKey", 404)
    before = {key: s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"] for key in "bcd"}
    assert before == {"b": [], "c": [{"Key": "t", "Value": "2"}], "d": []}
    arrive(queue)
    assert {key: queue.direct.get_object_tagging(Bucket=bucket, Key=key)["TagSet"] for key in "bcd"} == before
    listed = queue.direct.list_objects_v2(Bucket=bucket)["Contents"]
    assert [entry["Key"] for entry in listed] == ["b", "c", "d"]


def test_tags_of_what_has_arrived(queue: Queued, bucket: str) -> None:
    """Only the remote knows whether there is such an object: no guess while it is away."""
    tags = {"TagSet": [{"Key": "t", "Value": "1"}]}
    code, status, headers = refusal(queue.client.put_object_tagging, Bucket=bucket, Key="known", Tagging=tags)
    assert (code, status) == ("ServiceUnavailable", 503)
    assert int(headers["retry-after"]) > 0
    queue.proxy.set("pass")
    answer = queue.client.put_object_tagging(Bucket=bucket, Key="known", Tagging=tags)
    assert queue.client.get_object_tagging(Bucket=bucket, Key="known")["TagSet"] == tags["TagSet"]
    assert state(answer) == "remote"


def test_a_remote_that_was_never_there(
    seaweedfs: peers.Server, tmp_path: Path, new_bucket_name: Callable[[], str]
) -> None:
    bucket = new_bucket_name()
    settings = {"S3D_WRITE_QUEUE_UNKNOWN_BUCKETS": "accept", "S3D_OFFLINE_LIST": "local"}
    with FaultProxy(seaweedfs.url).running() as proxy:
        proxy.set("closed")
        with queued(seaweedfs, tmp_path / "s3d", proxy, **settings) as queue:
            assert state(queue.client.put_object(Bucket=bucket, Key="d/a", Body=b"a")) == "pending"
            assert queue.client.get_object(Bucket=bucket, Key="d/a")["Body"].read() == b"a"
            listed = queue.client.list_objects_v2(Bucket=bucket, Delimiter="/")
            assert [entry["Prefix"] for entry in listed["CommonPrefixes"]] == ["d/"]
            assert listed["ResponseMetadata"]["HTTPHeaders"]["x-s3d-partial"] == "true"
            queue.direct.create_bucket(Bucket=bucket)
            arrive(queue)
            assert queue.direct.get_object(Bucket=bucket, Key="d/a")["Body"].read() == b"a"
            listed = queue.client.list_objects_v2(Bucket=bucket)
            assert "x-s3d-partial" not in listed["ResponseMetadata"]["HTTPHeaders"]


def test_a_bucket_that_was_known_before_the_start(
    seaweedfs: peers.Server, tmp_path: Path, new_bucket_name: Callable[[], str]
) -> None:
    with FaultProxy(seaweedfs.url).running() as proxy:
        with queued(seaweedfs, tmp_path / "s3d", proxy) as queue:
            bucket = queue.known_bucket(new_bucket_name())
            assert bucket in [entry["Name"] for entry in queue.client.list_buckets()["Buckets"]]
        proxy.set("closed")
        with queued(seaweedfs, tmp_path / "s3d", proxy) as queue:
            with contextlib.closing(s3_client(queue.server.url)) as client:
                assert state(client.put_object(Bucket=bucket, Key="a", Body=b"a")) == "pending"
                buckets = client.list_buckets()
                assert bucket in [entry["Name"] for entry in buckets["Buckets"]]
                assert buckets["ResponseMetadata"]["HTTPHeaders"]["x-s3d-stale"] == "true"
                unknown = refusal(client.put_object, Bucket=f"{bucket}-unknown", Key="a", Body=b"a")
                assert unknown[:2] == ("ServiceUnavailable", 503)
            arrive(queue)
            assert queue.direct.get_object(Bucket=bucket, Key="a")["Body"].read() == b"a"
