"""What the bench and its load generator tell each other, pickled over the generator's stdin and stdout."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Prepared:
    """One signed request as bytes, and what a right answer to it looks like.

    ``head`` is the request line and header; ``small_body`` is sent together with it; ``body`` is a file of which
    ``body_length`` bytes from ``body_offset`` are sent after it. Of the answer: ``status``; ``length`` of the body in
    bytes; ``etag`` without quotes; ``md5`` of the body in hex; ``keys``, how many keys a list has. None means that it is
    not looked at.
    """

    head: bytes
    small_body: bytes = b""
    body: Path | None = None
    body_length: int = 0
    body_offset: int = 0
    status: int = 200
    length: int | None = None
    etag: str | None = None
    md5: str | None = None
    keys: int | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """Sends ``requests`` to the server at ``url`` over and over on ``connections`` kept-alive connections.

    Connection i sends the requests i, i + connections, ...: where there are at least as many requests as connections,
    no two of them write to the same key at once. The run ends after ``seconds``, but not before ``minimum`` answers.
    With ``once`` each request is sent once, in their order, by whichever connection is free, and the run ends after that.
    ``check_first`` requests are sent once before the clock starts, and every byte of their answers is verified.
    ``processes`` are the servers, by name, whose CPU time is read at both ends of the run.
    """

    url: str
    requests: list[Prepared]
    connections: int
    seconds: float = 0.0
    minimum: int = 0
    check_first: int = 0
    processes: dict[str, int] = field(default_factory=dict)
    once: bool = False


@dataclass(slots=True)
class Outcome:
    """What a run measured: ``latencies`` in nanoseconds, one per answer; ``seconds`` from the first request's start to
    the last answer's end; CPU seconds by process (``generator`` is the load generator). ``wrong`` says what was wrong
    with the first wrong answer: then the numbers mean nothing."""

    latencies: array[int]
    seconds: float
    cpu: dict[str, float] = field(default_factory=dict)
    wrong: str | None = None
