"""What is decided: filters of several sizes, and an object that fits each and one that does not."""

from __future__ import annotations

from dataclasses import dataclass, replace

from s3d.filters.facts import Facts

CONDITIONS = (0, 1, 3, 10)
FILTERS = (1, 10, 100, 1000)
OBJECT = Facts(
    bucket="videos",
    key="2026/11/23/camera-7/0001.mp4",
    size=8_000_000,
    headers={"content-type": "video/mp4", "cache-control": "no-cache", "x-amz-storage-class": "STANDARD"},
    metadata={"taken": "2026-11-23T12:00:00", "quality": "87", "model": "hq-2"},
    tags={"release": "yes", "camera": "7", "site": "hamburg"},
    bucket_tags={"owner": "video", "stage": "production"},
)
_CONDITIONS = (  # the last of 1, 3 and 10 is the one that does not hold for an object that does not fit
    "[hdr:content-type='video/*']",
    "[md:taken>=2026-01-01]",
    "[tag:release=yes]",
    "[hdr:content-length<64MB]",
    "[md:quality>50]",
    "[tag:camera!=test]",
    "[hdr:cache-control]",
    "[md:model='hq-[0-9]']",
    "[tag:draft!=yes]",
    "[tag:site=hamburg]",
)
_COSTLY = {  # in words: three conditions of one kind, all of which hold
    "numbers": "[md:quality>50][md:quality<99.5][hdr:content-length<64MB]",
    "sets": "[md:model='h[a-z]-[0-9]'][tag:camera='[0-9]'][tag:site='h*[aeiou]*[!0-9]']",
}
_FAILING = {
    0: replace(OBJECT, key="2025/12/31/camera-7/0001.mp4"),
    1: replace(OBJECT, headers=dict(OBJECT.headers) | {"content-type": "image/jpeg"}),
    3: replace(OBJECT, tags=dict(OBJECT.tags or {}) | {"release": "no"}),
    10: replace(OBJECT, tags=dict(OBJECT.tags or {}) | {"site": "bremen"}),
}


@dataclass(frozen=True)
class Case:
    """One line of the result. ``goal``: microseconds; None: there is none."""

    name: str
    text: str
    facts: Facts
    answer: bool
    goal: float | None = None


def cases() -> list[Case]:
    """By number of conditions, then by number of filters."""
    found = []
    for number in CONDITIONS:
        text = "videos/2026/*" + "".join(_CONDITIONS[:number])
        name, goal = f"{number} condition{'s' if number != 1 else ''}", 2.0 if number == 3 else None
        found.append(Case(f"{name}, fits", text, OBJECT, answer=True, goal=goal))
        found.append(Case(f"{name}, does not fit", text, _FAILING[number], answer=False, goal=goal))
    for kind, conditions in _COSTLY.items():
        found.append(Case(f"3 conditions, {kind}, fits", f"videos/2026/*{conditions}", OBJECT, answer=True, goal=2.0))
    for number in FILTERS:
        others = [f"videos/2026/11/{index}/*[tag:release=yes]" for index in range(100, 99 + number)]
        text = " ".join([*others, "videos/2026/11/23/*[tag:release=yes]"])
        name = f"{number} filter{'s' if number != 1 else ''} of 1 condition"
        found.append(Case(f"{name}, the last fits", text, OBJECT, answer=True))
        found.append(Case(f"{name}, none fits", text, _FAILING[3], answer=False))
    return found
