"""`keras-proxy-snn presets`."""

from dataclasses import asdict

import click

from ..presets import PRESETS, PURPOSES
from ..saving.pretrained import comes_along, pretrained_names
from ._shared import example, json_option, print_json, print_rows

__all__ = ["presets"]


@click.command(
    short_help="List the presets, or show the fields of one.",
    epilog=example("presets", "presets digits", "presets --json"),
)
@click.argument("names", nargs=-1)
@json_option
def presets(names: tuple[str, ...], as_json: bool) -> None:
    """Say what each preset is for, and which presets have trained weights.

    With NAMES, show all fields of these presets.

    Any field can be set with `train PRESET --set FIELD=VALUE`. Trained weights come with the
    package: build(PRESET, weights="pretrained") loads them.
    """
    unknown = sorted(set(names) - set(PRESETS))
    if unknown:
        raise click.UsageError(
            f"NAME must be one of the presets {sorted(PRESETS)}. Received: {unknown}."
        )
    trained = pretrained_names()
    chosen = {
        name: {"purpose": PURPOSES[name], "pretrained": name in trained, **asdict(PRESETS[name])}
        for name in names or PRESETS
    }
    if as_json:
        print_json(chosen)
    elif not names:
        head = ["preset", "images", "T", "weights", "for"]
        print_rows([head, *(_row(name, fields) for name, fields in chosen.items())])
        click.echo("\nAll fields of a preset: keras-proxy-snn presets NAME")
    else:
        for index, (name, fields) in enumerate(chosen.items()):
            click.echo(f"\n{name}" if index else name)
            print_rows(("", field, value) for field, value in fields.items())


def _row(name: str, fields: dict[str, object]) -> list[object]:
    shape = " x ".join(map(str, PRESETS[name].input_shape))
    there = "pretrained" if comes_along(name) else "pretrained (download)"
    weights = there if fields["pretrained"] else "-"
    return [name, shape, PRESETS[name].time_steps, weights, fields["purpose"]]
