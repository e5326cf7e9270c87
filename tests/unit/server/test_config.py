"""Settings of the listener."""

from __future__ import annotations

import dataclasses

import pytest

from s3d.server.config import ServerConfig


def test_defaults() -> None:
    config = ServerConfig("localhost", 33333)
    assert (config.domains, config.tls_cert, config.tls_key, config.spool_dir) == (("localhost",), None, None, None)
    assert config.idle_timeout == 60


def test_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        ServerConfig("localhost", 1).port = 2
