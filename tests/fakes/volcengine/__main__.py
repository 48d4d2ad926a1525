"""The fake Volcengine as a process of its own, with accounts and their events."""

from __future__ import annotations

from fakes.process import minutes_ago, options, serve

from . import FakeVolcengine, World

BASE_ACCOUNT = "2199999999"


def populate(world: World, *, accounts: int, events: int) -> list[dict[str, object]]:
    """Accounts 2100000000 onward, each with keys of its own; `events` in each, a minute apart from now backwards. Gives
    them as crosstrail.yaml lists them."""
    listed: list[dict[str, object]] = []
    for number in range(accounts):
        account = world.account(str(2_100_000_000 + number))
        for when in minutes_ago(events):
            account.log("GetUser", when, read_only=True)
        auth = world.add_key(account.id).auth
        listed.append({"id": account.id, "alias": f"cn-{number}", "cloud": "volcengine", "auth": auth})
    return listed


def main() -> None:
    told = options("fakes.volcengine", __doc__).parse_args()
    world = World()
    base = world.add_key(BASE_ACCOUNT)
    listed = populate(world, accounts=told.accounts, events=told.events)
    world.delay = told.delay
    serve(FakeVolcengine(world, told.port), base, listed)


if __name__ == "__main__":
    main()
