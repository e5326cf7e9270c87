"""aiobotocore: many operations at once over few connections of one event loop."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

pytestmark = pytest.mark.peer


async def test_many_objects_at_once(endpoint: str, credentials: dict[str, str], remote: Any, bucket: str) -> None:
    bodies = {f"k/{number}": random.Random(number).randbytes(number * 3_000) for number in range(60)}
    config = AioConfig(max_pool_connections=8, retries={"total_max_attempts": 1}, read_timeout=30)
    maker = get_session().create_client("s3", endpoint_url=endpoint, config=config, **credentials)
    async with maker as client:

        async def write_and_read(key: str, data: bytes) -> None:
            await client.put_object(Bucket=bucket, Key=key, Body=data)
            answer = await client.get_object(Bucket=bucket, Key=key)
            async with answer["Body"] as stream:
                assert await stream.read() == data

        async with asyncio.TaskGroup() as group:
            for key, data in bodies.items():
                group.create_task(write_and_read(key, data))
        listed: list[str] = []
        async for page in client.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, PaginationConfig={"PageSize": 25}
        ):
            listed += [entry["Key"] for entry in page["Contents"]]
        assert listed == sorted(bodies)
        await client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in bodies]})
    assert "Contents" not in remote.list_objects_v2(Bucket=bucket)
