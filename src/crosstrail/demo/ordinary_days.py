"""Who works in the made-up organisation's accounts outside AWS, and when they call what on its 30 ordinary days.

Knows no cloud: how a call is logged is for the module of the account's cloud to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from random import Random

from crosstrail.demo.actors import at, days


@dataclass(frozen=True, slots=True)
class Worker:
    """A user or a role's session, and its sessions on a working day, in hours of UTC."""

    name: str
    """Of a role's session: `role/session`."""
    address: str
    agent: str
    sessions: float
    hours: tuple[int, int]
    routine: dict[str, int]
    """Name of the call -> weight."""
    denied: float = 0.0
    """The share of its calls that are denied."""
    is_role: bool = False


@dataclass(frozen=True, slots=True)
class OrdinaryCall:
    """One call. What else its event says is drawn from `rng`, before the next call is asked for."""

    rng: Random
    worker: Worker
    name: str
    """As in the routine: `ecs:DescribeInstances`."""
    when: datetime
    is_denied: bool


def ordinary_calls(cloud: str, workers: tuple[Worker, ...], count: int) -> Iterator[OrdinaryCall]:
    """Every call of so many ordinary days: the same for the same `cloud` and workers."""
    for worker in workers:
        for day in days(count):
            yield from _working_day(Random(f"{cloud}/{worker.name}/{day}"), worker, day)


def _working_day(rng: Random, worker: Worker, day: date) -> Iterator[OrdinaryCall]:
    busy = worker.sessions * (1 if worker.is_role or day.weekday() < 5 else 0.3)
    for _ in range(int(busy * rng.uniform(0.7, 1.3) + rng.random())):
        clock = rng.uniform(*worker.hours) * 3600
        for name in rng.choices(list(worker.routine), list(worker.routine.values()), k=rng.randint(5, 12)):
            clock += rng.uniform(0.5, 25)
            yield OrdinaryCall(rng, worker, name, at(day, clock), rng.random() < worker.denied)
