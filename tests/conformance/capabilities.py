"""Where a real peer is not S3: by backend, the capability that it lacks and what it does instead (all measured).

A test says with ``@pytest.mark.capability("name")`` what it needs. For a backend that has the name here the test must
*fail*: one that passes means that the peer has learnt it, and the line must go.
"""

from __future__ import annotations

CAPABILITIES: dict[str, dict[str, str]] = {
    "memory": {},
    "remote-seaweedfs": {},
    "remote-moto": {},
}
