"""The embedded engine against what real Trinos answered when `make trino-test RECORD=1` ran: some of it, in every run of the tests."""

from __future__ import annotations

import itertools
from contextlib import closing

import pytest

from crosstrail.engines.sql.function_table import answered
from embedded import Embedded
from function_probes import called, probes
from oracle import contradicts, recorded

EVERY = 8
YOUNGER = {"array_first", "array_last"}
"""Functions that 476 does not have yet: they are answered whichever version's values are asked for."""


@pytest.mark.parametrize("version", ["476", "483"])
def test_what_trino_answered_is_answered_so_or_refused(version: str) -> None:
    entries = list(recorded("functions", version))
    assert len(entries) >= 600
    some = [one for one in itertools.islice(entries, 0, None, EVERY) if not called(one["sql"]) & YOUNGER]
    with closing(Embedded(trino_version=int(version))) as embedded:
        ours = [(entry, embedded.ask(entry["sql"])) for entry in some]
    assert [(entry, answer) for entry, answer in ours if contradicts(entry, answer)] == []
    assert sum(not answer.error for _, answer in ours) > len(some) / 2


def test_every_function_is_probed() -> None:
    """So that a new function is judged by Trino: add it to function_templates.py."""
    probed = set().union(*map(called, probes(1)))
    assert sorted(answered() - probed) == []
