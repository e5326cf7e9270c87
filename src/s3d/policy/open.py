"""Opens the policy that the settings name."""

from __future__ import annotations

from collections.abc import Callable

from s3d.policy.config import PolicyConfig
from s3d.policy.policy import Policy


def open_policy(config: PolicyConfig, changed: Callable[[], None] = lambda: None) -> Policy:
    """Raises CannotOpen with the file and the line of what is wrong. A server is not asked here: it may be away.

    ``changed`` is called when earlier answers may not be right any more: another policy was read, or a server that gave
    none gives answers again.
    """
    if config.policy is not None:
        from s3d.policy.own_engine import OwnEngine

        return OwnEngine(config.policy, config, changed)
    if config.url is not None:
        from s3d.policy.server import PolicyServer

        return PolicyServer(config.url, config, changed)
    raise ValueError("there is neither a policy nor the URL of one")
