"""Aborting uploads at the remote that nobody will complete: of operations that were dropped, replaced or refused."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from s3d.s3 import codec
from s3d.s3.errors import RemoteUnreachable, S3Error
from s3d.s3.message import S3Request, S3Response
from s3d.standalone.version import key_text
from s3d.write_queue.journal import Journal
from s3d.write_queue.operation import Abandoned
from s3d.write_queue.outcome import Refusal, refusal

log = logging.getLogger("s3d.write_queue")

_PAGE = 100
_FIRST, _LAST = 1.0, 300.0
"""Seconds until the journal is looked at again, however often it is woken; twice as long each time that it does not
succeed."""


class Aborter:
    """Of one journal. ``ask`` sends a request (Refusal, RemoteUnreachable); ``may`` says whether anything may be sent."""

    def __init__(
        self, journal: Journal, ask: Callable[[S3Request], Awaitable[S3Response]], may: Callable[[], bool]
    ) -> None:
        self._journal = journal
        self._ask = ask
        self._may = may
        self._wake = asyncio.Event()
        self.in_use: set[str] = set()
        """UploadIds that somebody is about to complete."""

    def wake(self) -> None:
        """There may be some: this costs nothing."""
        self._wake.set()

    async def run(self) -> None:
        """Until it is cancelled."""
        pause = _FIRST
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                done = await self._abort_all()
            except RemoteUnreachable:
                done = False
            except S3Error as error:  # our own disk
                log.error("the write queue cannot write its journal", extra={"error": error.message})
                done = False
            except Exception:
                log.exception("aborting uploads met a defect")
                done = False
            pause = _FIRST if done or not self._may() else min(_LAST, pause * 2)
            if not done:
                self._wake.set()
            await asyncio.sleep(pause)

    async def _abort_all(self) -> bool:
        """Whether none is left that could be aborted. Raises S3Error: our own disk; RemoteUnreachable."""
        refused: set[str] = set()  # buckets
        page = self._journal.abandoned(_PAGE)
        while page:
            for upload in page:
                if upload.upload_id in self.in_use or upload.bucket in refused:
                    continue
                if not self._may():
                    return False
                if await self._abort(upload):
                    await self._journal.aborted(upload)
                else:
                    refused.add(upload.bucket)
            page = self._journal.abandoned(_PAGE, page[-1])
        return not refused

    async def _abort(self, upload: Abandoned) -> bool:
        """Whether the remote has answered for good. Raises RemoteUnreachable."""
        members = {"Bucket": upload.bucket, "Key": key_text(upload.key), "UploadId": upload.upload_id}
        try:
            response = await self._ask(codec.build_request("AbortMultipartUpload", members))
        except Refusal as error:
            return self._is_final(upload, error)
        return 200 <= response.status < 300 or self._is_final(upload, refusal(response))

    def _is_final(self, upload: Abandoned, error: Refusal) -> bool:
        if error.code == "NoSuchUpload":  # completed, or gone
            return True
        told = {"bucket": upload.bucket, "code": error.code, "error": error.message}
        if error.permanent or error.status == 404:  # its rules for what was not completed have to do it
            log.info("an upload cannot be aborted", extra=told)
            return True
        log.debug("an upload is aborted later", extra=told)
        return False
