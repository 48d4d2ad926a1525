"""`mcp-server-cloud-trail`: the command that takes the place of Volcengine's own server of that name.

Exit statuses: see statuses.py.
"""

from __future__ import annotations

import anyio
import click

from crosstrail import __version__
from crosstrail.cli import run_command
from crosstrail.first_process import start_below
from crosstrail.launch.server_command import ServerCommand


@click.command("mcp-server-cloud-trail", cls=ServerCommand, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mcp-server-cloud-trail")
@click.option("--config", metavar="FILE", default="", help="Configuration file (else cfg.yaml here, else defaults).")
@click.option("--host", default="", help="Address that sse and http listen on (else 127.0.0.1).")
@click.option("--tls-cert", metavar="FILE", default="", help="Certificate: serve over TLS.")
@click.option("--tls-key", metavar="FILE", default="", help="Key of the certificate.")
@click.option("--behind-proxy", is_flag=True, help="A proxy in front ends TLS, and lets in only those who may.")
@click.option("--allow-writes", is_flag=True, help="Let CreateTrail create trails.")
@click.option("--audit", metavar="FILE", default="", help="Where calls are recorded: a file, stderr or off.")
def serve(
    config: str, host: str, tls_cert: str, tls_key: str, behind_proxy: bool, allow_writes: bool, audit: str
) -> None:
    """Serve CreateTrail, DescribeTrails and LookupEvents of Volcengine CloudTrail (火山引擎云审计) over MCP."""
    from crosstrail.server.volcengine.drop_in_app import serve_volcengine_stdio, volcengine_http_app
    from crosstrail.server.volcengine.drop_in_settings import load_server_settings
    from crosstrail.stderr_log import log_to_stderr

    flags = {
        "host": host,
        "tls_cert": tls_cert,
        "tls_key": tls_key,
        "behind_proxy": behind_proxy or "",
        "allow_writes": allow_writes or "",
        "audit.to": audit,
    }
    settings = load_server_settings(config, flags)
    log_to_stderr("warning", settings.log_format)
    if settings.transport == "stdio":
        anyio.run(serve_volcengine_stdio, settings)
        return
    from crosstrail.cli.words import say
    from crosstrail.launch.serve import answer_over_http
    from crosstrail.server.access.audit import retention

    app, listener = volcengine_http_app(settings)
    say(f"record of calls: {retention(settings.audit, default='stderr')}")
    answer_over_http(app, listener, sse=True, name="mcp-server-cloud-trail")


def main() -> None:
    """Run it and leave with its exit status."""
    start_below()
    run_command(serve, "mcp-server-cloud-trail")
