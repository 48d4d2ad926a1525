"""Whether the time of a refusal tells a forbidden account from one that does not exist.

    python bench/timing.py [--rounds 300]

A server with 500 accounts, of which the caller may see 10, asked over streamable HTTP with a signed token. Each round asks in
an order of chance for an account that is there and forbidden, for one that is not there, and for another that is not there:
the difference between the last two is the noise. Prints medians, and both ratios; the goal is that the first is no further
from 1 than the noise, give or take 5 %.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from crosstrail.models import Account
from processes import serving, without_aws

ACCOUNTS, GIVEN = 500, 10
"""Numbered from 0; the first ones are given to the caller."""
ISSUER, AUDIENCE = "https://idp.example.com", "https://trails.example.com/mcp"
TOLERANCE = 0.05


def account(number: int) -> dict[str, Any]:
    return {"id": f"{100_000_000_000 + number}", "alias": f"team-{number:04d}", "archive": "logs"}


def probes(number: int) -> dict[str, tuple[str, dict[str, Any]]]:
    """Every way to name one account, by what it is called here."""
    one = Account.model_validate(account(number))
    return {
        "id": ("lookup_events", {"target_account_id": one.id}),
        "alias": ("lookup_events", {"target_account_id": one.alias}),
        "glob": ("lookup_events", {"target_account_id": f"{one.alias[:-1]}[{one.alias[-1]}]"}),
        "selector": ("list_accounts", {"selector": one.alias}),
        "trails": ("describe_trails", {"target_account_id": one.alias}),
        "sql, selected": ("lake_query", {"sql": "SELECT 1 FROM events", "target_account_id": one.alias}),
        "sql, by alias": ("lake_query", {"sql": f'SELECT 1 FROM "{one.alias}"'}),
        "sql, by store": ("lake_query", {"sql": f'SELECT 1 FROM "{one.store_id}"'}),
    }


async def measure(url: str, token: str, rounds: int) -> bool:
    # Of the same digits: how long the search for a near name takes hangs on the letters of the one that was asked for.
    forbidden, absent, other = (probes(number) for number in (499, 949, 994))
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json", "Host": urlsplit(AUDIENCE).netloc}
    async with httpx2.AsyncClient(headers=headers, timeout=30) as client:

        async def seconds(tool: str, arguments: dict[str, Any]) -> float:
            params = {"name": tool, "arguments": arguments}
            began = time.perf_counter()
            answer = await client.post(url, json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
            took = time.perf_counter() - began
            if not answer.json()["result"].get("isError"):
                raise SystemExit(f"{tool} {arguments} was answered: {answer.text[:300]}")
            return took

        well = True
        for name in forbidden:
            calls = [variant[name] for variant in (forbidden, absent, other)]
            found: list[list[float]] = [[], [], []]
            for turn in range(rounds + 5):
                for place in random.sample(range(3), 3):
                    took = await seconds(*calls[place])
                    if turn >= 5:
                        found[place].append(took)
            middle = [statistics.median(each) for each in found]
            ratio, noise = middle[0] / middle[1], middle[2] / middle[1]
            alike = abs(ratio - 1) <= abs(noise - 1) + TOLERANCE
            well &= alike
            print(
                f"{name:14} forbidden {1000 * middle[0]:.2f} ms, absent {1000 * middle[1]:.2f} ms: ratio {ratio:.3f}; "
                f"noise {noise:.3f}{'' if alike else '  <- told apart'}",
                flush=True,
            )
    return well


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=300)
    rounds = parser.parse_args().rounds
    key = rsa.generate_private_key(65537, 2048)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public = key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "u-1", "exp": int(time.time()) + 3600, "groups": ["team"]}
    with tempfile.TemporaryDirectory() as folder:
        config = {
            "accounts": [account(number) for number in range(ACCOUNTS)],
            "lake": {"path": str(Path(folder) / "lake")},
            "serve": {"auth": "jwt", "public_url": AUDIENCE.removesuffix("/mcp")},
            "jwt": {"issuer": ISSUER, "public_key": public},
            "access": [{"who": ["group:team"], "accounts": [account(number)["id"] for number in range(GIVEN)]}],
            "limits": {"calls_per_minute": 10_000_000},
        }
        path = Path(folder) / "crosstrail.yaml"
        path.write_text(json.dumps(config))
        command = [
            sys.executable,
            "-m",
            "crosstrail",
            "serve",
            "--transport",
            "http",
            "--port",
            "0",
            "--config",
            str(path),
        ]
        with serving([*command, "--audit", "off"], without_aws()) as (url, _):
            well = asyncio.run(measure(url, jwt.encode(claims, key, algorithm="RS256"), rounds))
    raise SystemExit(0 if well else 1)


if __name__ == "__main__":
    main()
