"""CompleteMultipartUpload."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from typing import Any

import pytest
from conformance.calling import Members, Refused, call, refused
from model.checksums import checksum, composite
from unit.standalone import opened
from unit.standalone.opened import BUCKET
from unit.standalone.uploading import PART, add, begin, complete, etag, put_in_parts

from s3d.standalone import complete as completing
from s3d.standalone.backend import Standalone
from s3d.standalone.store import Store

backend, directory, store = opened.backend, opened.directory, opened.store
K = {"Bucket": BUCKET, "Key": "k"}
TAIL = b"tail"
ETAGS = (1, etag(PART)), (2, etag(TAIL))


@pytest.fixture
async def upload(backend: Standalone) -> Members:
    """With parts 1 and 2, and 7, which no test names."""
    upload = await begin(backend)
    for number, data in ((1, PART), (2, TAIL), (7, PART[1:])):
        await add(backend, upload, number, data)
    return upload


async def _unchanged(backend: Standalone, upload: Members) -> None:
    """The upload is as it was, and can be completed."""
    parts = (await call(backend, "ListParts", upload))["Parts"]
    assert [part["PartNumber"] for part in parts] == [1, 2, 7]
    await complete(backend, upload, *ETAGS)
    assert (await call(backend, "GetObject", K))["Body"] == PART + TAIL


async def _with_checksums(backend: Standalone, algorithm: str, kind: str, **members: Any) -> Members:
    """Completes an upload of PART and TAIL, with the parts' checksums."""
    upload = await begin(backend, ChecksumAlgorithm=algorithm, ChecksumType=kind)
    entries = []
    for number, data in ((1, PART), (2, TAIL)):
        value = {f"Checksum{algorithm}": checksum(algorithm, data)}
        entries.append({"PartNumber": number, **await add(backend, upload, number, data, **value)})
    return await call(backend, "CompleteMultipartUpload", {**upload, "MultipartUpload": {"Parts": entries}, **members})


async def test_the_answer(backend: Standalone, upload: Members) -> None:
    md5s = hashlib.md5(PART).digest() + hashlib.md5(TAIL).digest()
    assert await complete(backend, upload, *ETAGS) == {
        "Location": f"http://{BUCKET}.localhost/k",
        "Bucket": BUCKET,
        "Key": "k",
        "ETag": f'"{hashlib.md5(md5s).hexdigest()}-2"',
        "ChecksumCRC64NVME": checksum("CRC64NVME", PART + TAIL),
        "ChecksumType": "FULL_OBJECT",
    }
    assert (await call(backend, "GetObject", K))["Body"] == PART + TAIL
    with refused(404, "NoSuchUpload"):
        await call(backend, "ListParts", upload)


async def test_etags_without_quotes(backend: Standalone, upload: Members) -> None:
    await complete(backend, upload, *((number, tag.strip('"')) for number, tag in ETAGS))


@pytest.mark.parametrize(
    ("parts", "code", "elements"),
    [
        ([], "MalformedXML", {}),
        ([(2, etag(TAIL)), (1, etag(PART))], "InvalidPartOrder", {}),
        ([(1, etag(PART)), (1, etag(PART))], "InvalidPartOrder", {}),
        ([(0, etag(PART))], "InvalidArgument", {}),
        ([(1, etag(TAIL))], "InvalidPart", {"PartNumber": "1", "ETag": etag(TAIL).strip('"')}),
        ([(1, etag(PART)), (3, etag(TAIL))], "InvalidPart", {"PartNumber": "3", "ETag": etag(TAIL).strip('"')}),
        (
            [(2, etag(TAIL)), (7, etag(PART[1:]))],
            "EntityTooSmall",
            {
                "PartNumber": "2",
                "ETag": etag(TAIL).strip('"'),
                "ProposedSize": "4",
                "MinSizeAllowed": "5242880",
            },
        ),
    ],
)
async def test_a_wrong_list(
    backend: Standalone, upload: Members, parts: list[tuple[int, str]], code: str, elements: dict[str, str]
) -> None:
    with refused(400, code, elements=elements) as refusal:
        await complete(backend, upload, *parts)
    if code.startswith("InvalidPart"):
        assert refusal.value.elements["UploadId"] == upload["UploadId"]
    await _unchanged(backend, upload)


@pytest.mark.parametrize("entry", [{"PartNumber": 1}, {"ETag": etag(PART)}])
async def test_half_an_entry(backend: Standalone, upload: Members, entry: Members) -> None:
    with refused(400, "MalformedXML"):
        await call(backend, "CompleteMultipartUpload", {**upload, "MultipartUpload": {"Parts": [entry]}})


@pytest.mark.parametrize(
    "wrong",
    [{"UploadId": "none"}, {"Key": "other"}],
)
async def test_an_upload_that_is_not_there(backend: Standalone, upload: Members, wrong: Members) -> None:
    with refused(404, "NoSuchUpload", elements={"UploadId": {**upload, **wrong}["UploadId"]}):
        await complete(backend, {**upload, **wrong}, *ETAGS)


async def test_conditions_on_the_key(backend: Standalone, upload: Members) -> None:
    with refused(404, "NoSuchKey", elements={"Key": "k"}):
        await complete(backend, upload, *ETAGS, IfMatch=etag(b"before"))
    await call(backend, "PutObject", K, b"before")
    with refused(412, "PreconditionFailed", elements={"Condition": "If-None-Match"}):
        await complete(backend, upload, *ETAGS, IfNoneMatch="*")
    with refused(412, "PreconditionFailed", elements={"Condition": "If-Match"}):
        await complete(backend, upload, *ETAGS, IfMatch=etag(b"other"))
    assert (await call(backend, "GetObject", K))["Body"] == b"before"
    await complete(backend, upload, *ETAGS, IfMatch=etag(b"before"))
    assert (await call(backend, "GetObject", K))["Body"] == PART + TAIL


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"MpuObjectSize": len(PART)}, "InvalidRequest"),
        ({"ChecksumType": "COMPOSITE"}, "InvalidRequest"),
        ({"ChecksumCRC64NVME": "AAAA"}, "InvalidRequest"),
        ({"ChecksumCRC64NVME": checksum("CRC64NVME", PART)}, "BadDigest"),
        ({"ChecksumCRC32": checksum("CRC32", PART + TAIL)}, "BadDigest"),  # was not computed
        ({"ChecksumXXHASH64": checksum("CRC64NVME", PART + TAIL)}, "BadDigest"),  # the right value, but of another one
    ],
)
async def test_what_the_whole_is_not(backend: Standalone, upload: Members, members: Members, code: str) -> None:
    with refused(400, code):
        await complete(backend, upload, *ETAGS, **members)
    await _unchanged(backend, upload)


async def test_what_the_whole_is(backend: Standalone, upload: Members) -> None:
    value = checksum("CRC64NVME", PART + TAIL)
    said = {"MpuObjectSize": len(PART + TAIL), "ChecksumType": "FULL_OBJECT", "ChecksumCRC64NVME": value}
    assert (await complete(backend, upload, *ETAGS, **said))["ChecksumCRC64NVME"] == value


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME"])
async def test_a_checksum_of_the_whole(backend: Standalone, algorithm: str) -> None:
    value = {f"Checksum{algorithm}": checksum(algorithm, PART + TAIL), "ChecksumType": "FULL_OBJECT"}
    done = await _with_checksums(backend, algorithm, "FULL_OBJECT", **value)
    assert {name: done[name] for name in value} == value
    head = await call(backend, "HeadObject", {**K, "ChecksumMode": "ENABLED"})
    assert {name: head[name] for name in value} == value


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "SHA1", "SHA256"])
@pytest.mark.parametrize("counted", [True, False])
async def test_a_checksum_of_checksums(backend: Standalone, algorithm: str, counted: bool) -> None:
    value = composite(algorithm, [checksum(algorithm, PART), checksum(algorithm, TAIL)])
    said = {f"Checksum{algorithm}": value if counted else value.partition("-")[0]}
    done = await _with_checksums(backend, algorithm, "COMPOSITE", **said)
    assert (done[f"Checksum{algorithm}"], done["ChecksumType"]) == (value, "COMPOSITE")


async def test_a_wrong_checksum_of_checksums(backend: Standalone) -> None:
    right = composite("SHA256", [checksum("SHA256", PART), checksum("SHA256", TAIL)])
    for wrong in (right.replace("-2", "-3"), base64.b64encode(bytes(32)).decode()):
        with refused(400, "BadDigest"):
            await _with_checksums(backend, "SHA256", "COMPOSITE", ChecksumSHA256=wrong)


async def test_the_list_has_the_checksums_of_the_parts(backend: Standalone) -> None:
    upload = await begin(backend, ChecksumAlgorithm="SHA1")
    part = await add(backend, upload, 1, TAIL, ChecksumSHA1=checksum("SHA1", TAIL))
    with refused(400, "InvalidRequest") as refusal:
        await complete(backend, upload, (1, part["ETag"]))
    assert "missing for part 1" in str(refusal.value)
    wrong = {"PartNumber": 1, "ETag": part["ETag"], "ChecksumSHA1": checksum("SHA1", b"")}
    with refused(400, "InvalidPart"):
        await call(backend, "CompleteMultipartUpload", {**upload, "MultipartUpload": {"Parts": [wrong]}})


async def test_again(backend: Standalone, upload: Members) -> None:
    first = await complete(backend, upload, *ETAGS)
    await call(backend, "PutObject", K, b"after")
    assert await complete(backend, upload, *ETAGS) == first
    assert (await call(backend, "GetObject", K))["Body"] == b"after"
    with refused(404, "NoSuchUpload"):
        await complete(backend, {**upload, "Key": "other"}, *ETAGS)


async def test_again_after_a_week(backend: Standalone, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = await begin(backend)
    await add(backend, upload, 1, TAIL)
    await complete(backend, upload, (1, etag(TAIL)))
    later = completing.now() + 6 * 86400
    monkeypatch.setattr(completing, "now", lambda: later)
    await put_in_parts(backend, "other", b"x")
    await complete(backend, upload, (1, etag(TAIL)))  # still known
    later += 2 * 86400
    await put_in_parts(backend, "third", b"x")
    with refused(404, "NoSuchUpload"):
        await complete(backend, upload, (1, etag(TAIL)))
    assert store.reader.execute("SELECT count(*) FROM completed").fetchone() == (2,)


@pytest.mark.parametrize("status", ["Enabled", "Suspended"])
async def test_versions(backend: Standalone, status: str) -> None:
    await call(backend, "PutObject", K, b"null")
    versioning = {"VersioningConfiguration": {"Status": status}}
    await call(backend, "PutBucketVersioning", {"Bucket": BUCKET, **versioning})
    first = await put_in_parts(backend, "k", PART, TAIL)
    second = await put_in_parts(backend, "k", TAIL)
    assert (await call(backend, "GetObject", K))["Body"] == TAIL
    assert ("VersionId" in first, "VersionId" in second) == ((True, True) if status == "Enabled" else (False, False))
    if status == "Enabled":
        old = {**K, "VersionId": first["VersionId"]}
        assert (await call(backend, "GetObject", old))["Body"] == PART + TAIL
        await call(backend, "DeleteObject", {**K, "VersionId": second["VersionId"]})
        assert (await call(backend, "GetObject", K))["Body"] == PART + TAIL
        await call(backend, "DeleteObject", old)
        assert (await call(backend, "GetObject", K))["Body"] == b"null"


@pytest.mark.parametrize("part_first", [True, False])
async def test_a_part_is_replaced_at_the_same_time(backend: Standalone, upload: Members, part_first: bool) -> None:
    """One of the two comes first, and the other sees that."""
    steps = [add(backend, upload, 2, b"else"), complete(backend, upload, *ETAGS)]
    if not part_first:
        steps.reverse()
    outcomes = await asyncio.gather(*steps, return_exceptions=True)
    refusals = [outcome.code for outcome in outcomes if isinstance(outcome, Refused)]
    assert refusals in (["InvalidPart"], ["NoSuchUpload"])
    if refusals == ["NoSuchUpload"]:
        assert (await call(backend, "GetObject", K))["Body"] == PART + TAIL
    else:
        await complete(backend, upload, (1, etag(PART)), (2, etag(b"else")))
        assert (await call(backend, "GetObject", K))["Body"] == PART + b"else"


async def test_the_parts_survive_a_restart(backend: Standalone, upload: Members) -> None:
    await backend.close()
    await backend.open()
    await complete(backend, upload, *ETAGS)
    await backend.close()
    await backend.open()
    assert (await call(backend, "GetObject", K))["Body"] == PART + TAIL


async def test_an_odd_key(backend: Standalone) -> None:
    key = "../ä&<\n"
    done = await put_in_parts(backend, key, TAIL)
    assert done["Location"] == f"http://{BUCKET}.localhost/../%C3%A4%26%3C%0A"
    assert (await call(backend, "GetObject", {**K, "Key": key}))["Body"] == TAIL
