"""Policies of eviction as their authors describe them, by bytes: what they are compared with is in `product`.

LRU, FIFO; SIEVE (NSDI 2024); S3-FIFO (SOSP 2023); W-TinyLFU (ACM Transactions on Storage 13, 2017); and what nobody can
do who does not know the future: Belady's, which with objects of several sizes is no bound, as it looks at times only.
"""

from __future__ import annotations

import heapq
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from typing import Protocol


class Policy(Protocol):
    """A cache of so many bytes."""

    def read(self, key: int, size: int) -> bool:
        """Whether the object was there; afterwards it is, if the policy wants that."""


class Lru:
    def __init__(self, room: int) -> None:
        self._left = room
        self._room = room
        self._here: OrderedDict[int, int] = OrderedDict()

    def read(self, key: int, size: int) -> bool:
        if key in self._here:
            self._hit(key)
            return True
        if size <= self._room:
            while self._left < size:
                self._left += self._here.popitem(last=False)[1]
            self._here[key] = size
            self._left -= size
        return False

    def _hit(self, key: int) -> None:
        self._here.move_to_end(key)


class Fifo(Lru):
    def _hit(self, key: int) -> None:
        pass


class Sieve:
    """New ones at the head; a hand goes from the tail to the head and takes the first that was not read since it passed."""

    def __init__(self, room: int) -> None:
        self._left = room
        self._room = room
        self._size: dict[int, int] = {}
        self._visited: dict[int, bool] = {}
        self._newer: dict[int, int | None] = {}
        self._older: dict[int, int | None] = {}
        self._head: int | None = None
        self._tail: int | None = None
        self._hand: int | None = None

    def read(self, key: int, size: int) -> bool:
        if key in self._size:
            self._visited[key] = True
            return True
        if size <= self._room:
            while self._left < size:
                self._evict()
            self._insert(key, size)
        return False

    def _insert(self, key: int, size: int) -> None:
        self._size[key], self._visited[key] = size, False
        self._newer[key], self._older[key] = None, self._head
        if self._head is not None:
            self._newer[self._head] = key
        self._head = key
        if self._tail is None:
            self._tail = key
        self._left -= size

    def _evict(self) -> None:
        at = self._hand if self._hand is not None else self._tail
        assert at is not None
        while self._visited[at]:
            self._visited[at] = False
            newer = self._newer[at]
            at = newer if newer is not None else self._tail
            assert at is not None
        newer, older = self._newer.pop(at), self._older.pop(at)
        self._hand = newer
        if newer is not None:
            self._older[newer] = older
        else:
            self._head = older
        if older is not None:
            self._newer[older] = newer
        else:
            self._tail = newer
        del self._visited[at]
        self._left += self._size.pop(at)


class S3Fifo:
    """A tenth for what came lately; what was read twice in it, or comes back, goes to the rest."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._small: OrderedDict[int, int] = OrderedDict()
        self._main: OrderedDict[int, int] = OrderedDict()
        self._ghost: OrderedDict[int, int] = OrderedDict()
        self._bytes = {"small": 0, "main": 0, "ghost": 0}
        self._uses: Counter[int] = Counter()

    def read(self, key: int, size: int) -> bool:
        if key in self._small or key in self._main:
            self._uses[key] = min(self._uses[key] + 1, 3)
            return True
        if size > self._room:
            return False
        comes_back = key in self._ghost  # before room is made, which forgets ghosts
        while self._bytes["small"] + self._bytes["main"] + size > self._room:
            self._evict()
        if comes_back:
            self._bytes["ghost"] -= self._ghost.pop(key, 0)
            self._main[key] = size
            self._bytes["main"] += size
        else:
            self._small[key] = size
            self._bytes["small"] += size
        return False

    def _evict(self) -> None:
        if self._small and (self._bytes["small"] > self._room // 10 or not self._main):
            key, size = self._small.popitem(last=False)
            self._bytes["small"] -= size
            if self._uses.pop(key, 0) > 1:
                self._main[key] = size
                self._bytes["main"] += size
            else:
                self._remember(key, size)
            return
        key, size = self._main.popitem(last=False)
        if self._uses[key] > 0:
            self._uses[key] -= 1
            self._main[key] = size
        else:
            self._uses.pop(key, None)
            self._bytes["main"] -= size

    def _remember(self, key: int, size: int) -> None:
        self._bytes["ghost"] += size - self._ghost.pop(key, 0)
        self._ghost[key] = size
        while self._bytes["ghost"] > self._room * 9 // 10:
            self._bytes["ghost"] -= self._ghost.popitem(last=False)[1]


class TinyLfu:
    """A window of a hundredth, LRU; what falls out of it comes in where it is read more often than what would have to go.
    The main part is a segmented LRU, four fifths protected. Frequencies are exact, and halved now and then."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._of_window, self._of_protected = room // 100, room * 99 // 100 * 8 // 10
        self._window: OrderedDict[int, int] = OrderedDict()
        self._probation: OrderedDict[int, int] = OrderedDict()
        self._protected: OrderedDict[int, int] = OrderedDict()
        self._bytes = {"window": 0, "probation": 0, "protected": 0}
        self._frequency: Counter[int] = Counter()
        self._counted = 0

    def read(self, key: int, size: int) -> bool:
        self._count(key)
        if key in self._window:
            self._window.move_to_end(key)
            return True
        if key in self._protected:
            self._protected.move_to_end(key)
            return True
        if key in self._probation:
            self._promote(key)
            return True
        if size <= self._room - self._of_window:
            self._window[key] = size
            self._bytes["window"] += size
            while self._bytes["window"] > self._of_window:
                candidate, length = self._window.popitem(last=False)
                self._bytes["window"] -= length
                self._admit(candidate, length)
        return False

    def _count(self, key: int) -> None:
        self._frequency[key] = min(self._frequency[key] + 1, 15)
        self._counted += 1
        here = len(self._window) + len(self._probation) + len(self._protected)
        if self._counted > 10 * max(here, 1000):
            self._counted = 0
            self._frequency = Counter({key: count // 2 for key, count in self._frequency.items() if count > 1})

    def _promote(self, key: int) -> None:
        size = self._probation.pop(key)
        self._bytes["probation"] -= size
        self._protected[key] = size
        self._bytes["protected"] += size
        while self._bytes["protected"] > self._of_protected:
            other, length = self._protected.popitem(last=False)
            self._bytes["protected"] -= length
            self._probation[other] = length
            self._bytes["probation"] += length

    def _admit(self, key: int, size: int) -> None:
        room = self._room - self._of_window
        victims, free = [], room - self._bytes["probation"] - self._bytes["protected"]
        for part in (self._probation, self._protected):
            for victim, length in part.items():
                if free >= size:
                    break
                if self._frequency[victim] >= self._frequency[key]:
                    return
                victims.append(victim)
                free += length
        for victim in victims:
            part, name = (self._probation, "probation") if victim in self._probation else (self._protected, "protected")
            self._bytes[name] -= part.pop(victim)
        self._probation[key] = size
        self._bytes["probation"] += size


class Belady:
    """What is read again last goes first, and does not come in if that is what was just read."""

    def __init__(self, room: int, keys: Sequence[int]) -> None:
        self._left = room
        self._room = room
        self._here: dict[int, tuple[int, int]] = {}  # size, next read
        self._heap: list[tuple[int, int]] = []
        self._next = [0] * len(keys)
        following: dict[int, int] = {}
        for at in range(len(keys) - 1, -1, -1):
            self._next[at] = following.get(keys[at], len(keys))
            following[keys[at]] = at
        self._at = -1

    def read(self, key: int, size: int) -> bool:
        self._at += 1
        again = self._next[self._at]
        hit = key in self._here
        if not hit:
            if size > self._room or not self._make(size, again):
                return False
            self._left -= size
        self._here[key] = size, again
        heapq.heappush(self._heap, (-again, key))
        return hit

    def _make(self, size: int, again: int) -> bool:
        going: list[tuple[int, int]] = []
        free = self._left
        while free < size:
            negative, key = heapq.heappop(self._heap)
            if key not in self._here or self._here[key][1] != -negative or any(key == other for _, other in going):
                continue  # of an earlier read
            going.append((negative, key))
            if -negative <= again:
                for one in going:
                    heapq.heappush(self._heap, one)
                return False
            free += self._here[key][0]
        for _, key in going:
            del self._here[key]
        self._left = free
        return True


POLICIES: dict[str, Callable[[int, Sequence[int]], Policy]] = {
    "FIFO": lambda room, _keys: Fifo(room),
    "LRU": lambda room, _keys: Lru(room),
    "SIEVE": lambda room, _keys: Sieve(room),
    "S3-FIFO": lambda room, _keys: S3Fifo(room),
    "W-TinyLFU": lambda room, _keys: TinyLfu(room),
    "Belady": Belady,
}
