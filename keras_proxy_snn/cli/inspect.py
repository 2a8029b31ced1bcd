"""`keras-proxy-snn inspect`."""

from pathlib import Path
from typing import Any

import click

from ._shared import (
    check_backend,
    example,
    import_backend,
    json_option,
    load_network,
    model_argument,
    model_facts,
    print_json,
    print_rows,
    training_record,
)

__all__ = ["inspect"]

_NAMED = 10  # classes, by name
# Settings of `ProxyModel` that most users leave alone, and their defaults.
_FURTHER = {
    "v_0": 0.0,
    "spike_height": "one",
    "chunk_steps": None,
    "events": False,
    "current_dtype": "float32",
    "event_driven": False,
}


@click.command(
    short_help="Show layers, thresholds, training and versions.",
    epilog=example("inspect digits.keras"),
)
@model_argument
@json_option
def inspect(model: Path, as_json: bool) -> None:
    """Show layers, thresholds, training and versions of MODEL, a .keras file."""
    from ._arguments import check_network

    check_backend()
    check_network(model)
    import_backend()
    from ._own import readable

    network, training = load_network(model), training_record(model)
    noted = model_facts(model)
    facts = {
        "file": str(model),
        "bytes": model.stat().st_size,
        "input_shape": list(network.ann.input_shape[1:]),
        "input_range": list(network.input_range),
        "classes": network.classes,
        "class_names": None if network.class_names is None else list(network.class_names),
        "time_steps": network.time_steps,
        "reset": network.reset,
        "readout": network.readout,
        "proxy_activation": network.proxy_activation,
        "v_threshold": network.v_threshold,
        **{name: getattr(network, name) for name in _FURTHER},
        "parameters": network.ann.count_params(),
        "layers": _layers(network),
        **{name: noted.get(name) for name in ("keras_version", "date_saved")},
        "training": None if training is None else readable(training),
    }
    if as_json:
        print_json(facts)
    else:
        _print(facts)


def _layers(network: Any) -> list[dict[str, Any]]:
    """Layers of the ANN; a layer with neurons has their threshold."""
    neurons = {layer.twin.name: layer for layer in network.snn.if_layers}
    return [
        {
            "layer": layer.name,
            "type": type(layer).__name__,
            "output_shape": list(layer.output.shape[1:]),
            "parameters": layer.count_params(),
            "v_threshold": neurons[layer.name].v_threshold if layer.name in neurons else None,
        }
        for layer in network.ann.layers
    ]


def _classes(facts: dict[str, Any]) -> str:
    names = facts["class_names"] or []
    shown = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
    return f"{facts['classes']}: {shown}" if names else str(facts["classes"])


def _further(facts: dict[str, Any]) -> str:
    """The further settings that are not as `ProxyModel` has them by default."""
    changed = [f"{n}={facts[n]!r}" for n, default in _FURTHER.items() if facts[n] != default]
    return ", ".join(changed) or "defaults"


def _print(facts: dict[str, Any]) -> None:
    from ._own import shown

    training = facts["training"]
    trained = "unknown: not written by `train`"
    if training is not None:
        settings, versions = training["settings"], training["versions"]
        trained = (
            f"{settings['model']} on {shown(settings['dataset'])}, {len(training['history'])} of "
            f"{settings['epochs']} epochs, seed {settings['seed']}; {versions['backend']}, "
            f"keras_proxy_snn {versions['keras_proxy_snn']}"
        )
    rows = {
        "file": f"{facts['file']}, {facts['bytes'] / 1024:.0f} KiB",
        "images": " x ".join(map(str, facts["input_shape"]))
        + ", from {:g} to {:g}".format(*facts["input_range"]),
        "classes": _classes(facts),
        "time steps": facts["time_steps"],
        "reset": facts["reset"],
        "readout": facts["readout"],
        "proxy": facts["proxy_activation"] or "activations of the ANN",
        "other settings": _further(facts),
        "parameters": facts["parameters"],
        "saved": f"{str(facts['date_saved']).replace('@', ' ')}, Keras {facts['keras_version']}",
        "training": trained,
    }
    print_rows(rows.items())
    click.echo()
    cells = [["" if value is None else value for value in row.values()] for row in facts["layers"]]
    print_rows([["layer", "type", "output shape", "parameters", "threshold"], *cells])
