"""Examples of every command, as `--help`, the manual pages and the documentation show them.

Decides what is shown, and nothing of how. Each can be typed as it stands: names of accounts, days and addresses are those of
the made-up organisation of `crosstrail demo`, where the tests run them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Example:
    """`command`: one line for a POSIX shell. `shows`: a sentence on what it is for."""

    command: str
    shows: str


_E = Example

EXAMPLES: Mapping[str, tuple[Example, ...]] = {
    "": (
        _E("crosstrail demo", "See it work on a made-up organisation, with nothing configured."),
        _E("crosstrail lookup --account prod --since 24h", "The events of one account, newest first."),
        _E("crosstrail collect ./evidence", "Read log files into the lake."),
        _E("crosstrail detect", "Find what is suspicious in it."),
        _E("crosstrail serve", "Answer the same questions for an agent."),
    ),
    "access": (_E("crosstrail access test ann@example.com", "What a person may do over HTTP."),),
    "access test": (
        _E("crosstrail access test ann@example.com", "What a person may do, by their e-mail address."),
        _E("crosstrail access test ann@example.com --group secops", "The same, as a member of a group."),
        _E("crosstrail access test client:nightly-job", "What a program may do that signs in as a client."),
    ),
    "accounts": (
        _E("crosstrail accounts list", "The accounts that there are."),
        _E("crosstrail accounts check", "Who we are in each live account, and what it allows."),
    ),
    "accounts add": (
        _E(
            "crosstrail accounts add 111122223333 --alias prod --role-arn arn:aws:iam::111122223333:role/Audit",
            "An AWS account, used by a role: no secret is stored.",
        ),
        _E(
            "crosstrail accounts add 2100000001 --alias cn-prod --role-trn trn:iam::2100000001:role/Audit",
            "An account of Volcengine, by a role too.",
        ),
    ),
    "accounts check": (
        _E("crosstrail accounts check", "Ask every live account once."),
        _E("crosstrail accounts check 'prod*' --region all", "Some accounts, in all of their regions."),
    ),
    "accounts encrypt": (
        _E(
            "crosstrail accounts encrypt 2100000001",
            "Ask for a secret key, and print a token that can be written down.",
        ),
    ),
    "accounts import": (
        _E("crosstrail accounts import accounts.csv --dry-run", "Check a file of accounts, and add none."),
        _E("crosstrail accounts import accounts.csv", "Add all of them, or none."),
    ),
    "accounts list": (
        _E("crosstrail accounts list", "Every account."),
        _E("crosstrail accounts list '*prod'", "Those whose alias ends so."),
    ),
    "accounts remove": (
        _E("crosstrail accounts remove 2100000001", "Ask, then take it out of the file or the database."),
        _E("crosstrail accounts remove 'old-*' --yes", "Several, without a question."),
    ),
    "accounts rotate": (_E("crosstrail accounts rotate", "Encrypt all stored secrets with a new first key."),),
    "accounts test": (
        _E("crosstrail accounts test prod", "Each step of asking one account, and how long it takes."),
        _E("crosstrail accounts test 2100000001 --region cn-shanghai --format json", "In one region, for programs."),
    ),
    "audit": (
        _E("crosstrail audit --since 7d", "Who asked what in the last week."),
        _E("crosstrail audit --who ann@example.com --account prod", "What one person asked of one account."),
        _E("crosstrail audit --outcome refused --format json", "Every refused call, for a program."),
    ),
    "check": (
        _E("crosstrail check -- crosstrail serve", "A server that a command starts."),
        _E(
            "crosstrail check https://trails.example.com/mcp --bearer -", "One over HTTP; its token is read from stdin."
        ),
    ),
    "client": (
        _E("crosstrail client list", "Which clients are here, and which know this server."),
        _E("crosstrail client add claude", "Add it to one."),
    ),
    "client add": (
        _E("crosstrail client add claude cursor", "Add this server to two clients."),
        _E("crosstrail client add vscode --print", "Print the entry, and write nothing."),
        _E("crosstrail client add kiro --url https://trails.example.com/mcp", "A server that runs elsewhere."),
    ),
    "client list": (_E("crosstrail client list", "Which clients are here, and whether their entries work."),),
    "client remove": (_E("crosstrail client remove cursor", "Take the entry out again."),),
    "collect": (
        _E("crosstrail collect ./evidence", "Files and folders, packed or not. Again: only what is new."),
        _E("crosstrail collect s3://audit-logs/AWSLogs", "A bucket."),
        _E(
            "crosstrail collect --api --account '*' --since 7d",
            "What the clouds themselves keep of every live account.",
        ),
        _E("crosstrail collect ./evidence --detect", "Then look for what is suspicious in what is new."),
        _E("crosstrail collect --follow --interval 300", "Every archive in crosstrail.yaml, every five minutes."),
    ),
    "config": (
        _E("crosstrail config show", "What is set, and where."),
        _E("crosstrail config check", "Whether it can work."),
    ),
    "config check": (
        _E("crosstrail config check", "The file that every command would read."),
        _E("crosstrail config check crosstrail.yaml", "Another one, such as in CI."),
        _E("crosstrail config check --format json", "For programs."),
    ),
    "config schema": (_E("crosstrail config schema -o crosstrail.schema.json", "Write it where an editor finds it."),),
    "config show": (
        _E("crosstrail config show", "What is not a default, and where it was set."),
        _E("crosstrail config show lake", "All settings of one group, with their defaults."),
        _E("crosstrail config show --all --format json", "Everything, for programs."),
    ),
    "completion": (_E("crosstrail completion bash", "The script for bash; its first lines say where it goes."),),
    "coverage": (
        _E("crosstrail coverage", "Every day of every account."),
        _E("crosstrail coverage --account prod --since 2026-11-01", "One account, from one day on."),
    ),
    "demo": (
        _E("crosstrail demo", "Made once, in your cache folder."),
        _E("crosstrail demo --folder ./demo", "Made in a folder of your own, to look around in."),
    ),
    "deploy": (
        _E(
            "crosstrail deploy aws --account 111122223333 --region us-east-1 --dry-run",
            "Print what a deployment would run.",
        ),
    ),
    "deploy aws": (
        _E(
            "crosstrail deploy aws --account 111122223333 --region us-east-1 --dry-run",
            "Print every command, and do nothing.",
        ),
        _E(
            "crosstrail deploy aws --account 111122223333 --region us-east-1 "
            "--role-arn arn:aws:iam::111122223333:role/crosstrail --jwt-audience trails "
            "--jwt-discovery-url https://idp.example/.well-known/openid-configuration",
            "Deploy it for callers with tokens of your identity provider.",
        ),
    ),
    "detect": (
        _E("crosstrail detect", "Everything that is held, the gravest first."),
        _E("crosstrail detect --account prod --level high", "What is grave, in one account."),
        _E("crosstrail detect --new --since 2026-11-17", "What nobody there did before that day."),
        _E("crosstrail detect --format ocsf --exit-code", "For a pipeline: status 10 where there are findings."),
    ),
    "docs": (
        _E("crosstrail docs", "What there is to read."),
        _E("crosstrail docs accounts", "One page."),
        _E('crosstrail docs --search "assume role"', "Where words stand."),
    ),
    "doctor": (
        _E("crosstrail doctor", "What works, what does not, and what to do about it."),
        _E("crosstrail doctor --offline", "The same without asking any network."),
    ),
    "export": (
        _E(
            "crosstrail export --account '*' --ip 203.0.113.66 --since 2026-11-17 -o case.jsonl",
            "The original records from one address, with a manifest.",
        ),
        _E(
            "crosstrail export \"SELECT eventid FROM events WHERE errorcode = 'AccessDenied'\" -o denied.jsonl.gz",
            "Those of the events that a query finds.",
        ),
        _E("crosstrail export --check case.jsonl.manifest.json", "Whether an export is still what it was."),
    ),
    "help": (
        _E("crosstrail help lookup", "A command."),
        _E("crosstrail help accounts", "A command, and the page of its name."),
        _E("crosstrail help engines", "A page of the documentation."),
    ),
    "iam-policy": (
        _E(
            "crosstrail iam-policy --principal user/deploy-bot --account prod --since 2026-11-01",
            "The least policy that a user's events need.",
        ),
        _E(
            "crosstrail iam-policy --principal role/invoice-worker --format json",
            "With everything said of it, for a program.",
        ),
    ),
    "init": (
        _E("crosstrail init", "Asks what to take of what it finds, and writes crosstrail.yaml."),
        _E("crosstrail init --yes --profile 'prod-*'", "Asks nothing, and takes these AWS profiles."),
        _E("crosstrail init --dry-run", "Prints the file, and writes nothing."),
    ),
    "lake": (
        _E("crosstrail lake status", "What the lake holds."),
        _E("crosstrail lake verify", "Whether its files are what was written."),
    ),
    "lake compact": (_E("crosstrail lake compact", "Fewer and larger files, for faster queries."),),
    "lake ddl": (
        _E("crosstrail lake ddl athena --bucket s3://audit-logs", "Statements for Athena over a trail's log files."),
    ),
    "lake ddl athena": (
        _E("crosstrail lake ddl athena --bucket s3://audit-logs", "Print the statements, and run nothing."),
        _E(
            "crosstrail lake ddl athena --bucket s3://audit-logs --organization o-exampleorg --since 2026-01-01",
            "For the trail of an organization.",
        ),
    ),
    "lake ddl athena-lake": (_E("crosstrail lake ddl athena-lake", "Print the statement, and run nothing."),),
    "lake expire": (
        _E("crosstrail lake expire --dry-run", "What would be dropped."),
        _E("crosstrail lake expire", "Drop what is older than lake.retention."),
    ),
    "lake init": (
        _E("crosstrail lake init --engine trino --print", "Print the statement of the view, and run nothing."),
    ),
    "lake migrate": (_E("crosstrail lake migrate", "Bring an old lake up to date, for other programs."),),
    "lake move": (_E("crosstrail lake move --lake ./lake", "After the folder was moved here."),),
    "lake repair": (_E("crosstrail lake repair", "Take damaged files out, and collect their logs again."),),
    "lake status": (_E("crosstrail lake status", "Events, files and bytes, and each account's newest event."),),
    "lake verify": (_E("crosstrail lake verify", "Compare every data file with its hash."),),
    "lookup": (
        _E("crosstrail lookup --account prod --since 24h", "The last day of one account."),
        _E(
            "crosstrail lookup --account '*' --name ConsoleLogin --since 2026-11-10",
            "Sign-ins to every account.",
        ),
        _E(
            "crosstrail lookup --account prod --ip 203.0.113.66 --error '*' --since 2026-11-17",
            "What was denied to one address: filters combine.",
        ),
        _E(
            "crosstrail lookup --account prod --since 2026-11-19 --columns time,event,event_id",
            "These columns alone, with room for them.",
        ),
        _E("crosstrail lookup --account dev --since 2026-11-19 --format json", "Whole events, for a program."),
    ),
    "query": (
        _E(
            'crosstrail query "SELECT eventname, count(*) AS n FROM events GROUP BY 1 ORDER BY n DESC LIMIT 10"',
            "The most frequent actions.",
        ),
        _E(
            "crosstrail query --account prod \"SELECT DISTINCT sourceipaddress FROM events WHERE eventname = 'StopLogging'\"",
            "From where logging was stopped.",
        ),
        _E("crosstrail query @stopped.sql", "A statement from a file; - is standard input."),
        _E("crosstrail query --list-saved", "The saved queries; --saved NAME runs one."),
        _E(
            'crosstrail query --explain "SELECT count(*) FROM prod"',
            "What would be read, and what each engine would be sent.",
        ),
    ),
    "report": (
        _E("crosstrail report --since 2026-11-17 -o report.html", "What happened since that day, to hand over."),
        _E(
            "crosstrail report --since 2026-11-17 -o report.md --evidence ./case",
            "As Markdown, with the records that prove it.",
        ),
    ),
    "rules": (
        _E("crosstrail rules list", "The rules that `detect` runs."),
        _E("crosstrail rules check ./my-rules", "Whether yours can be used."),
    ),
    "rules add": (_E("crosstrail rules add ./my-rules", "From now on `detect` runs them too."),),
    "rules check": (_E("crosstrail rules check ./my-rules", "Which can be used, and why the others cannot."),),
    "rules list": (_E("crosstrail rules list --level high", "Those of this level and above."),),
    "rules test": (
        _E(
            "crosstrail rules test ./my-rules/login.yml --events ./evidence", "What a rule finds in a folder of events."
        ),
    ),
    "serve": (
        _E("crosstrail serve", "To one client, over stdio."),
        _E("crosstrail serve --demo", "The made-up organisation, to try a client on."),
        _E(
            "crosstrail serve --transport http --auth oauth --public-url https://trails.example.com",
            "To many people over HTTP, who sign in.",
        ),
    ),
    "sql": (
        _E("crosstrail sql", "The shell: history, completion, \\? for its commands."),
        _E("crosstrail sql --account prod", "Its statements read one account."),
        _E("crosstrail sql --no-history", "Nothing that is typed is remembered."),
    ),
    "summarize": (
        _E("crosstrail summarize deploy-bot --since 2026-11-17", "All that one user did."),
        _E("crosstrail summarize 203.0.113.66 --account prod", "All that came from one address."),
    ),
    "timeline": (
        _E("crosstrail timeline --account prod --since 2026-11-17", "In the terminal."),
        _E("crosstrail timeline --since 2026-11-17 -o incident.html", "As a page to look into."),
    ),
    "verify": (
        _E("crosstrail verify s3://audit-logs/AWSLogs --since 7d", "A bucket, from a week ago on."),
        _E(
            "crosstrail verify ./logs --account dev --until 2026-11-19 --keys keys.json",
            "One account of a copy, without a network.",
        ),
    ),
    "wrap": (
        _E("crosstrail wrap -- uvx awslabs.billing-cost-management-mcp-server", "Any MCP server, for every account."),
        _E("crosstrail wrap --read-only -- uvx awslabs.cloudwatch-mcp-server", "Only its tools that change nothing."),
    ),
}
"""Words of a command after `crosstrail` -> its examples. "" are those of the program."""
