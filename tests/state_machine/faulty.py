"""A remote that fails: a Backend around another one, which does what the tests tell it to.

Faults are planned for the next request of a kind. Each request is received whole before it is carried out, and then
carried out whole, whatever becomes of who sent it: so it is known afterwards what the remote did.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from s3d.s3.backend import Backend
from s3d.s3.errors import RemoteUnreachable, S3Error, error_response
from s3d.s3.message import FileRange, ResponseBody, S3Request, S3Response

LOST = "The remote S3 gave no answer: a test."

PUSHES = frozenset(
    {
        "AbortMultipartUpload",
        "CompleteMultipartUpload",
        "CreateMultipartUpload",
        "DeleteObject",
        "DeleteObjectTagging",
        "PutObject",
        "PutObjectTagging",
        "UploadPart",
    }
)
_REFUSABLE = PUSHES - {"AbortMultipartUpload"}
_REFUSALS = {
    "DeleteObject": "MethodNotAllowed",
    "DeleteObjectTagging": "NotImplemented",
    "PutObjectTagging": "InvalidTag",
}
"""What is said for good, of all others AccessDenied."""

UNREACHED, BROKEN_OFF, UNANSWERED, CUT_SHORT = "unreached", "broken off", "unanswered", "cut short"
"""The connection breaks before the request is sent, in the middle of its body, before the answer, in the middle of that."""
OVERLOADED, BROKEN, BROKEN_LATE = "overloaded", "broken", "broken late"
"""SlowDown; InternalError, before or after the request was carried out."""
CONFLICT = "conflict"
"""ConditionalRequestConflict: the remote did nothing, and another try may go well."""
REFUSED, BLIND = "refused", "blind"
"""No to a change that is pushed, for good; AccessDenied to a question about it (HEAD)."""
KINDS = (UNREACHED, BROKEN_OFF, UNANSWERED, CUT_SHORT, OVERLOADED, BROKEN, BROKEN_LATE, CONFLICT, REFUSED, BLIND)

_SAID = {OVERLOADED: "SlowDown", BROKEN: "InternalError", CONFLICT: "ConditionalRequestConflict", BLIND: "AccessDenied"}

Place = tuple[str, str]
"""Bucket and key."""


@dataclass
class Fault:
    """``of``: whose requests are meant (``push``, ``look``, ``client`` or ``any``); as many as ``skipped`` go through
    before the one that fails."""

    kind: str
    of: str
    skipped: int = 0

    def means(self, request: S3Request) -> bool:
        """Whether it is a request of this kind."""
        if self.kind in (CONFLICT, REFUSED, BLIND):
            names = {"HeadObject"} if self.kind == BLIND else _REFUSABLE
            return not request.request_id and request.operation in names
        if self.of == "client":
            return bool(request.request_id)
        if self.of == "any":
            return True
        names = PUSHES if self.of == "push" else {"HeadObject", "GetObjectTagging"}
        return not request.request_id and request.operation in names


@dataclass
class Faulty:
    """Requests of clients have an id; those that the queue makes by itself have none."""

    inner: Backend
    story: list[str] = field(default_factory=list)
    """What happened, for whoever has to find out why something failed."""
    away: bool = False
    pause: float = 0.0
    """Seconds that the remote takes for each request."""
    plan: list[Fault] = field(default_factory=list)
    injected: int = 0
    """How many requests failed because of this."""
    done: dict[str, int] = field(default_factory=dict)
    """Status of what was carried out, by request id and operation, whatever was answered."""
    unsure: set[Place] = field(default_factory=set)
    """Of which the queue may not have learnt what became of a change."""
    unseen: set[Place] = field(default_factory=set)
    """Where the queue was not allowed to look: what it does not know it sends again."""
    refused: set[Place] = field(default_factory=set)
    at_work: dict[asyncio.Task[S3Response], Place] = field(default_factory=dict)
    """What is being carried out, of which key."""

    async def __call__(self, request: S3Request) -> S3Response:
        """Raises RemoteUnreachable."""
        fault = self._fault(request)
        if fault == UNREACHED:
            raise RemoteUnreachable(LOST)
        request = dataclasses.replace(request, body=await _received(request, half=fault == BROKEN_OFF))
        if fault == REFUSED:
            return _said(_REFUSALS.get(request.operation, "AccessDenied"), request)
        if fault in _SAID:
            return _said(_SAID[fault], request)
        response = await self._carry_out(request)
        if fault == UNANSWERED:
            await _thrown_away(response)
            raise RemoteUnreachable(LOST)
        if fault == BROKEN_LATE:
            await _thrown_away(response)
            return _said("InternalError", request)
        if fault == CUT_SHORT:
            response.body = _half(response.body)
        return response

    async def settle(self) -> None:
        """Returns when everything that was begun is done. Who sent it may be gone."""
        self.unsure.update(self.at_work.values())
        await asyncio.gather(*self.at_work, return_exceptions=True)

    def heal(self) -> None:
        self.away, self.pause = False, 0.0
        self.plan.clear()

    def _fault(self, request: S3Request) -> str | None:
        fault = UNREACHED if self.away else self._planned(request)
        place = (request.bucket or "", request.key or "")
        if fault == REFUSED and place in self.unsure:
            return None  # whether the remote has it could not be told any more
        if fault is not None:
            self.story.append(f"{request.request_id or 'the queue'}: {request.operation} {place} is {fault}")
            self.injected += 1
            {REFUSED: self.refused, BLIND: self.unseen, CONFLICT: set()}.get(fault, self.unsure).add(place)
        return fault

    def _planned(self, request: S3Request) -> str | None:
        for fault in self.plan:
            if fault.means(request):
                fault.skipped -= 1
                if fault.skipped < 0:
                    self.plan.remove(fault)
                    return fault.kind
                return None
        return None

    async def _carry_out(self, request: S3Request) -> S3Response:
        task = asyncio.get_running_loop().create_task(self._inner(request))
        self.at_work[task] = (request.bucket or "", request.key or "")
        task.add_done_callback(self.at_work.pop)
        return await asyncio.shield(task)

    async def _inner(self, request: S3Request) -> S3Response:
        await asyncio.sleep(self.pause)
        try:
            response = await self.inner(request)
        except S3Error as error:  # an embedded store raises what a remote answers
            response = error_response(error, resource="/", request_id="", head=request.method == "HEAD")
        if request.request_id:
            self.done[f"{request.request_id} {request.operation}"] = response.status
        return response


async def _received(request: S3Request, *, half: bool) -> bytes:
    """The whole body. Raises RemoteUnreachable in the middle of it."""
    body = request.body
    if isinstance(body, bytes):
        pieces = [body]
    else:
        pieces = []
        async for piece in body:
            pieces.append(piece)
            if half:
                break
    if half:
        raise RemoteUnreachable(LOST)
    return b"".join(pieces)


def _said(code: str, request: S3Request) -> S3Response:
    return error_response(S3Error(code), resource="/", request_id="", head=request.method == "HEAD")


async def _thrown_away(response: S3Response) -> None:
    body = response.body
    if isinstance(body, FileRange):
        body.file.close()
    elif isinstance(body, AsyncGenerator):
        await body.aclose()


async def _half(body: ResponseBody) -> AsyncGenerator[bytes | memoryview | FileRange, None]:
    if isinstance(body, bytes):
        yield body[: len(body) // 2]
    elif isinstance(body, FileRange):
        yield FileRange(body.file, body.offset, body.length // 2)
    else:
        try:
            async for piece in body:
                yield piece
                break
        finally:
            await body.aclose()
    raise RemoteUnreachable(LOST)
