"""What a Meridian account looks like where it is listed: the path of a project, and a client of it. Also its settings."""

from __future__ import annotations

import re

from crosstrail.account_auth import KeysAuth
from crosstrail.account_forms import AccountForm
from crosstrail.settings_group import SettingsGroup, option

CLOUD = "meridian"
PUBLIC = "https://api.meridian.example"
ID = r"[A-Za-z][A-Za-z0-9-]{0,30}(?:/[A-Za-z][A-Za-z0-9-]{0,30}){1,3}(?::[a-z]{1,20})?"
ACCOUNTS = AccountForm(
    "Meridian",
    id_pattern=re.compile(ID, re.ASCII),
    id_form="must be a path such as team-a/prod or Lab/x:canary",
    auths={"keys": KeysAuth},
    table="meridian_accounts",
)
"""A client's id and secret are listed as an access key's are, so that they are stored and encrypted like those."""


class MeridianSettings(SettingsGroup):
    """Where Meridian is reached."""

    endpoint: str = option(PUBLIC, "MERIDIAN_ENDPOINT", "Address of Meridian's API, http or https.", min_length=1)
