"""The fake AWS as a process of its own, with accounts and their events."""

from __future__ import annotations

from fakes.process import minutes_ago, options, serve

from . import FakeAws, World

BASE_ACCOUNT = "999999999999"


def populate(world: World, *, accounts: int, events: int, regions: list[str]) -> list[dict[str, object]]:
    """Accounts 100000000000 onward, every second one with keys, the others with a role; `events` in each region, a
    minute apart from now backwards. Gives them as crosstrail.yaml lists them."""
    base = world.add_key(BASE_ACCOUNT)
    listed: list[dict[str, object]] = []
    for number in range(accounts):
        account = world.account(str(100_000_000_000 + number))
        for region in regions:
            for when in minutes_ago(events):
                account.log("DescribeInstances", when, region=region, source="ec2.amazonaws.com", read_only=True)
        by = (
            world.add_key(account.id)
            if number % 2
            else world.add_role(account.id, trusts=base, external_id=f"ext-{number}")
        )
        listed.append({"id": account.id, "alias": f"acct-{number}", "region": regions[0], "auth": by.auth})
    return listed


def main() -> None:
    parser = options("fakes.aws", __doc__)
    parser.add_argument("--regions", default="us-east-1", help="comma-separated")
    parser.add_argument("--lookup-rate", type=float, default=0.0, help="LookupEvents a second per account and region")
    told = parser.parse_args()
    world = World()
    listed = populate(world, accounts=told.accounts, events=told.events, regions=told.regions.split(","))
    world.delay, world.lookup_rate = told.delay, told.lookup_rate
    serve(FakeAws(world, told.port), next(iter(world.keys.values())), listed)


if __name__ == "__main__":
    main()
