"""The line of a request, and the counts."""

from __future__ import annotations

import asyncio
import logging

import pytest

from s3d.server.access_log import AccessLog, Exchange, new_request_id


def test_ids() -> None:
    ids = {new_request_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(len(name) == 16 and set(name) <= set("0123456789ABCDEF") for name in ids)


def test_counts() -> None:
    access_log = AccessLog()
    for status in (200, 204, 404, 503, 0):
        access_log.begin()
        exchange = Exchange(new_request_id(), "127.0.0.1", "GET")
        exchange.status, exchange.bytes_in, exchange.bytes_out = status, 2, 3
        access_log.end(exchange)
    access_log.begin()
    document = access_log.document()
    assert document["in_flight"] == 1
    assert document["answered"] == {"2xx": 2, "3xx": 0, "4xx": 1, "5xx": 1}
    assert (document["broken_off"], document["bytes_in"], document["bytes_out"]) == (1, 10, 15)


async def test_the_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "s3d.access")
    access_log = AccessLog()
    access_log.begin()
    exchange = Exchange("R", "127.0.0.1", "PUT", operation="PutObject", bucket="b", key="k", access_key="A")
    exchange.status, exchange.error, exchange.state, exchange.user_agent = 200, "ClientClosed", "remote", "u"
    access_log.end(exchange)
    assert not caplog.records
    access_log.write()
    (record,) = caplog.records
    expected = {"request_id": "R", "method": "PUT", "operation": "PutObject", "bucket": "b", "key": "k", "status": 200}
    expected |= {
        "error": "ClientClosed",
        "state": "remote",
        "access_key": "A",
        "user_agent": "u",
        "remote": "127.0.0.1",
    }
    assert {name: getattr(record, name) for name in expected} == expected
    assert record.seconds >= 0


async def test_lines_are_written_soon_and_not_too_many_together(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "s3d.access")
    access_log = AccessLog()
    for number in range(70):
        access_log.end(Exchange(str(number), None, "GET"))
    assert len(caplog.records) == 64
    async with asyncio.timeout(10):
        while len(caplog.records) < 70:
            await asyncio.sleep(0.01)
    assert [record.__dict__["request_id"] for record in caplog.records] == [str(number) for number in range(70)]


def test_no_line_where_nobody_reads_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "s3d.access")
    AccessLog().end(Exchange("R", None, "GET"))
    assert not caplog.records
