"""`keras-proxy-snn presets`."""

from dataclasses import asdict

import click

from ._shared import example, import_backend, json_option, print_json, print_rows

__all__ = ["presets"]


@click.command(epilog=example("presets digits", "presets --json"))
@click.argument("names", nargs=-1)
@json_option
def presets(names: tuple[str, ...], as_json: bool) -> None:
    """Show presets with all their fields: those in NAMES, or by default all."""
    import_backend()
    from ..presets import PRESETS

    unknown = sorted(set(names) - set(PRESETS))
    if unknown:
        raise click.UsageError(
            f"NAME must be one of the presets {sorted(PRESETS)}. Received: {unknown}."
        )
    chosen = {name: asdict(PRESETS[name]) for name in names or PRESETS}
    if as_json:
        print_json(chosen)
        return
    for index, (name, fields) in enumerate(chosen.items()):
        if index:
            click.echo()
        click.echo(name)
        print_rows(("", field, value) for field, value in fields.items())
