"""Every test here runs against every Backend: the reference model; the embedded store; the whole stack, which is Remote
in front of s3d's server, in front of either; and Remote in front of real servers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from conformance.calling import Refused, call
from conformance.capabilities import CAPABILITIES, NOT_FOR, PEERS
from conformance.versioned import delete, known, versioning
from model.memory import Memory
from peers import ACCESS_KEY, REGION, SECRET_KEY

from s3d.read_cache.backend import ReadCache
from s3d.read_cache.config import ReadCacheConfig
from s3d.remote.backend import Remote
from s3d.remote.config import RemoteConfig
from s3d.remote.credentials import Static
from s3d.s3.backend import Backend
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request, S3Response
from s3d.s3.sigv4 import Credentials
from s3d.server.config import ServerConfig
from s3d.server.listener import Server
from s3d.standalone.backend import Standalone
from s3d.standalone.config import StandaloneConfig
from s3d.write_queue.backend import WriteQueue
from s3d.write_queue.config import WriteQueueConfig

DEVIATES = (AssertionError, KeyError, Refused, pytest.fail.Exception)
"""How a test fails when a peer does something else."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backend" in metafunc.fixturenames:
        fit = [
            name for name in CAPABILITIES if metafunc.module.__name__.rpartition(".")[2] not in NOT_FOR.get(name, ())
        ]
        names = [pytest.param(name, marks=[pytest.mark.peer] if name in PEERS else []) for name in fit]
        metafunc.parametrize("backend", names, indirect=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that needs what its backend lacks must fail."""
    for item in items:
        here = Path(__file__).parent in item.path.parents  # this hook sees the tests of other folders as well
        if not here or not isinstance(item, pytest.Function) or "backend" not in item.fixturenames:
            continue
        lacking = CAPABILITIES[str(item.callspec.params["backend"])]
        for mark in item.iter_markers("capability"):
            if mark.args[0] in lacking:
                reason = f"{mark.args[0]}: {lacking[mark.args[0]]}"
                item.add_marker(pytest.mark.xfail(reason=reason, strict=True, raises=DEVIATES))


@pytest.fixture
async def backend(request: pytest.FixtureRequest) -> AsyncIterator[Backend]:
    """The Backend under test."""
    async with contextlib.AsyncExitStack() as stack:
        if request.param in PEERS:
            yield await stack.enter_async_context(_remote(request.getfixturevalue(PEERS[request.param]).url))
            return
        inner: Backend = Memory()
        if request.param in ("cache", "queue-and-cache"):
            directory = request.getfixturevalue("tmp_path") / "cache"
            inner = await stack.enter_async_context(_behind_a_cache(inner, directory))
        if request.param in ("queue", "queue-and-cache"):
            directory = request.getfixturevalue("tmp_path") / "queue"
            inner = await stack.enter_async_context(_behind_a_queue(inner, directory))
        if request.param.startswith("standalone"):
            inner = await stack.enter_async_context(_standalone(request.getfixturevalue("standalone_directory")))
        yield await stack.enter_async_context(_behind_a_server(inner)) if "stack" in request.param else inner


@pytest.fixture(scope="session")
def standalone_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the embedded store, which each test opens anew: a store belongs to one event loop, and so does a test."""
    return tmp_path_factory.mktemp("conformance") / "standalone"


@contextlib.asynccontextmanager
async def _standalone(directory: Path) -> AsyncIterator[Backend]:
    store = Standalone(StandaloneConfig(directory=directory))
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@contextlib.asynccontextmanager
async def _behind_a_queue(inner: Backend, directory: Path) -> AsyncIterator[Backend]:
    """A remote that takes its time, so that what was accepted is read before it is pushed."""

    async def slow(request: S3Request) -> S3Response:
        await asyncio.sleep(0.01)
        return await inner(request)

    queue = WriteQueue(WriteQueueConfig(directory, free_space=0), slow)
    await queue.open()
    try:
        yield queue
    finally:
        await queue.close()


@contextlib.asynccontextmanager
async def _behind_a_cache(inner: Backend, directory: Path) -> AsyncIterator[Backend]:
    cache = ReadCache(ReadCacheConfig(directory, free_space=0), inner)
    await cache.open()
    try:
        yield cache
    finally:
        await cache.close()


@contextlib.asynccontextmanager
async def _behind_a_server(inner: Backend) -> AsyncIterator[Backend]:
    server = Server(inner, ServerConfig(host="127.0.0.1", port=0))
    await server.start()
    async with _remote(server.url) as remote:
        yield remote
    await server.stop(0)


def _remote(url: str) -> Remote:
    config = RemoteConfig(endpoint=url, region=REGION)
    return Remote(config, Static(Credentials(ACCESS_KEY, SECRET_KEY)))


@pytest.fixture
async def bucket(
    request: pytest.FixtureRequest, backend: Backend, new_bucket_name: Callable[[], str]
) -> AsyncIterator[str]:
    """An empty bucket. On a server it is used by one test after the other and emptied in between: the first object in a
    new bucket takes SeaweedFS 0.2 s, and it has volumes for some hundred buckets only."""
    place = request.node.callspec.params["backend"]
    name = _buckets.setdefault(place, new_bucket_name())
    with contextlib.suppress(Refused):  # it is there already
        await call(backend, "CreateBucket", {"Bucket": name})
    yield name
    if place not in PEERS or not await _emptied(backend, name):
        del _buckets[place]


@pytest.fixture
async def versioned_bucket(
    request: pytest.FixtureRequest, backend: Backend, new_bucket_name: Callable[[], str]
) -> AsyncIterator[str]:
    """An empty bucket with versioning. On a server it is shared as `bucket` is."""
    place = f"{request.node.callspec.params['backend']} versioned"
    name = _buckets.setdefault(place, new_bucket_name())
    with contextlib.suppress(Refused):
        await call(backend, "CreateBucket", {"Bucket": name})
    await versioning(backend, name, "Enabled")
    yield name
    if place.removesuffix(" versioned") not in PEERS or not await _without_versions(backend, name):
        del _buckets[place]


async def _without_versions(backend: Backend, bucket: str) -> bool:
    """Removes every version. False if it cannot be done."""
    try:
        for key, version, _, _ in await known(backend, bucket):
            await delete(backend, {"Bucket": bucket, "Key": key}, version)
        return not await known(backend, bucket) and await _emptied(backend, bucket, versioned=True)
    except (Refused, S3Error):
        return False


_buckets: dict[str, str] = {}


async def _emptied(backend: Backend, bucket: str, *, versioned: bool = False) -> bool:
    """Removes objects and uploads. False if it cannot be done, and of a bucket that has been versioned."""
    try:
        if not versioned and (await call(backend, "GetBucketVersioning", {"Bucket": bucket})).get("Status"):
            return False
        for entry in (await call(backend, "ListObjectsV2", {"Bucket": bucket})).get("Contents") or []:
            await call(backend, "DeleteObject", {"Bucket": bucket, "Key": entry["Key"]})
        for entry in (await call(backend, "ListMultipartUploads", {"Bucket": bucket})).get("Uploads") or []:
            upload = {"Bucket": bucket, "Key": entry["Key"], "UploadId": entry["UploadId"]}
            await call(backend, "AbortMultipartUpload", upload)
        for _ in range(3):  # SeaweedFS keeps the directories of keys that are gone, and lists them as prefixes
            left = await call(backend, "ListObjectsV2", {"Bucket": bucket, "Delimiter": "/"})
            for entry in left.get("CommonPrefixes") or []:
                await call(backend, "DeleteObject", {"Bucket": bucket, "Key": entry["Prefix"]})
        return not left.get("Contents") and not left.get("CommonPrefixes")
    except (Refused, S3Error):
        return False
