"""All looks side by side, each with a time of its own, so that nothing that hangs holds the others up.

Decides the order of what is told and how long anybody waits. A look that fails itself is a finding like any other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping

import anyio

from crosstrail.doctor.finding import DoctorFinding, failed
from crosstrail.errors import CrosstrailError
from crosstrail.tasks import in_daemon_thread

Look = Callable[[], Iterable[DoctorFinding]]
AsyncLook = Callable[[], Awaitable[Iterable[DoctorFinding]]]


async def run_all(looks: Mapping[str, AsyncLook], seconds: float = 30.0) -> list[DoctorFinding]:
    """What all of them found, in the order of `looks`: area -> look. `seconds`: that one of them may take."""
    found: dict[str, list[DoctorFinding]] = {}

    async def one(area: str, ask: AsyncLook) -> None:
        try:
            with anyio.fail_after(seconds):
                found[area] = list(await ask())
        except TimeoutError:
            said = f"no answer in {seconds:g} s"
            found[area] = [failed(area, "", said, "See what it waits for: a network, a disk, another process.")]
        except CrosstrailError as error:
            found[area] = [failed(area, "", str(error), error.hint or "See the message.")]
        except OSError as error:
            found[area] = [
                failed(area, "", f"{error.strerror or type(error).__name__}: {error.filename}", "See the message.")
            ]

    async with anyio.create_task_group() as group:
        for area, ask in looks.items():
            group.start_soon(one, area, ask)
    return [finding for area in looks for finding in found[area]]


def threaded(look: Look) -> AsyncLook:
    """A blocking look, in a thread that may be left behind."""

    async def ask() -> Iterable[DoctorFinding]:
        return await in_daemon_thread(lambda: list(look()))

    return ask
