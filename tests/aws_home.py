"""Somebody's home folder with AWS profiles that lead to a fake AWS: what setting up finds."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import preloaded
from fakes.aws import FakeAws, Key
from live_aws import BASE, DEV, PROD

SSO = "333333333333"


class Home:
    """Somebody's home folder with AWS profiles, and the fake AWS that they lead to."""

    def __init__(self, folder: Path, aws: FakeAws) -> None:
        self.folder, self.aws, self.world = folder, aws, aws.world
        self.base = self.world.add_key(BASE)
        self.dev = self.world.add_key(DEV)
        role = self.world.add_role(PROD, trusts=self.base)
        now = datetime.now(UTC)
        for account in (BASE, PROD, DEV):
            named = self.world.account(account, {PROD: "prod", DEV: "dev", BASE: "management"}[account])
            named.log("StopLogging", now - timedelta(minutes=1), username="eve")
            named.log("ConsoleLogin", now - timedelta(hours=1), source="signin.amazonaws.com", username="ann")
        self.world.account(PROD).add_trail("main", S3BucketName="corp-logs", KmsKeyId="arn:aws:kms:::key/k")
        self.config = (
            f"[profile prod]\nrole_arn = {role.auth['role_arn']}\nsource_profile = base\nregion = us-east-1\n"
            "[profile base]\nregion = us-east-1\n[profile dev]\nregion = us-east-1\n[profile settings-alone]\nregion = eu-west-1\n"
            f"[profile sso]\nsso_start_url = https://x\nsso_region = us-east-1\nsso_account_id = {SSO}\nsso_role_name = Audit\n"
        )

    def write(self, *, config: str | None = None) -> None:
        (self.folder / ".aws").mkdir(parents=True)
        (self.folder / ".aws" / "config").write_text(self.config if config is None else config)
        keys = {"base": self.base, "dev": self.dev}
        (self.folder / ".aws" / "credentials").write_text("".join(map(_section, keys, keys.values())))

    @property
    def environ(self) -> dict[str, str]:
        return {
            "HOME": str(self.folder),
            "AWS_ENDPOINT_URL": self.aws.url,
            "XDG_CONFIG_HOME": str(self.folder / ".config"),
            "XDG_DATA_HOME": str(self.folder / ".data"),
        }

    def run(self, *arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
        """A command of crosstrail in this home."""
        return preloaded.run(*arguments, environ=self.environ | environ)

    def init(self, *arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
        return self.run("init", *arguments, **environ)


def _section(name: str, key: Key) -> str:
    return f"[{name}]\naws_access_key_id = {key.id}\naws_secret_access_key = {key.secret}\n"
