"""The clock, against that of a cloud: clouds refuse signatures of a time that is minutes away from their own.

Decides what difference matters. The Date of an answer tells, whoever asks: no credentials are sent.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from crosstrail.doctor.finding import DoctorFinding, failed, ok, warning
from crosstrail.trust import trusted

_SECONDS = 10.0
_MAX_GOOD, _MAX_SIGNED = 30, 240
"""Seconds; AWS and others refuse from five minutes on, some earlier."""


def clock(addresses: dict[str, str]) -> Iterator[DoctorFinding]:
    """`addresses`: of each cloud, an address that it answers at. Blocking."""
    if not addresses:
        yield ok("clock", "local", f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}; no cloud to compare it with")
    for cloud, address in addresses.items():
        try:
            difference = _difference(address)
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or type(error).__name__
            yield warning(
                "clock",
                cloud,
                f"{address} gave no time: {reason}",
                "See whether that address can be reached: proxy, firewall, DNS.",
            )
            continue
        seconds = f"{abs(difference):.0f} s"
        said = f"{seconds} behind {cloud}" if difference > 0 else f"{seconds} ahead of {cloud}"
        if abs(difference) <= _MAX_GOOD:
            yield ok("clock", cloud, said)
        elif abs(difference) <= _MAX_SIGNED:
            yield warning(
                "clock", cloud, said, "Set the clock: timedatectl set-ntp true, or what sets it on this system."
            )
        else:
            yield failed(
                "clock",
                cloud,
                f"{said}: requests are refused",
                "Set the clock: timedatectl set-ntp true, or what sets it on this system.",
            )


def _difference(address: str) -> float:
    """Seconds that this machine is behind. Raises OSError, ValueError."""
    request = urllib.request.Request(address, method="HEAD")  # noqa: S310 - an address of settings
    before = datetime.now(UTC)
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS, context=trusted().context()) as answer:  # noqa: S310
            date = answer.headers.get("Date")
    except urllib.error.HTTPError as error:
        date = error.headers.get("Date")
    after = datetime.now(UTC)
    if not date:
        raise ValueError("no Date")
    middle = before + (after - before) / 2
    return (parsedate_to_datetime(date) - middle).total_seconds() + 0.5  # a Date has whole seconds


def reachable(subject: str, address: str) -> DoctorFinding:
    """Whether a server answers there at all. Blocking."""
    request = urllib.request.Request(address)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS, context=trusted().context()):  # noqa: S310
            return ok("engines", subject, f"{address} answers")
    except urllib.error.HTTPError as error:
        return ok("engines", subject, f"{address} answers ({error.code})")
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        return failed(
            "engines",
            subject,
            f"{address} does not answer: {reason}",
            "See whether it runs and can be reached from here.",
        )
