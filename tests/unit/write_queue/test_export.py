"""What a review of the queue's admin API and export found."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit.write_queue.opened import opened

from s3d.daemon.config import ConfigError, load
from s3d.daemon.queue_api import BadRequest, QueueApi
from s3d.write_queue.backend import WriteQueue
from s3d.write_queue.export import export


async def test_true_is_no_number_of_an_operation() -> None:
    class Finds(WriteQueue):
        def __init__(self) -> None:
            self.asked: list[object] = []

        def find(self, seq: int) -> None:
            self.asked.append(seq)

    queue = Finds()
    with pytest.raises(BadRequest):
        list(QueueApi(queue)._chosen({"seq": [True]}, ("failed",)))
    assert queue.asked == []


async def test_a_number_that_no_operation_can_have_is_not_found(tmp_path: Path) -> None:
    async with opened(tmp_path / "queue") as queue:
        assert queue.journal.find(1 << 70) is None


async def test_an_operation_that_is_gone_is_not_counted_as_exported(tmp_path: Path) -> None:
    async with opened(tmp_path / "queue") as queue:
        gone = await queue.put("k")
        await queue.journal.drop(gone)
        assert await export(queue.journal, queue.store.bodies, [gone], tmp_path / "out") == 0
        assert list((tmp_path / "out").glob("*.json")) == []


async def test_an_export_overwrites_no_file_of_an_earlier_queue(tmp_path: Path) -> None:
    """Numbers begin anew when the queue's directory was lost."""
    for name, body in (("first", b"one"), ("second", b"two")):
        async with opened(tmp_path / name) as queue:
            operation = await queue.put("k", body)
            await export(queue.journal, queue.store.bodies, [operation], tmp_path / "out")
    assert b"one" in [path.read_bytes() for path in (tmp_path / "out").iterdir()]


@pytest.mark.parametrize("other", ["x/../store", "link"])
def test_the_embedded_stores_directory_by_another_name_is_refused(tmp_path: Path, other: str) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "x").mkdir()
    (tmp_path / "link").symlink_to("store")
    settings = {"S3_ENDPOINT": f"local:{tmp_path}/store", "S3D_WRITE_QUEUE": "on"}
    with pytest.raises(ConfigError, match="S3D_WRITE_QUEUE_DIR"):
        load({}, settings | {"S3D_WRITE_QUEUE_DIR": f"{tmp_path}/{other}"})
