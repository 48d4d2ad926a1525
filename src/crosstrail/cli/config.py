"""`crosstrail config`: which settings hold and where each comes from, whether they can work, and their JSON Schema."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crosstrail.cli import CONFIG_HELP
from crosstrail.cli.command import Group
from crosstrail.cli.config_check import check
from crosstrail.cli.output import CommandOutput, RowColumn, RowType, with_output
from crosstrail.cli.output.nearest import nearest
from crosstrail.cli.private_file import write_private
from crosstrail.cli.statuses import DONE
from crosstrail.cli.words import out, say

if TYPE_CHECKING:
    from crosstrail.settings.effective import EffectiveSetting

SETTINGS = RowType(
    "config show",
    (
        RowColumn("setting", whole=True, about="Its name; `accounts[0].region` is of the first entry of a list."),
        RowColumn("value", about="As YAML writes it, a list with commas between; `***` for a secret."),
        RowColumn("source", about="flag, environment, file or default."),
        RowColumn("origin", cut="middle", about="The variable of the environment, or the file and its line."),
    ),
)


@click.group(cls=Group)
def config() -> None:
    """Show and check the settings, and write their JSON Schema for editors."""


config.add_command(check)


@config.command("show")
@click.argument("prefix", default="")
@click.option("--all", "everything", is_flag=True, help="Also what nobody set: the defaults.")
@click.option("--config", metavar="FILE", default="", help=CONFIG_HELP)
@click.option("--lake", metavar="FOLDER", default="", help="Folder of the lake (else lake.path).")
@with_output(SETTINGS)
def show(output: CommandOutput, prefix: str, everything: bool, config: str, lake: str) -> int:
    """Show every setting that holds, and where its value comes from: a flag, the environment, the file, a default.

    PREFIX is a setting or a group, such as `lake` or `serve.auth`; its defaults are shown too. Secrets are masked.
    """
    from crosstrail.settings.effective import effective_settings

    file, found = effective_settings(config, {"lake.path": lake})
    say(f"Configuration file: {file}" if file else "There is no configuration file: environment and defaults alone.")
    chosen = [one for one in found if _is_in(one.name, prefix)]
    if prefix and not chosen:
        raise click.UsageError(_unknown(prefix, found))
    shown = [one for one in chosen if everything or prefix or not one.is_default]
    with output.rows(SETTINGS) as rows:
        rows.write_all([one.name, one.value, one.source.value, one.origin] for one in shown)
    if not shown:
        say("Nothing is set: --all shows the defaults.")
    return DONE


def _is_in(name: str, prefix: str) -> bool:
    return not prefix or name == prefix or name.startswith((f"{prefix}.", f"{prefix}["))


def _unknown(prefix: str, found: Sequence[EffectiveSetting]) -> str:
    names = [one.name for one in found]
    groups = [name.rpartition(".")[0] for name in names if "." in name]
    if near := nearest(prefix, [*dict.fromkeys([*groups, *names])]):
        return f"There is no setting {prefix[:60]!r}. Did you mean {near}?"
    return f"There is no setting {prefix[:60]!r}: `crosstrail config show --all` lists all."


@config.command("schema")
@click.option(
    "-o", "--output", "file", metavar="FILE", type=click.Path(path_type=Path), default=None, help="Write to this file."
)
@click.option("--overwrite", is_flag=True, help="With -o: replace a file of that name.")
def schema(file: Path | None, overwrite: bool) -> int:
    """Write the JSON Schema of crosstrail.yaml, for completion and checks in an editor.

    Editors with yaml-language-server (VS Code, Zed, Neovim, Helix) use it where this is the first line of crosstrail.yaml:

    \b
    # yaml-language-server: $schema=./crosstrail.schema.json
    """
    import orjson

    from crosstrail.settings.json_schema import settings_schema
    from crosstrail.text import json_text

    text = json_text(settings_schema(), orjson.OPT_INDENT_2)
    if file is None:
        out(text)
        return DONE
    write_private(file, f"{text}\n".encode(), overwrite=overwrite)
    say(f"Write this as the first line of crosstrail.yaml: # yaml-language-server: $schema={file}")
    return DONE
