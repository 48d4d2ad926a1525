"""The part of OCSF 1.5.0 that events and findings use, and whether an object is as it says.

`ocsf_schema.json` is extracted from the schema as ocsf.io compiles it (github.com/ocsf/ocsf-schema, Apache-2.0): names, types,
requirements, ids and captions, no text. `python tests/ocsf_schema.py COMPILED.json` writes it anew.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_suffix(".json")
CLASSES = ("api_activity", "authentication", "account_change", "detection_finding")
OBJECTS = (
    "account", "actor", "analytic", "api", "attack", "auth_factor", "authentication_token", "cloud", "evidences", "feature",
    "finding_info", "group", "http_request", "idp", "key_value_object", "metadata", "network_endpoint", "object", "observable",
    "organization", "policy", "product", "related_event", "request", "resource_details", "response", "service", "session",
    "sub_technique", "tactic", "technique", "user",
)  # fmt: skip
"""Those that may be made; an object that is not here is a fault, not something that nobody looks at."""
_PROFILES = (None, "cloud", "datetime")
_PYTHON = {"string_t": str, "integer_t": int, "long_t": int, "float_t": float, "boolean_t": bool}


def extracted(compiled: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "source": "OCSF 1.5.0, https://github.com/ocsf/ocsf-schema, Apache-2.0: names, types, requirements, ids and captions",
        "version": compiled["version"],
        "types": {
            name: {key: one[key] for key in ("type", "regex", "max_len", "range") if key in one}
            for name, one in compiled["types"].items()
        },
        "classes": {name: _described(compiled["classes"][name]) for name in CLASSES},
        "objects": {name: _described(compiled["objects"][name]) for name in OBJECTS},
    }


def _described(one: Mapping[str, Any]) -> dict[str, Any]:
    attributes = {
        name: _attribute(given)
        for name, given in sorted(one["attributes"].items())
        if given.get("profile") in _PROFILES
    }
    return {"constraints": one.get("constraints") or {}, "attributes": attributes}


def _attribute(given: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: given[key] for key in ("type", "object_type", "is_array", "requirement", "sibling") if key in given}
    if "enum" in given:
        found["enum"] = {key: value["caption"] for key, value in sorted(given["enum"].items())}
    return found


@cache
def schema() -> Mapping[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text())
    return found


def faults(made: Mapping[str, Any]) -> list[str]:
    """What is wrong with an event or a finding: unknown or missing attributes, types, ids, captions, constraints."""
    by_uid = {int(next(iter(one["attributes"]["class_uid"]["enum"]))): one for one in schema()["classes"].values()}
    described = by_uid.get(made.get("class_uid", -1))
    if described is None:
        return [f"class_uid: {made.get('class_uid')}"]
    found = list(_of_object(made, described, ""))
    if made["type_uid"] != made["class_uid"] * 100 + made["activity_id"]:
        found.append("type_uid")
    return found


def _of_object(made: Mapping[str, Any], described: Mapping[str, Any], path: str) -> Iterator[str]:
    attributes = described["attributes"]
    for name, one in attributes.items():
        if one["requirement"] == "required" and name not in made:
            yield f"{path}{name}: missing"
    if (some := described["constraints"].get("at_least_one")) and not made.keys() & set(some):
        yield f"{path}: none of {some}"
    for name, value in made.items():
        if name not in attributes:
            yield f"{path}{name}: unknown"
            continue
        one = attributes[name]
        if one.get("is_array") and not isinstance(value, list):
            yield f"{path}{name}: no list"
        for part in value if one.get("is_array") else [value]:
            yield from _of_value(part, one, f"{path}{name}")
        yield from _of_sibling(made, name, one, path)


def _of_value(value: Any, one: Mapping[str, Any], path: str) -> Iterator[str]:
    if one["type"] == "object_t":
        if not isinstance(value, dict):
            yield f"{path}: no object"
        elif one["object_type"] != "object":  # of any content
            yield from _of_object(value, schema()["objects"][one["object_type"]], f"{path}.")
        return
    kind = schema()["types"][one["type"]]
    base = kind.get("type", one["type"])
    if base != "json_t" and type(value) is not _PYTHON[base]:
        yield f"{path}: {value!r} is no {base}"
    elif "regex" in kind and not re.search(kind["regex"], value):
        yield f"{path}: {value!r} is no {one['type']}"
    elif "max_len" in kind and len(value) > kind["max_len"]:
        yield f"{path}: too long"
    elif "enum" in one and str(value) not in one["enum"]:
        yield f"{path}: {value!r} is not in its list"


def _of_sibling(made: Mapping[str, Any], name: str, one: Mapping[str, Any], path: str) -> Iterator[str]:
    """Beside an id stands its caption, and beside that of Other what the source calls it."""
    sibling = one.get("sibling")
    if "enum" not in one or not sibling or made[name] == 99:
        return
    if sibling in made and made[sibling] != one["enum"].get(str(made[name])):
        yield f"{path}{sibling}: {made[sibling]!r} beside {made[name]}"


if __name__ == "__main__":
    compiled = json.loads(Path(sys.argv[1]).read_text())
    FILE.write_text(json.dumps(extracted(compiled), separators=(",", ":"), sort_keys=True) + "\n")
