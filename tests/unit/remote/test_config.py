"""Settings of the connection to the remote."""

from __future__ import annotations

import dataclasses

import pytest

from s3d.remote.config import RemoteConfig


def test_defaults() -> None:
    config = RemoteConfig()
    assert (config.endpoint, config.addressing, config.keep_s3d_headers) == (None, "auto", False)
    assert config.connect_timeout <= 5, "a remote that is away is to be known within seconds"
    assert config.response_timeout >= 60, "CompleteMultipartUpload takes minutes"


def test_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        RemoteConfig().endpoint = "x"
