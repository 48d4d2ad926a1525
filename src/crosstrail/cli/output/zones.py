"""In which time zone times are shown: UTC, or the one that --tz or --local-time asks for, which each time then names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo

import click

from crosstrail.cli.output.nearest import nearest
from crosstrail.timerange import iso

_OFFSET = re.compile(r"([+-])(\d{1,2}):?(\d{2})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Zone:
    """`at`: None for that of this machine."""

    at: tzinfo | None = UTC

    def text(self, moment: datetime) -> str:
        """ISO 8601: `2026-11-20T09:00:00Z`, `2026-11-20T10:00:00+01:00`."""
        if self.at is UTC:
            return iso(moment)
        local = moment.astimezone(self.at)
        return local.isoformat(timespec="microseconds" if moment.microsecond else "seconds")

    def day(self, moment: datetime) -> str:
        """`2026-11-20`, as the calendar of that zone has it."""
        return moment.astimezone(self.at).date().isoformat()


class ZoneType(click.ParamType[Zone]):
    """Europe/Paris, UTC, +08:00."""

    name = "ZONE"

    def convert(self, value: str | Zone, param: click.Parameter | None, ctx: click.Context | None) -> Zone:
        from zoneinfo import ZoneInfo, available_timezones

        if isinstance(value, Zone):
            return value
        if value.upper() in ("UTC", "Z", "GMT"):
            return Zone()
        if found := _OFFSET.fullmatch(value):
            minutes = int(found[2]) * 60 + int(found[3] or 0)
            if minutes < 24 * 60:
                return Zone(timezone((1 if found[1] == "+" else -1) * timedelta(minutes=minutes)))
        known = {one.lower(): one for one in available_timezones()}
        if name := known.get(value.lower()):
            return Zone(ZoneInfo(name))
        near = _near(value, list(known.values()))
        if near:
            raise click.BadParameter(f"There is no time zone {value[:60]!r}. Did you mean {near}?", ctx, param)
        raise click.BadParameter(
            f"There is no time zone {value[:60]!r}. Write it like Europe/Paris or +08:00.", ctx, param
        )


def _near(value: str, known: Sequence[str]) -> str:
    """Also of a city without its continent."""
    cities = {one.rpartition("/")[2].lower(): one for one in known}
    return cities.get(value.lower().replace(" ", "_")) or nearest(value, known)


__all__ = ["Zone", "ZoneType"]
