"""The line of a request, and the counts."""

from __future__ import annotations

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


def test_the_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "s3d.access")
    access_log = AccessLog()
    access_log.begin()
    exchange = Exchange("R", "127.0.0.1", "PUT", operation="PutObject", bucket="b", key="k", access_key="A")
    exchange.status, exchange.error, exchange.state, exchange.user_agent = 200, "ClientClosed", "remote", "u"
    access_log.end(exchange)
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


def test_no_line_where_nobody_reads_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "s3d.access")
    AccessLog().end(Exchange("R", None, "GET"))
    assert not caplog.records
