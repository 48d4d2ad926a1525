"""Trails and event data stores over the wire: described with their state, created on request, failures shown."""

from __future__ import annotations

import pytest

from crosstrail.clouds.base import CreatesTrails, HasEventDataStores
from crosstrail.errors import AccessDenied, CloudUnavailable, InvalidRequest
from crosstrail.models import Account, NewTrail, Target
from live_aws import PROD, LiveAws

pytestmark = pytest.mark.anyio


async def test_trails_are_described_with_their_logging_status(aws: LiveAws, prod: Account) -> None:
    here = aws.world.accounts[PROD]
    here.add_trail("org", IsMultiRegionTrail=True, IsOrganizationTrail=True, S3BucketName="logs", S3KeyPrefix="a")
    here.add_trail("quiet", region="eu-west-1", logging=False)
    trails = await aws.trail().describe_trails(Target(prod, "eu-west-1"))
    org, quiet = sorted(trails, key=lambda trail: trail.name)
    assert (org.name, org.account, org.region, org.destination) == ("org", PROD, "us-east-1", "s3://logs/a")
    assert (org.multi_region, org.organization, org.validates_files, org.logging) == (True, True, False, True)
    assert org.latest_delivery
    assert (quiet.name, quiet.region, quiet.logging, quiet.multi_region) == ("quiet", "eu-west-1", False, False)
    assert [trail.name for trail in await aws.trail().describe_trails(Target(prod, "eu-west-1"), ("quiet",))] == [
        "quiet"
    ]


async def test_a_status_that_is_denied_leaves_the_trail_described(aws: LiveAws, prod: Account) -> None:
    aws.world.accounts[PROD].add_trail("org")
    aws.world.accounts[PROD].denied.add("cloudtrail:GetTrailStatus")
    (trail,) = await aws.trail().describe_trails(Target(prod))
    assert trail.logging is None
    assert "cloudtrail:GetTrailStatus" in trail.latest_error


async def test_a_trail_is_created_and_logs(aws: LiveAws, prod: Account) -> None:
    assert isinstance(aws.trail(), CreatesTrails)
    made = await aws.trail().create_trail(Target(prod), NewTrail("audit", "logs", prefix="p"))
    assert (made.name, made.region, made.destination, made.logging) == ("audit", "us-east-1", "s3://logs/p", True)
    assert (made.multi_region, made.organization, made.validates_files) == (True, False, True)
    (found,) = await aws.trail().describe_trails(Target(prod))
    assert (found.name, found.logging, found.multi_region, found.validates_files) == ("audit", True, True, True)


async def test_a_trail_may_be_created_silent(aws: LiveAws, prod: Account) -> None:
    wish = NewTrail("audit", "logs", multi_region=False, organization=True, validates_files=False, start_logging=False)
    made = await aws.trail().create_trail(Target(prod), wish)
    assert (made.logging, made.multi_region, made.organization, made.validates_files) == (False, False, True, False)
    assert not aws.world.asked("StartLogging")


async def test_a_trail_that_cannot_be_created_says_why(aws: LiveAws, prod: Account) -> None:
    aws.world.accounts[PROD].refused_buckets.add("foreign")
    with pytest.raises(InvalidRequest, match="InsufficientS3BucketPolicyException"):
        await aws.trail().create_trail(Target(prod), NewTrail("audit", "foreign"))


async def test_a_lost_answer_to_a_creation_is_not_repeated(aws: LiveAws, prod: Account) -> None:
    aws.world.fail("half", action="CreateTrail")
    with pytest.raises(CloudUnavailable) as caught:
        await aws.trail().create_trail(Target(prod), NewTrail("audit", "logs"))
    assert "not known" in caught.value.hint
    assert len(aws.world.asked("CreateTrail")) == 1


async def test_logging_that_does_not_start_is_told_apart_from_a_failed_creation(aws: LiveAws, prod: Account) -> None:
    aws.world.accounts[PROD].denied.add("cloudtrail:StartLogging")
    with pytest.raises(AccessDenied) as caught:
        await aws.trail().create_trail(Target(prod), NewTrail("audit", "logs"))
    assert "audit was created and does not log yet" in caught.value.hint


async def test_all_pages_of_stores_with_details_and_failures(aws: LiveAws, prod: Account) -> None:
    here = aws.world.accounts[PROD]
    selectors = [{"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]}]
    arns = [here.add_store(f"store-{number}", AdvancedEventSelectors=selectors) for number in range(4)]
    here.add_store("elsewhere", region="eu-west-1")
    trail = aws.trail()
    assert isinstance(trail, HasEventDataStores)
    plain = await trail.list_event_data_stores(Target(prod))
    assert [store.id for store in plain] == [arn.rpartition("/")[2] for arn in arns]
    assert len(aws.world.asked("ListEventDataStores")) == 1
    aws.world.fail("denied", action="GetEventDataStore")
    detailed = await trail.list_event_data_stores(Target(prod), details=True)
    (failed,) = [store for store in detailed if store.error]
    good = [store for store in detailed if not store.error]
    assert len(good) == 3
    assert "cloudtrail:GetEventDataStore" in failed.error
    assert failed.name.startswith("store-")
    assert {(one.status, one.retention_days, one.categories) for one in good} == {("ENABLED", 365, ("Management",))}


async def test_stores_beyond_one_page(aws: LiveAws, prod: Account) -> None:
    for number in range(1003):
        aws.world.accounts[PROD].add_store(f"store-{number}")
    assert len(await aws.trail().list_event_data_stores(Target(prod))) == 1003
    assert len(aws.world.asked("ListEventDataStores")) == 2
