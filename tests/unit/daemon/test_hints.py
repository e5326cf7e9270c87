"""The lines for a person with a new store: their form. That they work as pasted is tests/e2e/test_hints.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from s3d.daemon import hints
from s3d.server.config import ServerConfig
from s3d.standalone.config import StandaloneConfig

STORE = StandaloneConfig(Path("/data/standalone"), ("demo", "other"))


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("localhost", "http://localhost:9"),
        ("127.0.0.2", "http://127.0.0.2:9"),
        ("0.0.0.0", "http://127.0.0.1:9"),
        ("::", "http://[::1]:9"),
    ],
)
def test_an_address_to_listen_on_is_one_to_connect_to(host: str, url: str) -> None:
    assert hints.address(ServerConfig(host, 0), 9) == url
    assert hints.address(ServerConfig(host, 0, tls_cert=Path("c"), tls_key=Path("k")), 9) == url.replace(":", "s:", 1)


def test_what_a_person_needs_is_there() -> None:
    text = hints.text(ServerConfig("localhost", 0), 1234, STORE)
    for part in ("http://localhost:1234", "/data/standalone", "any access key", "# aws cli", "# boto3", "# rclone"):
        assert part in text
    assert "ca-bundle" not in text
    assert text.endswith("\n")


def test_nothing_is_indented() -> None:
    """Python would not take pasted lines that are."""
    text = hints.text(ServerConfig("localhost", 0), 1234, STORE)
    assert [line for line in text.splitlines() if line != line.strip()] == []


def test_the_first_bucket_is_used_or_one_is_made() -> None:
    with_buckets = hints.text(ServerConfig("localhost", 0), 1, STORE)
    assert "s3://demo/" in with_buckets
    for command in (" mb ", "create_bucket", "rclone mkdir"):
        assert command not in with_buckets
        assert command in hints.text(ServerConfig("localhost", 0), 1, StandaloneConfig(Path("/data")))


def test_how_to_trust_the_certificate() -> None:
    server = ServerConfig("localhost", 0, tls_cert=Path("/a dir/cert.pem"), tls_key=Path("/key.pem"))
    text = hints.text(server, 1, STORE)
    assert "aws: --ca-bundle '/a dir/cert.pem'   boto3: verify='/a dir/cert.pem'   rclone: --ca-cert '/a dir" in text
