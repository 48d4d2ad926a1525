"""Binary values, hashes and encodings; a hash of text is taken of to_utf8(text)."""

from __future__ import annotations

from crosstrail.engines.sql.function_registry import simple

simple(
    {
        "to_hex(varbinary) -> varchar": "upper(hex({0}))",
        "from_hex(varchar) -> varbinary": "CASE WHEN length({0}) % 2 = 0 THEN unhex({0}) ELSE unhex({0} || '?') END",
        "md5(varbinary) -> varbinary": "unhex(md5({0}))",
        "sha1(varbinary) -> varbinary": "unhex(sha1({0}))",
        "sha256(varbinary) -> varbinary": "unhex(sha256({0}))",
        "to_base64(varbinary) -> varchar": "to_base64({0})",
        "from_base64(varchar) -> varbinary": "from_base64({0})",
        "to_base64url(varbinary) -> varchar": "translate(to_base64({0}), '+/', '-_')",
    }
)
