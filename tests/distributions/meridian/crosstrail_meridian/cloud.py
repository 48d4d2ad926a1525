"""Meridian: the `Cloud` value. Everything heavy is imported by what is named here, on first use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from crosstrail.accounts.credentials import BearerToken
from crosstrail.clouds.base import AuditTrail, Cloud, OpenOptions
from crosstrail_meridian.accounts import ACCOUNTS, CLOUD, MeridianSettings
from crosstrail_meridian.record import RECORDS

if TYPE_CHECKING:
    from crosstrail_meridian.broker import MeridianBroker


def _open(settings: MeridianSettings, options: OpenOptions) -> MeridianBroker:
    from crosstrail_meridian.api import MeridianApi
    from crosstrail_meridian.broker import MeridianBroker

    api = MeridianApi(settings.endpoint, read_timeout=options.read_timeout)
    return MeridianBroker(api, options.encryption_key, max_accounts=options.max_accounts)


def _open_trail(broker: MeridianBroker, deadline: float) -> AuditTrail:
    from crosstrail_meridian.trail import MeridianTrail

    return MeridianTrail(broker, deadline)


def _child_variables(token: BearerToken, region: str) -> Mapping[str, str]:
    return {"MERIDIAN_TOKEN": token.token.get_secret_value()}


MERIDIAN = Cloud(
    name=CLOUD,
    accounts=ACCOUNTS,
    open=_open,
    open_trail=_open_trail,
    regionless=True,
    settings=MeridianSettings,
    known_regions=lambda home: frozenset(),
    records=RECORDS,
    credential_variables=("MERIDIAN_TOKEN", "MERIDIAN_CLIENT_"),
    child_variables=_child_variables,
)
