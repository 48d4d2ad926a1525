"""Several processes that serve one address: uvicorn's, which all end in time.

Decides how long a worker that was told to stop may take. Imported only where there are several.
"""

from __future__ import annotations

import time

from uvicorn.supervisors import Multiprocess

_LAST_SECONDS = 8.0


class Workers(Multiprocess):
    """Kills a worker that hangs when it is told to stop; uvicorn would wait for it for good."""

    def terminate_all(self) -> None:
        super().terminate_all()
        until = time.monotonic() + _LAST_SECONDS
        for worker in self.processes:
            worker.process.join(max(0.0, until - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
