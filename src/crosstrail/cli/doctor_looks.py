"""What `crosstrail doctor` looks at, and how its findings look on a terminal."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import groupby

import anyio
import anyio.to_thread
import click

from crosstrail.cli.cells import width_of, wrapped
from crosstrail.cli.check import Checked, check_accounts
from crosstrail.cli.output.colour import Meaning, coloured
from crosstrail.cli.translation import translated
from crosstrail.cli.words import out
from crosstrail.clouds.base import clouds
from crosstrail.doctor import host, serving, storage
from crosstrail.doctor.clock import clock, reachable
from crosstrail.doctor.finding import DoctorFinding, DoctorStatus, failed, ok, warning
from crosstrail.doctor.run import AsyncLook, run_all, threaded
from crosstrail.errors import ConfigError, CrosstrailError
from crosstrail.settings.config import Settings, load_settings
from crosstrail.settings.environment import environment
from crosstrail.settings.settings_file import config_file
from crosstrail.text import visible
from crosstrail.workspace.settings_check import ReadSettings, Severity, read_settings
from crosstrail.workspace.workspace import Workspace

_WIDEST = 120
_MARK = 11
_NAMED = ("accounts", "clients")
"""Areas whose subjects are names: data, whatever word they are."""
_MEANINGS = {DoctorStatus.FAILED: Meaning.FAILED, DoctorStatus.WARNING: Meaning.WARNING}


def examine(config: str, lake: str, *, offline: bool) -> tuple[list[DoctorFinding], bool]:
    """(all findings, whether there are settings)"""
    environ = environment()
    of_machine: dict[str, AsyncLook] = {
        "clients": threaded(partial(serving.clients, environ, starts=not offline)),
        "connections": threaded(partial(host.connections, environ)),
        "memory": threaded(host.memory),
        "versions": threaded(host.versions),
    }
    try:
        path = config_file(config)
        faults = list(_faults(read_settings(path, environ)))
        settings = (
            None
            if any(one.status is DoctorStatus.FAILED for one in faults)
            else load_settings(config, {"lake.path": lake})
        )
    except ConfigError as error:
        faults, settings = [failed("configuration", "settings", *_said(error))], None
    if settings is None:
        return [*faults, *anyio.run(run_all, of_machine)], False
    looks: dict[str, AsyncLook] = {
        "configuration": threaded(partial(_configuration, settings, str(path.absolute()) if path else ""))
    }
    if not offline:
        looks |= {"accounts": partial(_accounts, settings), "clock": partial(_clock, settings)}
    looks |= {
        "lake": partial(storage.lake, settings, offline=offline),
        "engines": threaded(partial(_engines, settings, offline=offline)),
        "record of calls": threaded(partial(storage.record, settings)),
        "serve": threaded(partial(serving.serve, settings)),
    }
    return [*faults, *anyio.run(run_all, looks | of_machine)], True


def _said(error: CrosstrailError) -> tuple[str, str]:
    """What is wrong, and what to do."""
    where = f" ({error.where})" if error.where else ""
    return f"{error}{where}", error.hint or "Correct it, and look again."


def _faults(read: ReadSettings) -> Iterator[DoctorFinding]:
    for one in read.findings:
        place = f" line {one.place.line}" if one.place else ""
        found = f"{one.source}{place}: {one.problem}"
        remedy = one.hint or "Correct it: `crosstrail help configuration`."
        made = failed if one.severity is Severity.ERROR else warning
        yield made("configuration", one.setting or "file", found, remedy)


def _configuration(settings: Settings, path: str) -> Iterator[DoctorFinding]:
    if path:
        yield ok("configuration", "file", path)
    else:
        remedy = "crosstrail init writes one; --config or CROSSTRAIL_CONFIG name another."
        yield warning("configuration", "file", "none: what the environment and the lake have is used", remedy)
    yield ok(
        "configuration", "settings", f"{len(settings.accounts)} accounts listed, {len(settings.access)} access rules"
    )


def _engines(settings: Settings, *, offline: bool) -> Iterator[DoctorFinding]:
    yield from host.engines(settings)
    if settings.trino.url and not offline:
        yield reachable("trino", f"{settings.trino.url.rstrip('/')}/v1/info")


async def _accounts(settings: Settings) -> Iterable[DoctorFinding]:
    try:
        found, _ = await check_accounts(settings, "*", "")
    except CrosstrailError as error:
        return [failed("accounts", "list", *_said(error))]
    if not found:
        return [ok("accounts", "live", "none: what was collected is answered for")]
    return [_of_account(one) for one in found]


def _of_account(one: Checked) -> DoctorFinding:
    name = " ".join(filter(None, (one.account or one.id, one.region)))
    said = ", ".join(
        text for text, how in ((f"events {one.lookup}", one.lookup), (f"trails {one.trails}", one.trails)) if how != "-"
    )
    identity = f"{one.identity}: {said}" if one.identity not in ("-", "failed") else said
    if not one.problems:
        return ok("accounts", name, identity)
    problem = " ".join(dict.fromkeys(one.problems))
    if one.lookup == "failed":
        return failed("accounts", name, "cannot be asked for events", problem)
    return warning("accounts", name, identity, problem)


async def _clock(settings: Settings) -> Iterable[DoctorFinding]:
    workspace = Workspace(settings)
    addresses: dict[str, str] = {}
    try:
        used = {one.cloud for one in (await workspace.listed()).registry.accounts if one.auth}
        for cloud in clouds():
            if cloud.name in used and cloud.address:
                addresses[cloud.name] = await cloud.address(settings.of_cloud(cloud.name), workspace.broker(cloud.name))
    except CrosstrailError:
        return []  # the accounts say so
    finally:
        await workspace.aclose()
    return await anyio.to_thread.run_sync(lambda: list(clock(addresses)), abandon_on_cancel=True)


def print_findings(findings: Sequence[DoctorFinding]) -> None:
    """For a terminal: by area, what to do below what was found, no line wider than the terminal."""
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    for area, group in groupby(findings, key=lambda one: one.area):
        click.secho(translated(area), bold=True)
        for one in group:
            _print(one, width)
    counted = Counter(one.status for one in findings)
    out("")
    out(
        f"{counted[DoctorStatus.OK]} ok, {counted[DoctorStatus.WARNING]} warning, {counted[DoctorStatus.FAILED]} failed."
    )


def _status(status: DoctorStatus) -> str:
    match status:
        case DoctorStatus.OK:
            return translated("ok")
        case DoctorStatus.WARNING:
            return translated("warning")
        case DoctorStatus.FAILED:
            return translated("failed")


def _print(one: DoctorFinding, width: int) -> None:
    status = _status(one.status)
    mark = f"  {status}{' ' * (7 - width_of(status))}  "
    subject = one.subject if one.area in _NAMED else translated(one.subject)
    said = visible(": ".join(filter(None, (subject, translated(one.found)))))
    lines = wrapped(said, width, first=mark, rest=" " * _MARK)
    click.echo(lines[0].replace(status, coloured(status, _MEANINGS.get(one.status)), 1))
    for line in lines[1:]:
        click.echo(line)
    for line in (
        wrapped(visible(translated(one.remedy)), width, first=f"{' ' * _MARK}> ", rest=" " * (_MARK + 2))
        if one.remedy
        else ()
    ):
        click.echo(line)
