"""The limits of the queue: who is let in, and in which order who waits.

    room = max_size - bytes there - bytes reserved, and the same for files; and the space that stays free on the disk

A reservation is held while a body arrives. Once that is on the disk it is part of what is there (`Room.set`), and the
reservation ends.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

from s3d.s3.errors import S3Error

_RETRY_AFTER = 5  # seconds
_LOOK_AGAIN = 1.0
"""Seconds. Nobody says so when others make room on the disk."""


class Room:
    """Of one queue. Sizes in bytes, ``max_wait`` in seconds; ``floor`` bytes stay free on the disk, of which ``free`` says
    how many there are now. ``reserve``: whether there is what the journal needs when the disk is full. ``is_held``: it is
    for held objects."""

    def __init__(
        self,
        max_size: int,
        max_files: int,
        floor: int,
        free: Callable[[], int],
        max_wait: float,
        reserve: Callable[[], bool] = lambda: True,
        *,
        is_held: bool = False,
    ) -> None:
        self._max_size = max_size
        self._max_files = max_files
        self._floor = floor
        self._free = free
        self._max_wait = max_wait
        self._reserve = reserve
        self._what = "The room for held objects" if is_held else "The write queue"
        self._size = self._files = 0
        self._reserved_size = self._reserved_files = 0
        self._waiting: deque[_Waiting] = deque()

    @property
    def waiting(self) -> int:
        """How many wait for room."""
        return len(self._waiting)

    def set(self, size: int, files: int) -> None:
        """What is there now."""
        self._size, self._files = size, files
        self._let_in()

    def lacks(self, size: int) -> str | None:
        """Why a body would have to wait now, or is refused; None: it would not."""
        if size > self._max_size:
            return f"it is larger than the {self._max_size} bytes that there may be"
        return "others wait in front" if self._waiting else self._lack(Reservation(self, size, 1))

    async def reserve(self, size: int, files: int = 1) -> Reservation:
        """Room for a body, in the order of asking. S3Error: SlowDown when it does not come in time, EntityTooLarge for a
        body that never finds any."""
        if size > self._max_size:
            elements = {"ProposedSize": str(size), "MaxSizeAllowed": str(self._max_size)}
            raise S3Error("EntityTooLarge", "The body is larger than the write queue may be.", elements=elements)
        reservation = Reservation(self, size, files)
        self._let_in()
        if self._waiting or self._lack(reservation) is not None:
            await self._wait(reservation)
        else:
            self._take(reservation)
        return reservation

    def release(self, reservation: Reservation) -> None:
        """It ends."""
        self._reserved_size -= reservation.size
        self._reserved_files -= reservation.files
        self._let_in()

    async def _wait(self, reservation: Reservation) -> None:
        """Returns when the room was taken."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (reservation, future)
        self._waiting.append(entry)
        try:
            await self._until_let_in(future)
        except asyncio.CancelledError:
            if future.done():
                self.release(reservation)
            else:
                self._leave(entry)
            raise
        if not future.done():
            why = self._lack(reservation) or "others wait in front"
            self._leave(entry)
            how_long = f", and stayed so for {self._max_wait:g} s" if self._max_wait else ""
            message = f"{self._what} is full{how_long}: {why}."
            raise S3Error("SlowDown", message, headers={"Retry-After": str(_RETRY_AFTER)})

    async def _until_let_in(self, future: asyncio.Future[None]) -> None:
        """Returns when it is, or the time is over."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._max_wait
        while not future.done() and (left := deadline - loop.time()) > 0:
            await asyncio.wait([future], timeout=min(left, _LOOK_AGAIN))
            self._let_in()

    def _leave(self, entry: _Waiting) -> None:
        """Gives up. Who comes next may need less."""
        self._waiting.remove(entry)
        self._let_in()

    def _let_in(self) -> None:
        while self._waiting and self._lack(self._waiting[0][0]) is None:
            reservation, future = self._waiting.popleft()
            self._take(reservation)
            future.set_result(None)

    def _take(self, reservation: Reservation) -> None:
        self._reserved_size += reservation.size
        self._reserved_files += reservation.files

    def _lack(self, wanted: Reservation) -> str | None:
        """What there is too little of."""
        if self._size + self._reserved_size + wanted.size > self._max_size:
            return f"{self._size} of {self._max_size} bytes are used"
        if wanted.files and self._files + self._reserved_files + wanted.files > self._max_files:
            return f"{self._files} of {self._max_files} objects are there"
        if self._floor and self._free() - self._reserved_size - wanted.size < self._floor:
            return f"less than {self._floor} bytes would stay free on the disk"
        if not self._reserve():
            return "the disk is full"
        return None


class Reservation:
    """Room for ``size`` bytes and ``files`` objects, until the end of the context."""

    def __init__(self, room: Room, size: int, files: int) -> None:
        self.size = size
        self.files = files
        self._room = room

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._room.release(self)


_Waiting = tuple[Reservation, asyncio.Future[None]]
