"""What is wrong with a setting, in the words of whoever wrote it: of all that pydantic found, the one thing to say.

It decides words alone. A rejected value is never repeated: it may be a secret put in the wrong place.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

_KINDS = {
    "missing": "is missing",
    "tuple_type": "must be a list",
    "string_type": "must be text: put it into quotation marks",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "dict_type": "must be a mapping",
    "mapping_type": "must be a mapping",
    "extra_forbidden": "there is no such setting",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
}
_FORMS = {
    "alias": "must begin with a letter and go on with letters, digits, `_`, `.` and `-`, 63 at most",
    "role_arn": "must be such as arn:aws:iam::111111111111:role/Audit",
    "role_trn": "must be such as trn:iam::2100000001:role/Audit",
    "access_key_id": "must be letters and digits",
    "[key]": "must begin with a letter and go on with letters, digits, `_` and `-`, 32 at most",
    "memory_limit": "must be such as 2GB or 500MB",
    "cache": "must be such as 20GB or 500MB",
    "results_per_caller": "must be such as 1GB or 500MB",
    "results_total": "must be such as 4GB or 500MB",
    "max_scan": "must be such as 100GB, 500MB or 2TB",
    "retention": "must be such as 400d, 52w, 12M or 2y",
    "keep_snapshots": "must be such as 12h, 1d or 2w",
    "output": "must be such as s3://bucket/prefix/",
    "table": "must be such as catalog.schema.table",
    "callback_path": "must be such as /auth/callback",
    "who": "must not be empty",
    "parameter": "must be letters, digits and `_`",
    "module": "must be the dotted name of a Python module",
}
"""Name of a field with a pattern -> that pattern in words."""


def first_error(error: ValidationError) -> tuple[tuple[str, ...], str, str]:
    """(place, pydantic's type, words): of all that is wrong a misspelt name first, as other things follow from it."""
    found = error.errors(include_input=False, include_url=False)
    first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])
    place = tuple(str(part) for part in first["loc"])
    return place, first["type"], said(first["type"], first["msg"], place[-1] if place else "")


def validation_message(error: ValidationError, names: Mapping[str, str] | None = None) -> str:
    """`place: words` on one line; `names` calls the last part of the place by another name."""
    place, _, words = first_error(error)
    if names is not None:
        place = tuple(names.get(part, part) for part in place[-1:])
    return f"{'.'.join(place)}: {words}" if place else words


def said(kind: str, message: str, name: str) -> str:
    """Of one error: its type and message, and the last part of its place."""
    if kind == "string_pattern_mismatch":
        return _FORMS.get(name, "has not the form that it must have")
    return _KINDS.get(kind) or message.removeprefix("Value error, ").replace("Input should", "must", 1)
