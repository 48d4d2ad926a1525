"""What tests/messages.py takes for a message: which modules, which calls, which words in a text."""

from __future__ import annotations

import re

NOT_FOR_PEOPLE = (
    "crosstrail.server.",
    "crosstrail.demo.",
    "crosstrail.engines.sql.functions",
    "crosstrail.detections.ocsf",
    "crosstrail.answers.report.",
    "crosstrail.settings.",
    "crosstrail.engines.athena_ddl",
    "crosstrail.detections.iam",
    "crosstrail.wrap.learner",
    "crosstrail.measures",
    "crosstrail.lake.schema",
)
"""Modules whose texts agents, pages or machines read: of these only what is raised or said."""
PLAIN_SINKS = frozenset(
    {
        "say",
        "out",
        "_say",
        "_out",
        "hint",
        "help",
        "epilog",
        "short_help",
        "prompt",
        "confirm",
        "ask",
        "translated",
        "section",
    }
)
RAISED = (
    "Error",
    "Refusal",
    "Rejected",
    "Denied",
    "Expired",
    "NotFound",
    "Unavailable",
    "Busy",
    "Failed",
    "Request",
    "Range",
    "Cloud",
    "Token",
    "Unreadable",
    "Account",
    "NotCompiled",
    "Reached",
    "Problem",
    "Refused",
    "Judged",
    "Finding",
)
"""Ends of the names of errors, and of makers of what is said."""
DEAF = frozenset({
    "debug", "info", "warning", "exception", "log", "execute", "executemany", "compile", "startswith", "endswith", "removeprefix", "removesuffix", "partition", "rpartition",
    "split", "rsplit", "Field", "field", "get", "getattr", "setattr", "create_counter", "create_histogram", "create_up_down_counter", "fetch", "sql", "cast", "TypeVar", "fromisoformat", "strptime", "strftime",
    "Text", "assert_never", "Random", "add_argument", "Column", "prepare", "text_factory", "version_option", "Expr", "derived", "call", "RegexReplace", "import_module",
    "set_attribute", "start_as_current_span", "NewType", "Literal", "namedtuple", "scalar", "Event", "Thread", "encode", "startup",
})  # fmt: skip
"""Calls whose arguments nobody reads."""
WORDS = re.compile(r"[A-Za-z][a-z'’-]+[,;:]? (?:\{|[a-z`'0-9(-]|[A-Z][a-z])|[}0-9][,;:]? [a-z]{2,}|^[A-Z][a-z]+\.$")
MACHINE = re.compile(
    r"^(?:SELECT|CREATE|DROP|ALTER|INSERT|DELETE|UPDATE|WITH|FROM|WHERE|AND|OR|ORDER|GROUP|VALUES|SET|PRAGMA|ATTACH|COPY|<|\(\?|\.\*|\^|[a-z_]+\(|#|application/|text/|Bearer )"
)
CLICK_VALUES = (
    "Examples",
    "OPTIONS",
    "ARGS",
    "COMMAND",
    "TEXT",
    "INTEGER",
    "INTEGER RANGE",
    "FLOAT",
    "FLOAT RANGE",
    "BOOLEAN",
    "FILENAME",
    "PATH",
    "DIRECTORY",
    "{value} is not a valid integer.",
    "{value} is not a valid float.",
    "{value} is not a valid integer range.",
    "{value} is not a valid float range.",
)
PLURAL = re.compile(
    r"(?:e?s|ies|y)? ?(?:is|are|was|were|has|have|does|do|it|them|its|their|this|these)?| cell| cells|s? (?:is|are)"
)
"""Suffixes and words that stand for the English plural alone."""
PLURAL_NAME = r"s\d*|verb"
"""Names of values that are such: a translation may leave them out."""
CODES = re.compile(r"^(?:[A-Z][a-zA-Z]+[A-Z][a-zA-Z]+ ?){2,}$")
"""Lists of a cloud's error codes."""
SQL = re.compile(
    r"\b(?:SELECT|FROM|WHERE|COALESCE|CASE WHEN|CAST|try_cast|AS VARCHAR|IS NULL|IS NOT NULL)\b|list_transform|[a-z_]+\(\{|\{[a-z_]+\}::|::|=> |\{\w+\} (?:AS|IN|OR|AND) "
)
FINDERS = frozenset({"ok", "warning", "failed"})
"""Calls of the doctor's modules whose arguments people read, an area or a subject of one word among them."""
DOCTOR = ("crosstrail.doctor.", "crosstrail.cli.doctor")
