"""The policy in front of queue and cache: who is let in, and what becomes of objects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from conformance.calling import Refused, answer, call
from multidict import CIMultiDict
from unit.write_queue.pushing import until
from unit.write_queue.test_engine import Faulty

from s3d.daemon.gate import Gate, Judge
from s3d.filters.facts import Facts
from s3d.filters.match import Filters
from s3d.filters.rules import Rules
from s3d.policy.config import OnError, PolicyConfig
from s3d.read_cache.backend import ReadCache
from s3d.read_cache.config import ReadCacheConfig
from s3d.s3 import codec
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request, S3Response
from s3d.s3.routing import route
from s3d.write_queue.backend import WriteQueue
from s3d.write_queue.config import WriteQueueConfig

BUCKET = "bkt"
PART = 5 << 20
POLICY = """
package s3d

allow := false if { input.operation == "DeleteObject"; startswith(input.key, "keep/") }
allow := false if { input.operation == "GetObject"; input.bucket == "secret" }
allow := false if { input.operation == "PutObject"; input.source_address == "192.0.2.1" }
upload := false if { input.size > 100; not input.tags.urgent }
cache := false if input.size > 100
priority := 9 if input.metadata.alarm == "yes"
pin if input.tags.keep == "here"
pin if startswith(input.key, "maps/")
"""


class Gated:
    """Policy, queue and cache in front of the model."""

    def __init__(self, directory: Path, text: str, on_error: OnError = OnError.HOLD) -> None:
        self.file = directory / "policy.rego"
        self.file.write_text(text)
        self.rules, self.remote = Rules(), Faulty()
        self.judge = Judge(PolicyConfig(self.file, on_error=on_error))
        self.rules.policy = self.judge
        self.cache = ReadCache(ReadCacheConfig(directory / "cache", free_space=0, tags=False), self.remote, self.rules)
        config = WriteQueueConfig(directory / "queue", free_space=0, max_wait=0.3)
        self.queue = WriteQueue(config, self.cache, self.rules)
        self.gate = Gate(self.queue_or_cache, self.judge, self.queue, self.cache)
        self.is_queued = True

    async def queue_or_cache(self, request: Any) -> Any:
        return await (self.queue if self.is_queued else self.cache)(request)

    async def open(self) -> None:
        for bucket in (BUCKET, "secret"):
            await call(self.remote.inner, "CreateBucket", {"Bucket": bucket})
        self.judge.open(lambda: None)
        await self.cache.open()
        await self.queue.open()

    async def close(self) -> None:
        await self.queue.close()
        await self.cache.close()
        await self.judge.close()

    async def call(self, operation: str, key: str | None = None, body: bytes | None = None, **members: Any) -> Any:
        return await call(self.gate, operation, {"Bucket": BUCKET, **({"Key": key} if key else {}), **members}, body)

    def states(self) -> dict[str, str]:
        return {o.key.decode(): o.state for o in self.queue.page(None, 0, 100)}

    async def rewrite(self, text: str) -> None:
        """The policy is another one now."""
        self.file.write_text(text)
        await self.judge.reload()
        await self.queue.decide_again()
        await self.cache.decide_again()


@pytest.fixture
async def it(tmp_path: Path) -> AsyncIterator[Gated]:
    it = Gated(tmp_path, POLICY)
    await it.open()
    yield it
    await it.close()


async def refused(it: Gated, operation: str, key: str | None = None, **members: Any) -> bool:
    try:
        await it.call(operation, key, **members)
    except Refused as error:
        if error.code != "NoSuchKey":
            return error.code == "AccessDenied"
    return False


async def test_who_is_let_in(it: Gated) -> None:
    assert await refused(it, "DeleteObject", "keep/a")
    assert not await refused(it, "DeleteObject", "other/a")
    assert it.states() == {"other/a": "pending"}
    both = {"Objects": [{"Key": "other/b"}, {"Key": "keep/b"}]}
    assert await refused(it, "DeleteObjects", Delete=both)
    assert not await refused(it, "DeleteObjects", Delete={"Objects": both["Objects"][:1]})
    with pytest.raises(Refused, match="MalformedXML"):  # nobody is asked about so many
        await it.call("DeleteObjects", Delete={"Objects": [{"Key": str(number)} for number in range(1001)]})
    assert await refused(it, "CopyObject", "copy", CopySource="secret/k")
    request = codec.build_request("PutObject", {"Bucket": BUCKET, "Key": "k"})
    request.source_address = "192.0.2.1"
    with pytest.raises(S3Error, match="AccessDenied"):
        await it.gate(request)
    await call(it.gate, "ListBuckets")  # it is about no bucket


async def test_no_way_around_by_what_only_the_remote_ignores(it: Gated) -> None:
    async def is_refused(method: str, key: str | None, query: list[tuple[str, str]], **more: Any) -> bool:
        operation = route(method, more.get("bucket", BUCKET), key, query, more.get("headers", CIMultiDict()))
        assert operation == "Unknown" or more.pop("known", False)
        request = S3Request(method, operation, **({"bucket": BUCKET, "key": key, "query": query} | more))
        try:
            await it.gate(request)
        except S3Error as error:
            return error.code == "AccessDenied"
        return False

    new, document = ("new", "1"), b"<Delete><Object><Key>%s</Key></Object></Delete>"
    assert await is_refused("DELETE", "keep/a", [new])
    assert await is_refused("DELETE", "keep/a", [("new", "")])
    assert not await is_refused("DELETE", "other/a", [new])
    assert await is_refused("GET", "k", [new], bucket="secret")
    assert await is_refused("PUT", "k", [new], source_address="192.0.2.1")
    assert await is_refused("POST", None, [("delete", ""), new], body=document % b"keep/a")
    assert not await is_refused("POST", None, [("delete", ""), new], body=document % b"other/a")
    copied = CIMultiDict({"x-amz-copy-source": "secret/k"})
    assert await is_refused("PUT", "k", [new], headers=copied)
    for source in ("keep/a", "/bkt/keep/a", "bkt%2Fkeep/a"):
        renamed = CIMultiDict({"x-amz-rename-source": source})
        assert await is_refused("PUT", "k", [("renameObject", "")], headers=renamed, known=True)
    # The name of the bucket before the key, or the beginning of the key.
    it.file.write_text('package s3d\n\nallow := false if input.key in {"bkt/a", "b"}\n')
    await it.judge.reload()
    for source, expected in (("bkt/a", True), ("bkt/b", True), ("b", True), ("bkt/c", False), ("a", False)):
        renamed = CIMultiDict({"x-amz-rename-source": source})
        assert await is_refused("PUT", "k", [("renameObject", "")], headers=renamed, known=True) is expected


async def test_what_the_policy_cannot_be_asked_about(it: Gated) -> None:
    async def code(method: str, key: str | None, query: list[tuple[str, str]], *headers: tuple[str, str]) -> str:
        fields = CIMultiDict(headers)
        operation = route(method, BUCKET, key, query, fields)
        with pytest.raises(S3Error) as raised:
            await it.gate(S3Request(method, operation, bucket=BUCKET, key=key, query=query, headers=fields))
        return raised.value.code

    form = ("Content-Type", "multipart/form-data; boundary=x")
    assert await code("POST", None, [("new", "1")], form) == "InvalidRequest"
    for name in ("x-amz-copy-source", "X-Amz-Tagging"):
        assert await code("PUT", "k", [], (name, "other/a"), (name.lower(), "secret/k")) == "InvalidRequest"
    name = "x-amz-rename-source"
    assert await code("PUT", "k", [("renameObject", "")], (name, "other/a"), (name, "keep/a")) == "InvalidRequest"
    assert await code("PUT", "k", [("tagging", "")]) == "MalformedXML"


REFUSES_LATER = """
package s3d

allow := false if input.size > 100
allow := false if { input.tags.secret; endswith(input.operation, "ObjectTagging") }
allow := false if { input.operation == "CopyObject"; input.tags.secret }
allow := false if { input.operation == "DeleteObjectTagging"; count(input.tags) == 0; input.key == "kept" }
"""
SECRET = {"TagSet": [{"Key": "secret", "Value": "1"}]}


async def test_who_is_let_in_when_it_is_known_what_becomes_of_it(tmp_path: Path) -> None:
    """Sizes of uploads, what a copy is made of, tags that an object gets."""
    it = Gated(tmp_path, REFUSES_LATER)
    await it.open()
    it.queue.pause()
    upload = {"UploadId": (await it.call("CreateMultipartUpload", "upload"))["UploadId"]}
    for size in (101, 100):
        part = await it.call("UploadPart", "upload", b"x" * size, PartNumber=1, **upload)
        document = {"MultipartUpload": {"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]}} | upload
        assert await refused(it, "CompleteMultipartUpload", "upload", **document) is (size > 100)
    await it.call("PutObject", "small", b"x")
    await it.call("PutObject", "kept", b"x")
    tags = {"TaggingDirective": "REPLACE", "Tagging": "secret=1"}
    assert await refused(it, "CopyObject", "copy", CopySource=f"{BUCKET}/small", **tags)
    assert await refused(it, "PutObjectTagging", "small", Tagging=SECRET)
    assert not await refused(it, "PutObjectTagging", "small", Tagging={"TagSet": [{"Key": "a", "Value": "1"}]})
    assert await refused(it, "DeleteObjectTagging", "kept")
    assert it.states() == {"upload": "pending", "small": "pending", "kept": "pending"}

    for key, size, more in (("large", 101, {}), ("tagged", 1, {"Tagging": "secret=1"}), ("there", 1, {})):
        await call(it.remote.inner, "PutObject", {"Bucket": BUCKET, "Key": key, **more}, b"x" * size)
    for key, expected in (("large", True), ("tagged", True), ("there", False)):
        assert await refused(it, "CopyObject", "of-" + key, CopySource=f"{BUCKET}/{key}") is expected
    assert await refused(it, "PutObjectTagging", "there", Tagging=SECRET)
    it.is_queued = False
    assert await refused(it, "PutObjectTagging", "there", Tagging=SECRET)
    await it.close()


async def test_what_is_pushed(it: Gated) -> None:
    await it.call("PutObject", "small", b"x")
    await it.call("PutObject", "large", b"x" * 101)
    await it.call("PutObject", "urgent", b"x" * 101, Tagging="urgent=1")
    await it.queue.flush(10)
    assert it.states() == {"large": "held"}
    await it.call("PutObjectTagging", "large", Tagging={"TagSet": [{"Key": "urgent", "Value": "1"}]})
    await it.queue.flush(10)
    assert it.states() == {}


async def test_it_is_stronger_than_tags_and_filter(it: Gated) -> None:
    it.rules.upload = Filters.of("elsewhere")
    it.queue.pause()
    await it.call("PutObject", "large", b"x" * 101, Tagging="s3d.upload=true")
    await it.call("PutObject", "small", b"x")
    await it.call("PutObject", "tagged", b"x", Tagging="s3d.upload=true")
    assert it.states() == {"large": "held", "small": "held", "tagged": "pending"}


async def test_uploads_and_copies(it: Gated) -> None:
    it.queue.pause()
    made = await it.call("CreateMultipartUpload", "upload")
    upload = {"UploadId": made["UploadId"]}
    part = await it.call("UploadPart", "upload", b"x" * 101, PartNumber=1, **upload)
    document = {"MultipartUpload": {"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]}}
    await it.call("CompleteMultipartUpload", "upload", **document, **upload)
    await it.call("CopyObject", "copy", CopySource=f"{BUCKET}/upload")
    tags = {"TaggingDirective": "REPLACE", "Tagging": "urgent=1"}
    await it.call("CopyObject", "urgent", CopySource=f"{BUCKET}/upload", **tags)
    assert it.states() == {"upload": "held", "copy": "held", "urgent": "pending"}


async def test_priority(it: Gated) -> None:
    it.queue.pause()
    await it.call("PutObject", "usual", b"x")
    await it.call("PutObject", "alarm", b"x", Metadata={"alarm": "yes"})
    assert [o.priority for o in it.queue.page(None, 0, 9)] == [5, 9]


async def test_another_policy(it: Gated) -> None:
    it.queue.pause()
    await it.call("PutObject", "large", b"x" * 101)
    await it.call("PutObject", "small", b"x")
    await it.rewrite("package s3d\nupload := true if input.size > 100\nupload := false if input.size <= 100\n")
    assert it.states() == {"large": "pending", "small": "held"}


async def test_another_policy_while_a_request_is_on_its_way(it: Gated) -> None:
    """It was asked before, and the object is accepted after."""
    again: list[int] = []

    def decide_again() -> None:
        again.append(it.judge.epoch)

    it.judge.decide_again = decide_again
    entered: list[int] = []
    go_on = asyncio.Event()
    inner = it.gate._inner

    async def slow(request: S3Request) -> S3Response:
        if request.operation == "PutObject":
            entered.append(1)
            await go_on.wait()
        return await inner(request)

    it.gate._inner = slow
    it.queue.pause()
    await it.call("DeleteObject", "first")  # the bucket is known from here on
    tasks = [asyncio.get_running_loop().create_task(it.call("PutObject", f"k{number}", b"x")) for number in range(3)]
    await until(lambda: len(entered) == 3)
    await it.rewrite("package s3d\n\nupload := false")
    assert again == [1]
    go_on.set()
    await asyncio.gather(*tasks)
    assert {it.states()[f"k{number}"] for number in range(3)} == {"pending"}
    assert again == [1, 1]
    await it.call("DeleteObject", "other")
    assert again == [1, 1]
    await it.queue.decide_again()
    assert {it.states()[f"k{number}"] for number in range(3)} == {"held"}


async def test_what_is_cached(it: Gated) -> None:
    it.is_queued = False
    for key, body in (("small", b"x"), ("large", b"x" * 101)):
        await call(it.remote.inner, "PutObject", {"Bucket": BUCKET, "Key": key}, body)
    for key, said in (("small", ["MISS", "HIT"]), ("large", ["BYPASS", "BYPASS"])):
        found = []
        for _ in range(2):
            response, _ = await answer(it.gate, codec.build_request("GetObject", {"Bucket": BUCKET, "Key": key}))
            found.append(response.headers["x-s3d-cache"])
        assert found == said
        assert response.headers.get("x-s3d-cache-reason") == (None if said[0] == "MISS" else "policy")
    await it.rewrite("package s3d\ncache := false\n")
    assert it.cache.document()["files"] == 0


@pytest.mark.parametrize(("on_error", "state"), [("hold", "held"), ("allow", "pending"), ("deny", None)])
async def test_a_policy_that_gives_no_answer(
    tmp_path: Path, on_error: str, state: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    it = Gated(tmp_path, "package s3d\nupload := 1\n", OnError(on_error))
    await it.open()
    it.queue.pause()
    assert await refused(it, "PutObject", "k") is (state is None)
    assert it.states() == ({"k": state} if state else {})
    await it.rewrite("package s3d\nupload := true\n")
    assert it.states() == ({"k": "pending"} if state else {})
    assert not await refused(it, "PutObject", "l")
    await it.close()
    caplog.clear()


async def test_while_there_is_no_answer_what_was_said_stays(it: Gated, caplog: pytest.LogCaptureFixture) -> None:
    it.queue.pause()
    await it.call("PutObject", "small", b"x")
    await it.call("PutObject", "large", b"x" * 101)
    await it.rewrite("package s3d\nupload := 1\n")
    assert it.states() == {"small": "pending", "large": "held"}
    caplog.clear()


async def test_why(it: Gated) -> None:
    request = codec.build_request("PutObject", {"Bucket": BUCKET, "Key": "large"})
    request.body = b"x" * 101
    request.headers["x-s3d-why"] = "1"
    response = await it.gate(request)
    assert response.headers["x-s3d-why"] == f"upload: held; by policy: policy {it.file}"


def pins(it: Gated) -> list[str]:
    return [f"{pin['prefix']} by {pin['by']}" for pin in it.cache.pins()]


async def test_what_is_pinned(it: Gated) -> None:
    await it.call("PutObject", "maps/a", b"a" * 1000, Tagging="urgent=1")  # larger than what is cached
    await it.call("PutObject", "b", b"b" * 1000, Tagging="urgent=1")
    assert await it.queue.flush(10) == 0
    assert pins(it) == ["maps/a by policy"]
    for key, said in (("maps/a", "HIT"), ("b", "BYPASS")):
        request = codec.build_request("HeadObject", {"Bucket": BUCKET, "Key": key})
        request.headers["x-s3d-why"] = "1"
        await answer(it.gate, request)
        response, _ = await answer(it.gate, request)
        assert response.headers["x-s3d-cache"] == said
        assert response.headers["x-s3d-why"].endswith(": pinned") == (said == "HIT")
    await it.call("DeleteObject", "maps/a")
    assert await it.queue.flush(10) == 0
    assert pins(it) == []


async def test_what_is_pinned_is_asked_again(it: Gated, caplog: pytest.LogCaptureFixture) -> None:
    it.is_queued = False
    await call(it.remote.inner, "PutObject", {"Bucket": BUCKET, "Key": "maps/a"}, b"a" * 1000)
    await it.call("GetObject", "maps/a")
    await it.call("PutObject", "maps/b", b"b" * 1000)
    assert pins(it) == ["maps/a by policy", "maps/b by policy"]
    await it.cache._keeper.round()
    assert pins(it) == ["maps/a by policy", "maps/b by policy"]
    await it.rewrite("package s3d\n\nupload := 7")  # no answer: what was said last counts
    await it.cache._keeper.round()
    assert pins(it) == ["maps/a by policy", "maps/b by policy"]
    caplog.clear()
    await it.rewrite(POLICY.replace("maps/", "maps/b"))
    assert pins(it) == ["maps/b by policy"]
    assert [entry["key"] for entry in it.cache.page("", "", ("", ""), 9)] == ["maps/b"]
    await it.call("PutObject", "maps/b", b"", Tagging="keep=here")
    assert pins(it) == ["maps/b by policy"]
    await it.rewrite("package s3d\n\nsync := true")
    await it.cache._keeper.round()
    assert pins(it) == []


async def test_pins_of_a_policy_that_is_not_there_any_more(it: Gated) -> None:
    it.is_queued = False
    await it.call("PutObject", "maps/a", b"a" * 1000)
    it.rules.policy = None
    await it.cache._keeper.round()
    assert pins(it) == []


async def test_what_is_held_is_asked_again_as_time_goes_by(it: Gated, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1.7e9]
    monkeypatch.setattr("s3d.daemon.gate.time.time", lambda: now[0])
    await it.rewrite('package s3d\n\nupload := false if { input.time < 1800000000; input.bucket == "bkt" }')
    for number in range(40):
        await it.call("PutObject", f"k{number}", b"x")
    assert set(it.states().values()) == {"held"}
    now[0] = 1.8e9
    assert it.queue._open is not None
    task = asyncio.get_running_loop().create_task(it.queue._deciding.keep_up(it.queue._open.buckets, 0.02))
    await until(lambda: not it.states())
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    found = await call(it.remote.inner, "ListObjectsV2", {"Bucket": BUCKET})
    assert found["KeyCount"] == 40


BY_REQUEST = """
package s3d

upload := false if input.source_address == "192.0.2.7"
upload := false if input.operation in {"CopyObject", "CompleteMultipartUpload"}
upload := true if { input.operation == "PutObjectTagging"; input.source_address == "192.0.2.8" }
"""


async def test_what_is_asked_again_is_asked_as_it_was(tmp_path: Path) -> None:
    async def ask(operation: str, key: str, address: str, body: bytes = b"", **members: Any) -> None:
        request = codec.build_request(operation, {"Bucket": BUCKET, "Key": key, **members})
        request.body, request.source_address = body or request.body, address
        await it.gate(request)

    it = Gated(tmp_path, BY_REQUEST)
    await it.open()
    it.queue.pause()
    await ask("PutObject", "of-7", "192.0.2.7", b"x")
    await ask("PutObject", "of-8", "192.0.2.8", b"x")
    await ask("PutObject", "tagged", "192.0.2.7", b"x")
    await ask("PutObjectTagging", "tagged", "192.0.2.8", Tagging={"TagSet": []})
    await it.call("CopyObject", "copy", CopySource=f"{BUCKET}/of-8")
    upload = {"UploadId": (await it.call("CreateMultipartUpload", "upload"))["UploadId"]}
    part = await it.call("UploadPart", "upload", b"x", PartNumber=1, **upload)
    document = {"MultipartUpload": {"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]}} | upload
    await it.call("CompleteMultipartUpload", "upload", **document)
    expected = {"of-7": "held", "of-8": "pending", "tagged": "pending", "copy": "held", "upload": "held"}
    assert it.states() == expected
    await it.queue.decide_again()
    assert it.states() == expected
    await it.queue.close()
    await it.queue.open()
    it.queue.pause()
    await it.queue.decide_again()
    assert it.states() == expected
    await it.close()


async def test_what_it_explains(it: Gated) -> None:
    known = Facts(BUCKET, "maps/a", 200, metadata={"alarm": "yes"})
    why = f"policy {it.file}"
    said = {"upload": False, "cache": False, "priority": 9, "pin": True}
    assert await it.gate.explain("PutObject", known) == {"allowed": True, "says": said, "why": why}
    refused = await it.gate.explain("GetObject", Facts("secret", "a", None, tags=None))
    assert refused == {"allowed": False, "says": {}, "why": why}
