"""pyarrow's S3FileSystem, on the AWS SDK for C++: what Parquet readers and writers use."""

from __future__ import annotations

import random
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

pytestmark = pytest.mark.peer

MIB = 1 << 20


@pytest.fixture(scope="module")
def s3(endpoint: str, credentials: dict[str, str]) -> fs.S3FileSystem:
    return fs.S3FileSystem(
        access_key=credentials["aws_access_key_id"],
        secret_key=credentials["aws_secret_access_key"],
        region=credentials["region_name"],
        endpoint_override=urlsplit(endpoint).netloc,
        scheme="http",
        allow_bucket_creation=True,
        allow_bucket_deletion=True,
    )


def test_a_partitioned_dataset(s3: fs.S3FileSystem, remote: Any, bucket: str) -> None:
    table = pa.table({"year": [2024, 2025] * 5_000, "value": list(range(10_000))})
    ds.write_dataset(table, f"{bucket}/table", format="parquet", partitioning=["year"], filesystem=s3)
    keys = [entry["Key"] for entry in remote.list_objects_v2(Bucket=bucket)["Contents"]]
    assert {"table/2024/part-0.parquet", "table/2025/part-0.parquet"} <= set(keys)
    dataset = ds.dataset(f"{bucket}/table", filesystem=s3, partitioning=["year"])
    assert dataset.to_table(filter=ds.field("year") == 2025).column("value").to_pylist() == list(range(1, 10_000, 2))
    pq.write_table(table, f"{bucket}/one.parquet", filesystem=s3)
    assert pq.read_table(f"{bucket}/one.parquet", columns=["value"], filesystem=s3).num_rows == 10_000


def test_files(s3: fs.S3FileSystem, remote: Any, bucket: str) -> None:
    data = random.Random(1).randbytes(23 * MIB + 1)
    with s3.open_output_stream(f"{bucket}/d/big é", metadata={"Content-Type": "text/x-arrow"}) as file:
        for offset in range(0, len(data), 999_999):
            file.write(data[offset : offset + 999_999])
    stored = remote.get_object(Bucket=bucket, Key="d/big é")
    assert stored["ContentType"] == "text/x-arrow"
    assert stored["Body"].read() == data
    with s3.open_input_file(f"{bucket}/d/big é") as file:
        assert file.size() == len(data)
        assert file.read_at(1000, 5 * MIB) == data[5 * MIB : 5 * MIB + 1000]
    with s3.open_input_stream(f"{bucket}/d/big é") as file:
        assert file.read() == data
    s3.copy_file(f"{bucket}/d/big é", f"{bucket}/copied")
    s3.move(f"{bucket}/copied", f"{bucket}/moved")
    found = s3.get_file_info(fs.FileSelector(bucket, recursive=True))
    assert {entry.path for entry in found if entry.is_file} == {f"{bucket}/d/big é", f"{bucket}/moved"}
    s3.delete_dir(f"{bucket}/d")
    s3.delete_file(f"{bucket}/moved")
    assert [entry["Key"] for entry in remote.list_objects_v2(Bucket=bucket).get("Contents", [])] in ([], ["d/"])


def test_a_bucket(s3: fs.S3FileSystem) -> None:
    s3.create_dir("made-by-pyarrow")
    assert s3.get_file_info("made-by-pyarrow").type is fs.FileType.Directory
    s3.delete_dir("made-by-pyarrow")
    assert s3.get_file_info("made-by-pyarrow").type is fs.FileType.NotFound
