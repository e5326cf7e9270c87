"""Whether the remote answers, as seen from the requests that were sent to it."""

from __future__ import annotations

import logging
import time
from typing import Any

log = logging.getLogger("s3d.remote")


class Health:
    """The last thing known: None before the first request, then True or False. Changes are logged, repeats are not."""

    def __init__(self) -> None:
        self.reachable: bool | None = None
        self._since = time.time()
        self._error: str | None = None

    def answered(self) -> None:
        """An answer came, whatever its status."""
        if self.reachable is not True:
            if self.reachable is False:
                log.info("the remote answers again", extra={"away_seconds": round(time.time() - self._since, 1)})
            self.reachable, self._since, self._error = True, time.time(), None

    def failed(self, error: str) -> None:
        """No answer came."""
        self._error = error
        if self.reachable is not False:
            log.warning("the remote does not answer", extra={"error": error})
            self.reachable, self._since = False, time.time()

    def document(self) -> dict[str, Any]:
        """For the status page: ``reachable`` (null: nothing was asked yet), ``since`` (Unix seconds), ``error``."""
        return {"reachable": self.reachable, "since": round(self._since, 3), "error": self._error}
