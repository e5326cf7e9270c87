"""kill -9 under load, again and again, while the link to the remote comes and goes: the read cache answers what was
acknowledged, or what an operation without an answer may have made of it.

``S3D_TEST_CACHE_CRASH_ROUNDS`` kills (5).
"""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peers
import pytest
from botocore.exceptions import BotoCoreError, ClientError
from e2e.cached import cached
from e2e.test_queue_crash import CLIENTS, Client, State, body_of, found_at, load
from fault_proxy import FaultProxy

pytestmark = pytest.mark.peer

ROUNDS = int(os.environ.get("S3D_TEST_CACHE_CRASH_ROUNDS", "5"))
OFTEN_READ = (20, 5, 5, 2, 68)
SETTINGS = {
    "S3D_READ_CACHE_MAX_SIZE": "5MB",  # less than there is
    "S3D_READ_CACHE_NEGATIVE_AGE": "1h",
    "S3D_REMOTE_CONNECT_TIMEOUT": "1s",
}


class Reader(Client):
    """Reads also ranges and headers. Each verdict is on one answer: the next may be of another version, if an operation
    without an answer has happened and the remote comes back in between."""

    def read(self, s3: Any, at: dict[str, str], known: set[State], choose: random.Random) -> None:
        first = choose.choice((0, 9, 3000, 65_536, 300_000))
        end = first + choose.choice((1, 5000, 200_000))
        asked: dict[str, str] = choose.choice(({}, {}, {"Range": f"bytes={first}-{end - 1}"}))
        is_head = choose.random() < 0.2
        try:
            answer = s3.head_object(**at) if is_head else s3.get_object(**at, **asked)
            data = b"" if is_head else answer["Body"].read()
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404 and None not in known:
                self.wrong.append(f"{at['Key']} is not there, and is one of {known}")
            return
        except BotoCoreError:
            return
        self.reads += 1
        size = answer["ContentLength"]
        if (where := answer.get("ContentRange")) is not None:
            size = int(where.rpartition("/")[2])
        mark = answer["Metadata"]["n"]
        whole = body_of(mark, size)
        tags = None if is_head else answer.get("TagCount", 0)  # of a HEAD not every server says it
        right = [state for state in known if state is not None and tags in (None, len(state[2]))]
        if (hashlib.md5(whole).hexdigest(), mark) not in [state[:2] for state in right]:
            self.wrong.append(f"{at['Key']} has {size} bytes, n={mark}, {tags} tags, and is one of {known}")
        if not is_head and data != (whole if where is None else whole[first:end]):
            self.wrong.append(f"{at['Key']} {asked} has wrong bytes")


def test_killed_under_load(
    seaweedfs: peers.Server, tmp_path: Path, new_bucket_name: Callable[[], str], capsys: pytest.CaptureFixture[str]
) -> None:
    bucket, directory = new_bucket_name(), tmp_path / "s3d"
    clients = [Reader(number, bucket, weights=OFTEN_READ) for number in range(CLIENTS)]
    choose = random.Random(ROUNDS)
    with FaultProxy(seaweedfs.url).running() as proxy:
        for number in range(ROUNDS):
            proxy.set("pass")
            with cached(seaweedfs, directory, proxy, **SETTINGS) as cache:
                if not number:
                    cache.direct.create_bucket(Bucket=bucket)
                load(cache.server, clients, proxy, choose)
        proxy.set("pass")
        with cached(seaweedfs, directory, proxy, **SETTINGS) as cache:
            wrong = [text for client in clients for text in client.wrong]
            for key in sorted(key for client in clients for key in client.may_be):
                at = {"Bucket": bucket, "Key": key}
                there = found_at(cache.direct, at)
                wrong += [f"{key} is {found}, not {there}" for found in (found_at(cache.client, at),) if found != there]
            figures = cache.status()
    done, open_, reads = (
        sum(getattr(client, name) for client in clients) for name in ("acknowledged", "unanswered", "reads")
    )
    with capsys.disabled():
        print(f"\n{ROUNDS} kills: {done} acknowledged, {open_} without an answer, {reads} reads, {len(wrong)} wrong")
    assert not wrong
    assert reads > 10 * ROUNDS
    assert figures["hit"] + figures["revalidated"] > 0
