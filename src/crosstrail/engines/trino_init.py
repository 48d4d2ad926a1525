"""The view that the engine `trino` reads, made on Trino for whoever sets it up.

Decides nothing but how an error reads there: whoever makes the view is an administrator, who is told Trino's own words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crosstrail.engines.remote_runs import RemoteEnded
from crosstrail.engines.trino_access import TrinoAccess
from crosstrail.engines.trino_faults import Statement, TrinoRefused
from crosstrail.engines.trino_query import TrinoConnection, TrinoRun
from crosstrail.errors import LakeError
from crosstrail.text import clean

if TYPE_CHECKING:
    from trino.exceptions import TrinoQueryError

_MAX_BYTES = 1000


class _AdministratorsRun(TrinoRun):
    def _fault(self, error: TrinoQueryError) -> RemoteEnded:
        return RemoteEnded(f"Trino refuses: {clean(str(error.message), _MAX_BYTES)}")


def make_view(access: TrinoAccess, statement: str) -> None:
    """Blocks until Trino has made it. Raises LakeError, ConfigError."""
    run = _AdministratorsRun(TrinoConnection.made(access), Statement(statement, statement), {})
    try:
        for _ in run.pages(lambda progress: None):
            pass
    except TrinoRefused as refused:
        raise refused.reason from None
    except RemoteEnded as ended:
        raise LakeError(
            f"the view cannot be made. {ended.error}",
            hint="Make it as a user who may make views there and read the lake's table: set trino.user for this one command, "
            "or run the statement that --print shows.",
        ) from None
    finally:
        run.close()
