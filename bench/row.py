"""One line of a result."""

from __future__ import annotations

from dataclasses import dataclass

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


@dataclass(frozen=True)
class Row:
    """One line of the result: what is sent, on how many connections, and for how long per round.

    ``seconds`` is a weight: the run of the whole bench scales it. ``minimum`` answers are waited for in any case.
    ``label`` is what it is called instead of its operation and size; ``keys``, how many keys one request is about.
    """

    operation: str
    size: int
    connections: int
    seconds: float = 1.0
    minimum: int = 30
    signed_payload: bool = False
    label: str = ""
    keys: int = 1

    @property
    def name(self) -> str:
        size = f"{self.size // MIB} MiB" if self.size >= MIB else f"{self.size // KIB} KiB"
        label = self.label or f"{self.operation} {size}{' sha256' if self.signed_payload else ''}"
        return f"{label}, {self.connections} conn"
