"""A boto3 client of a server on loopback."""

from __future__ import annotations

from typing import Any

import boto3
import peers
from botocore.config import Config

REMOTE_KEYS = (peers.ACCESS_KEY, peers.SECRET_KEY)
"""What the remotes of the tests insist on; s3d takes any."""


def s3_client(url: str, keys: tuple[str, str] = ("any", "any"), *, attempts: int = 1, **config: Any) -> Any:
    """Whoever makes it closes it. ``attempts``: how often a request is sent at most; ``config``: botocore's."""
    return boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id=keys[0],
        aws_secret_access_key=keys[1],
        region_name=peers.REGION,
        config=Config(retries={"total_max_attempts": attempts, "mode": "standard"}, **config),
    )
