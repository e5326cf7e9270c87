"""An object from a source: one PutObject when it is small, else a multipart upload with parallel parts.

Every body goes with its CRC64NVME, and the whole object with that of its parts combined, so that what S3 stores is what
was read. Memory and temporary files hold at most one part per job and one that is being read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from s3d.cli import parts
from s3d.cli.client import Answer, Client
from s3d.cli.errors import Failure, S3Failure
from s3d.cli.progress import Advance
from s3d.cli.running import task_group
from s3d.cli.source import Piece, Source, combine, encode

_ABORT_SECONDS = 15  # how long an interrupted upload may take to say so


@dataclass(slots=True)
class Upload:
    """One object. ``members`` are those of PutObject: Bucket, Key, ContentType, Metadata, Tagging."""

    client: Client
    members: Mapping[str, Any]
    source: Source
    part_size: int
    jobs: int
    advance: Advance
    size: int = 0
    """Bytes sent so far."""
    _crcs: dict[int, tuple[int, int]] = field(default_factory=dict)
    _parts: dict[int, dict[str, Any]] = field(default_factory=dict)

    async def run(self) -> Answer:
        """Uploads all of it; the answer of PutObject or CompleteMultipartUpload. Raises Failure."""
        first = await self.source.read(self._size_of(1))
        if first.length < self._size_of(1) or first.length == self.source.size:
            return await self._put(first)
        upload = await self._create()
        try:
            await self._send_parts(upload, first)
            self.source.check_unchanged()
            return await self._complete(upload)
        except BaseException:
            await self._abort(upload)
            raise

    async def _put(self, piece: Piece) -> Answer:
        try:
            members = {**self.members, "ChecksumCRC64NVME": piece.checksum}
            answer = await self.client.ask("PutObject", members, piece.body)
        finally:
            piece.close()
        self.source.check_unchanged()
        self._sent(piece)
        return answer

    async def _create(self) -> dict[str, Any]:
        """The members that name the upload."""
        members = {**self.members, "ChecksumAlgorithm": "CRC64NVME", "ChecksumType": "FULL_OBJECT"}
        answer = await self.client.call("CreateMultipartUpload", members)
        return {"Bucket": self.members["Bucket"], "Key": self.members["Key"], "UploadId": answer["UploadId"]}

    async def _send_parts(self, upload: Mapping[str, Any], piece: Piece) -> None:
        """Reads one part while others are on their way."""
        slots = asyncio.Semaphore(self.jobs)
        number = 1
        async with task_group() as group:
            while piece.length:
                if number > parts.MAX_PARTS:
                    raise Failure("The object is larger than S3 can take: more than 10,000 parts.")
                await slots.acquire()
                group.create_task(self._send_part(upload, number, piece, slots))
                number += 1
                piece = await self.source.read(self._size_of(number))
            piece.close()

    async def _send_part(self, upload: Mapping[str, Any], number: int, piece: Piece, slots: asyncio.Semaphore) -> None:
        members = {**upload, "PartNumber": number, "ChecksumCRC64NVME": piece.checksum}
        try:
            answer = await self.client.call("UploadPart", members, piece.body)
        finally:
            piece.close()
            slots.release()
        self._crcs[number] = piece.crc, piece.length
        self._parts[number] = {"PartNumber": number, "ETag": answer["ETag"], "ChecksumCRC64NVME": piece.checksum}
        self._sent(piece)

    async def _complete(self, upload: Mapping[str, Any]) -> Answer:
        ordered = [self._parts[number] for number in sorted(self._parts)]
        whole = combine([self._crcs[number] for number in sorted(self._crcs)])
        members = {
            **upload,
            "MultipartUpload": {"Parts": ordered},
            "ChecksumCRC64NVME": encode(whole),
            "ChecksumType": "FULL_OBJECT",
            "MpuObjectSize": self.size,
        }
        try:
            return await self.client.ask("CompleteMultipartUpload", members)
        except S3Failure as error:
            if error.code != "NoSuchUpload":
                raise
            return await self._completed_before(upload, len(ordered), error)

    async def _completed_before(self, upload: Mapping[str, Any], count: int, error: S3Failure) -> Answer:
        """The answer to a first attempt was lost, and the second one found no upload: is the object there?"""
        head = await self.client.ask("HeadObject", {"Bucket": upload["Bucket"], "Key": upload["Key"]})
        etag = str(head.members.get("ETag", "")).strip('"')
        if head.members.get("ContentLength") == self.size and etag.endswith(f"-{count}"):
            return head
        raise error

    async def _abort(self, upload: Mapping[str, Any]) -> None:
        """Takes the parts back: they would cost money for ever. An upload that cannot be aborted now is not the error
        that the person must hear of."""
        try:
            async with asyncio.timeout(_ABORT_SECONDS):
                await self.client.call("AbortMultipartUpload", upload)
        except (Failure, TimeoutError):
            pass

    def _size_of(self, number: int) -> int:
        if self.source.size is None:
            return parts.size_in_stream(number, self.part_size)
        return parts.size_for_file(self.source.size, self.part_size)

    def _sent(self, piece: Piece) -> None:
        self.size += piece.length
        self.advance(piece.length)
