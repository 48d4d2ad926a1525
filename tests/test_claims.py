"""Claims by name: dots that belong to a name, dots that lead into objects, and values that are none."""

from __future__ import annotations

import time
from typing import Any

import pytest

from crosstrail.server.auth.claims import claim, groups

KEYCLOAK: dict[str, Any] = {
    "realm_access": {"roles": ["secops"]},
    "resource_access": {"my.app": {"roles": ["auditor"]}, "my": {"app": {"roles": ["other"]}}},
    "https://example.com/groups": ["platform"],
    "a.b": ["literal"],
    "a": {"b": ["path"], "c": ["deep"]},
    "groups": "one",
}


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("groups", ["one"]),
        ("realm_access.roles", ["secops"]),
        ("resource_access.my.app.roles", ["auditor"]),
        ("https://example.com/groups", ["platform"]),
        ("a.b", ["literal"]),
        ("a.c", ["deep"]),
        ("a", []),
        ("realm_access", []),
        ("groups.0", []),
        ("groups.one", []),
        ("realm_access.roles.0", []),
        ("realm_access.roles.secops", []),
        ("realm_access.", []),
        (".roles", []),
        ("", []),
    ],
)
def test_a_name_finds_its_claim(name: str, found: list[str]) -> None:
    assert groups(KEYCLOAK, [name]) == found


def test_groups_of_several_claims_are_joined_each_once() -> None:
    said = {"groups": ["a", "b"], "roles": ["b", "c"], "wids": None}
    assert groups(said, ["groups", "roles", "wids", "missing"]) == ["a", "b", "c"]


@pytest.mark.parametrize("value", [7, True, None, {"a": 1}, [["a"]], [{"a": 1}, 7, None, ""], {"roles": ["a"]}])
def test_what_is_no_text_is_no_group(value: object) -> None:
    assert groups({"groups": value}, ["groups"]) == []


def test_a_huge_or_deep_claim_costs_little() -> None:
    deep: dict[str, Any] = {"x": ["bottom"]}
    for _ in range(200):
        deep = {"x": deep}
    began = time.process_time()
    assert claim(deep, ".".join(["x"] * 201)) == ["bottom"]
    assert claim(deep, ".".join(["x"] * 200 + ["y"])) is None
    assert len(groups({"groups": [str(number) for number in range(100_000)]}, ["groups"])) == 2_000
    assert time.process_time() - began < 5
