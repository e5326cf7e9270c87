"""A bucket with very many keys: filling it, and the requests for pages of its list."""

from __future__ import annotations

import os
import sys
import time

from job import Job, Prepared
from objects import LIST_BUCKET, puts
from rounds import Generator
from row import Row
from signing import signed_head

PAGE = 1000  # keys
_CONNECTIONS = 16
_BATCH = 20_000  # requests; signed for 15 minutes, so not all at once
_SPREAD = 16  # pages that the LIST rows ask for, in turn


def name(index: int) -> str:
    """The key of that number. A thousand have a prefix up to a slash in common, as the files of a day might."""
    return f"data/{index // PAGE:04}/object-{index:08}.parquet"


def fill(url: str, count: int, load: Generator, *, bucket: str = LIST_BUCKET, size: int = 1) -> float:
    """Writes so many objects of ``size`` bytes through the server; the seconds it took."""
    body, row = os.urandom(size), Row("PUT", size, _CONNECTIONS)
    begun = time.perf_counter()
    for first in range(0, count, _BATCH):
        numbers = range(first, min(first + _BATCH, count))
        requests, _ = puts([f"/{bucket}/{name(index)}" for index in numbers], row, url, body)
        # The first key of each prefix goes ahead alone: rclone answers 500 when several come at once (see README.md).
        outcome = load.run(Job(url, requests[::PAGE], 1, once=True))
        if outcome.wrong is None:
            outcome = load.run(Job(url, requests, _CONNECTIONS, once=True))
        if outcome.wrong:
            raise RuntimeError(f"filling {bucket}: {outcome.wrong}")
        rate = len(requests) / outcome.seconds
        print(f"filling {url}/{bucket}: {numbers.stop:,} objects, {rate:,.0f} /s", file=sys.stderr, flush=True)
    return time.perf_counter() - begun


def page(url: str, after: int, *, bucket: str = LIST_BUCKET) -> Prepared:
    """A request for the page of the list that starts with the key of that number, as boto3 asks for it."""
    query = {"list-type": "2", "prefix": "", "encoding-type": "url"}
    if after:
        query["start-after"] = name(after - 1)
    return Prepared(signed_head(url, "GET", f"/{bucket}", query=query), keys=PAGE)


def pages(url: str, count: int) -> list[Prepared]:
    """Requests for pages from all over the list, the first and the last among them."""
    last = count - PAGE
    return [page(url, last * step // (_SPREAD - 1)) for step in range(_SPREAD)]
