"""The command ``headrace web``."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli.options import config_option, home_option


def register(group: click.Group) -> None:
    """Add the command."""
    group.add_command(web)


@click.command()
@home_option
@config_option
@click.option("--host", help="Address to listen on; beyond loopback only with credentials.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on.")
def web(home: Path | None, config: Path | None, host: str | None, port: int | None) -> None:
    """Serve dashboard, REST API and webhooks."""
    from runner.errors import HeadraceError
    from runner.settings import load
    from runner.wiring import open_runtime
    from web.server import serve

    try:
        settings = load(config, home=home, web__host=host, web__port=port)
        with open_runtime(settings) as runtime:
            address = f"http://{settings.web.host}:{settings.web.port}"
            click.echo(f"Headrace web listens on {address}")
            serve(runtime)
    except HeadraceError as exc:
        raise click.ClickException(exc.message) from exc
