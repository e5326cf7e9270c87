"""kill -9 under load, again and again, while the link to the remote comes and goes: in the end every acknowledged operation
is at the remote, byte for byte, with its metadata, in order.

Each client has keys of its own, so that what the last acknowledged operation of a key was is known. An operation without an
answer may have happened or not; then either is right. ``S3D_TEST_QUEUE_CRASH_ROUNDS`` kills (5).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import peers
import pytest
from botocore.exceptions import BotoCoreError, ClientError
from e2e.boto import s3_client
from e2e.queued import queued
from fault_proxy import FaultProxy

pytestmark = pytest.mark.peer

ROUNDS = int(os.environ.get("S3D_TEST_QUEUE_CRASH_ROUNDS", "5"))
CLIENTS = 6
KEYS = 5
SIZES = (0, 10, 4096, 70_000, 400_000)
PART = 5 << 20
SETTINGS = {
    "S3D_WRITE_QUEUE_MAX_FILES": "100000",
    "S3D_WRITE_QUEUE_MAX_SIZE": "50GB",
    "S3D_REMOTE_CONNECT_TIMEOUT": "1s",
}

State = tuple[str, str, tuple[tuple[str, str], ...]] | None
"""MD5 of the bytes, metadata ``n`` and tags of an object; None: there is none."""


@dataclass
class Client:
    """Writes its own keys, one request at a time. ``may_be``: by key, what it can be at the remote in the end."""

    number: int
    bucket: str
    may_be: dict[str, set[State]] = field(default_factory=dict)
    acknowledged: int = 0
    unanswered: int = 0
    wrong: list[str] = field(default_factory=list)
    weights: tuple[int, ...] = (60, 15, 10, 1, 14)
    """How often it puts, deletes, tags, uploads in parts, and reads."""
    reads: int = 0
    sizes: dict[str, int] = field(default_factory=dict)
    """By metadata ``n``, of objects that were put with one request."""

    def run(self, url: str, ended: threading.Event, seed: int) -> None:
        """Until the daemon is gone."""
        choose = random.Random(seed)
        with contextlib.closing(s3_client(url, connect_timeout=5, read_timeout=30)) as s3:
            while not ended.is_set():
                self._step(s3, choose)

    def _step(self, s3: Any, choose: random.Random) -> None:
        key = f"c{self.number}/k{choose.randrange(KEYS)}"
        at = {"Bucket": self.bucket, "Key": key}
        known = self.may_be.setdefault(key, {None})
        what = choose.choices(["put", "delete", "tag", "upload", "read"], self.weights)[0]
        before = next(iter(known))
        if what == "read":
            self.read(s3, at, known, choose)
            return
        if what == "tag" and (len(known) > 1 or before is None):
            what = "put"
        after, act = self._change(s3, at, what, before, choose)
        try:
            act()
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 503:
                self.wrong.append(f"{what} {key}: {error}")
            self.unanswered += 1
            known.add(after)
        except BotoCoreError:
            self.unanswered += 1
            known.add(after)
        else:
            self.acknowledged += 1
            self.may_be[key] = {after}

    def _change(
        self, s3: Any, at: dict[str, str], what: str, before: State, choose: random.Random
    ) -> tuple[State, Callable[[], Any]]:
        """What the key is after it, and how it is done."""
        if what == "delete":
            return None, lambda: s3.delete_object(**at)
        mark = f"{choose.getrandbits(64):x}"
        if what == "tag":
            assert before is not None
            tags = {"TagSet": [{"Key": "t", "Value": mark}]}
            return (*before[:2], (("t", mark),)), lambda: s3.put_object_tagging(**at, Tagging=tags)
        if what == "upload":
            whole = body_of(mark, PART + 1000)
            return _state(whole, mark), lambda: _upload(s3, at, [whole[:PART], whole[PART:]], mark)
        size = choose.choice(SIZES)
        if (
            before is not None and before[1] in self.sizes and choose.random() < 0.3
        ):  # the same bytes, with other metadata
            mark, size = f"{before[1].partition('.')[0]}.{mark}", self.sizes[before[1]]
        self.sizes[mark] = size
        body, tags = body_of(mark, size), (("t", mark),) if choose.random() < 0.3 else ()
        members = {"Tagging": f"t={mark}"} if tags else {}
        return (*_state(body, mark)[:2], tags), lambda: s3.put_object(**at, Body=body, Metadata={"n": mark}, **members)

    def read(self, s3: Any, at: dict[str, str], known: set[State], choose: random.Random) -> None:
        """What was acknowledged is read; while the remote is away what is not here may be 503."""
        try:
            found = found_at(s3, at)
        except (ClientError, BotoCoreError):
            return
        self.reads += 1
        if found not in known:
            self.wrong.append(f"{at['Key']} is {found}, not one of {known}")


def body_of(mark: str, size: int) -> bytes:
    """The bytes of an object with that ``n`` in its metadata, in which they do not depend on what follows a point."""
    return random.Random(mark.partition(".")[0]).randbytes(size)


def _state(body: bytes, mark: str) -> tuple[str, str, tuple[()]]:
    return hashlib.md5(body).hexdigest(), mark, ()


def _upload(s3: Any, at: dict[str, str], bodies: list[bytes], mark: str) -> None:
    upload = {**at, "UploadId": s3.create_multipart_upload(**at, Metadata={"n": mark})["UploadId"]}
    parts = [
        {"PartNumber": number, "ETag": s3.upload_part(**upload, PartNumber=number, Body=body)["ETag"]}
        for number, body in enumerate(bodies, 1)
    ]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})


def found_at(s3: Any, at: dict[str, str]) -> State:
    try:
        answer = s3.get_object(**at)
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return None
        raise
    body = answer["Body"].read()
    tags = s3.get_object_tagging(**at)["TagSet"] if answer.get("TagCount") else []
    return hashlib.md5(body).hexdigest(), answer["Metadata"]["n"], tuple((tag["Key"], tag["Value"]) for tag in tags)


def test_killed_under_load(
    seaweedfs: peers.Server, tmp_path: Path, new_bucket_name: Callable[[], str], capsys: pytest.CaptureFixture[str]
) -> None:
    bucket, directory = new_bucket_name(), tmp_path / "s3d"
    clients = [Client(number, bucket) for number in range(CLIENTS)]
    choose = random.Random(ROUNDS)
    with FaultProxy(seaweedfs.url).running() as proxy:
        for number in range(ROUNDS):
            with queued(seaweedfs, directory, proxy, **SETTINGS) as queue:
                if not number:
                    queue.direct.create_bucket(Bucket=bucket)
                    queue.client.put_object(Bucket=bucket, Key="known", Body=b"")
                load(queue.server, clients, proxy, choose)
        proxy.set("pass")
        with queued(seaweedfs, directory, proxy, **SETTINGS) as queue:
            queue.drained()
            wrong = [text for client in clients for text in client.wrong]
            for client in clients:
                for key, states in client.may_be.items():
                    found = found_at(queue.direct, {"Bucket": bucket, "Key": key})
                    if found not in states:
                        wrong.append(f"at the remote {key} is {found}, not one of {states}")
    done, open_ = (sum(getattr(client, name) for client in clients) for name in ("acknowledged", "unanswered"))
    with capsys.disabled():
        print(f"\n{ROUNDS} kills: {done} acknowledged, {open_} without an answer, {len(wrong)} wrong")
    assert not wrong
    assert done > 10 * ROUNDS


def load(server: peers.Server, clients: list[Client], proxy: FaultProxy, choose: random.Random) -> None:
    """Some time of work, over a link that comes and goes, and the end of the process."""
    ended = threading.Event()
    threads = [
        threading.Thread(target=client.run, args=(server.url, ended, choose.getrandbits(32))) for client in clients
    ]
    for thread in threads:
        thread.start()
    end = time.monotonic() + choose.uniform(0.3, 1.5)
    while time.monotonic() < end:
        proxy.set(choose.choice(["pass", "pass", "refuse"]))
        if choose.random() < 0.5:
            proxy.cut_answers(choose.randrange(1, 5), choose.choice(["PUT", "DELETE", "POST"]))
        time.sleep(choose.uniform(0.02, 0.3))
    server.process.kill()
    server.process.wait()
    ended.set()
    for thread in threads:
        thread.join(60)
