"""Clients that use a store until it is killed, and know what must be there afterwards.

Each client has keys of its own and does one operation at a time, so at most one is without an answer when the store
dies. What a key holds then is what the last answered operation left, or what the unanswered one was to make of it.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import aiohttp

_POOL = random.Random(1).randbytes(8 << 20)  # what bodies are cut from
_PART = 5 << 20
_KEYS = 8  # of a client in each bucket
_VERSIONS = 5  # of a key, before some are removed
BUCKETS = {"plain": False, "versioned": True}
"""By name: whether its versions are kept."""

GONE = None
State = str | None
"""MD5 of what a key holds (`GONE`: nothing)."""


@dataclass
class Key:
    """What is known of a key. ``maybe`` holds what the operation without an answer may have made of it."""

    bucket: str
    name: str
    current: State = GONE
    maybe: list[State] = field(default_factory=list)
    versions: dict[str, State] = field(default_factory=dict)
    """Answered versions by id, delete markers as `GONE`; in a bucket that keeps them."""
    maybe_removed: str | None = None
    """The version whose removal has no answer."""

    @property
    def path(self) -> str:
        return f"/{self.bucket}/{self.name}"


@dataclass
class Upload:
    """A multipart upload that goes on."""

    key: Key
    upload_id: str
    parts: dict[int, tuple[str, bytes]] = field(default_factory=dict)
    """ETag and bytes of answered parts."""
    maybe: tuple[int, str] | None = None
    """Number and ETag of the part without an answer."""
    ending: bool = False
    """Whether its Complete or Abort has no answer."""
    completing: State = None
    """What its Complete without an answer makes of the key."""


@dataclass
class Found:
    """What a run was about, for the report."""

    acknowledged: int = 0
    unanswered: int = 0
    lost: list[str] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)


class Client:
    """One client. ``run`` ends with the connection to the store."""

    def __init__(self, number: int, seed: int, found: Found) -> None:
        self._random = random.Random(f"{seed}-{number}")
        self._found = found
        self.keys = [Key(bucket, f"{number}/k{index}") for bucket in BUCKETS for index in range(_KEYS)]
        self.uploads: list[Upload] = []

    async def run(self, http: aiohttp.ClientSession) -> None:
        """Until the store is gone."""
        operations: list[tuple[int, Callable[[aiohttp.ClientSession], Awaitable[None]]]] = [
            (10, self._put),
            (4, self._delete),
            (2, self._delete_many),
            (4, self._copy),
            (3, self._begin_upload),
            (4, self._part),
            (3, self._end_upload),
            (3, self._remove_version),
        ]
        weights = [weight for weight, _ in operations]
        try:
            while True:
                operation = self._random.choices(operations, weights)[0][1]
                if any(len(key.versions) > _VERSIONS for key in self.keys):
                    operation = self._remove_version
                self._found.unanswered += 1
                await operation(http)
                self._found.unanswered -= 1
                await asyncio.sleep(0)
        except (TimeoutError, aiohttp.ClientError, ConnectionError):
            return

    def _body(self) -> bytes:
        size = int(2 ** self._random.uniform(0, 21.58))  # 1 byte to 3 MiB
        start = self._random.randrange(len(_POOL) - size)
        return _POOL[start : start + size]

    def _key(self) -> Key:
        return self._random.choice(self.keys)

    async def _ask(
        self, http: aiohttp.ClientSession, method: str, path: str, body: bytes = b"", **headers: str
    ) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with http.request(method, path, data=io.BytesIO(body), headers=named) as response:
            text = await response.read()
            if response.status >= 300:
                raise AssertionError(f"{method} {path}: {response.status} {text.decode()}")
            self._found.acknowledged += 1
            return Answer(response.headers.get("ETag", "").strip('"'), response.headers.get("x-amz-version-id"), text)

    def _settle(self, key: Key, state: State, answer: Answer) -> None:
        key.current, key.maybe = state, []
        if BUCKETS[key.bucket]:
            assert answer.version is not None
            key.versions[answer.version] = state

    async def _put(self, http: aiohttp.ClientSession) -> None:
        key, body = self._key(), self._body()
        key.maybe = [md5(body)]
        self._settle(key, md5(body), await self._ask(http, "PUT", key.path, body))

    async def _delete(self, http: aiohttp.ClientSession) -> None:
        key = self._key()
        key.maybe = [GONE]
        self._settle(key, GONE, await self._ask(http, "DELETE", key.path))

    async def _delete_many(self, http: aiohttp.ClientSession) -> None:
        keys = [key for key in self.keys if key.bucket == "plain"]
        keys = self._random.sample(keys, self._random.randint(1, 4))
        for key in keys:
            key.maybe = [GONE]
        objects = "".join(f"<Object><Key>{escape(key.name)}</Key></Object>" for key in keys)
        answer = await self._ask(http, "POST", "/plain?delete", f"<Delete>{objects}</Delete>".encode())
        assert b"<Error>" not in answer.text, answer.text
        for key in keys:
            self._settle(key, GONE, answer)

    async def _copy(self, http: aiohttp.ClientSession) -> None:
        sources = [key for key in self.keys if key.current is not GONE and "-" not in key.current]
        if not sources:
            return
        source, key = self._random.choice(sources), self._key()
        if source is key:
            return
        key.maybe = [source.current]
        answer = await self._ask(http, "PUT", key.path, x_amz_copy_source=source.path)
        self._settle(key, source.current, answer)

    async def _begin_upload(self, http: aiohttp.ClientSession) -> None:
        if len(self.uploads) >= 3:
            return
        key = self._key()
        answer = await self._ask(http, "POST", f"{key.path}?uploads")
        self.uploads.append(Upload(key, element(answer.text, "UploadId")))

    async def _part(self, http: aiohttp.ClientSession) -> None:
        if not self.uploads:
            return
        upload = self._random.choice(self.uploads)
        number = 1 if not upload.parts else self._random.choice((1, 2))
        body = _POOL[:_PART] if number == 1 and self._random.random() < 0.3 else self._body()
        upload.maybe = (number, md5(body))
        path = f"{upload.key.path}?partNumber={number}&uploadId={upload.upload_id}"
        answer = await self._ask(http, "PUT", path, body)
        assert answer.etag == md5(body)
        upload.parts[number], upload.maybe = (answer.etag, body), None

    async def _end_upload(self, http: aiohttp.ClientSession) -> None:
        if not self.uploads:
            return
        upload = self._random.choice(self.uploads)
        path = f"{upload.key.path}?uploadId={upload.upload_id}"
        whole = 1 in upload.parts and (2 not in upload.parts or len(upload.parts[1][1]) >= _PART)
        upload.ending = True
        if not whole or self._random.random() < 0.3:
            await self._ask(http, "DELETE", path)
        else:
            state = composed(upload)
            upload.completing, upload.key.maybe = state, [state]
            parts = "".join(
                f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
                for number, (etag, _) in sorted(upload.parts.items())
            )
            document = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
            answer = await self._ask(http, "POST", path, document)
            assert element(answer.text, "ETag").strip('"') == state.partition("/")[0], answer.text
            self._settle(upload.key, state, answer)
        self.uploads.remove(upload)

    async def _remove_version(self, http: aiohttp.ClientSession) -> None:
        key = max(self.keys, key=lambda key: len(key.versions))
        if not key.versions:
            return
        version = self._random.choice(list(key.versions))
        key.maybe_removed = version
        await self._ask(http, "DELETE", f"{key.path}?versionId={version}")
        del key.versions[version]
        key.maybe_removed = None
        key.current = list(key.versions.values())[-1] if key.versions else GONE


@dataclass
class Answer:
    """What of an answer is looked at."""

    etag: str
    version: str | None
    text: bytes


def md5(body: bytes) -> str:
    return hashlib.md5(body).hexdigest()


def composed(upload: Upload) -> str:
    """ETag and, behind a slash, MD5 of what the parts make up."""
    parts = [part for _, part in sorted(upload.parts.items())]
    digests = b"".join(bytes.fromhex(etag) for etag, _ in parts)
    return f"{md5(digests)}-{len(parts)}/{md5(b''.join(body for _, body in parts))}"


def element(text: bytes, name: str) -> str:
    """The first element of that name."""
    return next(elements(text, name)).text or ""


def elements(text: bytes, name: str) -> Iterator[ElementTree.Element]:
    """All elements of that name, in order; S3's namespace is left out."""
    for found in ElementTree.fromstring(text).iter():
        if found.tag.rpartition("}")[2] == name:
            yield found
