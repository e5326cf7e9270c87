"""Who may use the admin listener."""

from __future__ import annotations

import pytest

from s3d.daemon.config import AdminConfig
from s3d.daemon.guard import refuse
from s3d.daemon.values import Secret

OPEN = AdminConfig("localhost", 33334)
CLOSED = AdminConfig("0.0.0.0", 33334, Secret("right"))


def status(config: AdminConfig, path: str = "/status", **given: str | None) -> int | None:
    request: dict[str, str | None] = {"peer": "127.0.0.1", "host": "localhost:33334", "authorization": None, **given}
    refusal = refuse(
        config, path=path, peer=request["peer"], host=request["host"], authorization=request["authorization"]
    )
    return refusal.status if refusal else None


@pytest.mark.parametrize("path", ["/status", "/health/live", "/nowhere"])
def test_without_a_token_loopback_only(path: str) -> None:
    assert status(OPEN, path) is None
    assert status(OPEN, path, peer="::1") is None
    assert status(OPEN, path, peer="::ffff:127.0.0.1") is None
    for peer in ("10.0.0.1", "fe80::1%eth0", None, ""):
        assert status(OPEN, path, peer=peer) == 403


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:33334", "localhost.:1", "127.0.0.1:33334", "127.1.2.3", "[::1]:33334", None]
)
def test_without_a_token_these_hosts_are_this_machine(host: str | None) -> None:
    assert status(OPEN, host=host) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.test",
        "evil.test:33334",
        "localhost.evil.test",
        "x@evil.test",
        "localhost@evil.test",
        "10.0.0.1",
        "",
        "[::1",
    ],
)
def test_without_a_token_other_hosts_are_refused(host: str) -> None:
    assert status(OPEN, host=host) == 403


def test_the_configured_host_is_this_machine() -> None:
    config = AdminConfig("127.0.0.1", 33334)
    assert status(config, host="localhost") is None
    assert status(AdminConfig("s3d.internal", 1), host="S3D.internal:1") is None


@pytest.mark.parametrize("authorization", ["Bearer right", "bearer right", "BEARER  right "])
def test_with_a_token_from_anywhere_under_any_name(authorization: str) -> None:
    assert status(CLOSED, peer="10.0.0.1", host="s3d.test", authorization=authorization) is None


@pytest.mark.parametrize(
    "authorization",
    [None, "", "right", "Basic right", "Bearer", "Bearer wrong", "Bearer righ", "Bearer é", "Bearer \udcff"],
)
def test_without_the_right_token_refused_even_on_loopback(authorization: str | None) -> None:
    assert status(CLOSED, authorization=authorization) == 401
    assert status(CLOSED, "/nowhere", authorization=authorization) == 401
    assert status(CLOSED, "/health", authorization=authorization) == 401


def test_health_is_open_beside_a_token() -> None:
    for path in ("/health/live", "/health/ready"):
        assert status(CLOSED, path, peer="10.0.0.1", host="evil.test") is None
