"""Errors for what a program cannot express: reason, cure and the layer."""

from collections.abc import Mapping

from ...layers import AtEachStep, CurrentSum
from ...mapping.exportable import Obstacle
from ...mapping.names import layer_of, named
from ...mapping.signs import is_never_negative
from ...simulation.nodes import IMAGE, Node
from .inexpressible import InexpressibleError

__all__ = ["no_relu_after", "no_spikes", "refusal", "refusal_of", "second_reader"]


def refusal_of(found: Obstacle) -> InexpressibleError:
    """The error for an obstacle."""
    return InexpressibleError(
        f"{found.reason}. {found.cure} Received: layer {named(found.layer)}.",
        "A program is a chain of convolutions (with the batch normalisation and ReLU after them), "
        "max or average pooling, Flatten or a global pooling, and Dense layers, with sums of "
        "convolutions and of maps before a ReLU: ",
    )


def refusal(
    node: Node,
    reason: str,
    cure: str = "Export a CNN without it, or deploy the Keras model.",
) -> InexpressibleError:
    """The error for a node; `reason` is a clause, `cure` has sentences."""
    return refusal_of(Obstacle(layer_of(node.stage), reason, cure))


def no_relu_after(nodes: Mapping[str, Node], name: str) -> InexpressibleError:
    """The error for currents that anything but a ReLU reads."""
    node = nodes[name]
    cure = f"Put a ReLU directly after {_named(nodes, name)}"
    unchanged = (
        ": its results come from ReLUs and are never negative, so this does not change the CNN, "
        "and no training is needed."
    )
    end = unchanged if is_never_negative(nodes, name) else " and train again."
    return refusal(node, "neurons must follow it, that is, a ReLU", cure + end)


def no_spikes(nodes: Mapping[str, Node], node: Node, name: str) -> InexpressibleError:
    """The error for a residual sum, or a convolution before it, that reads what is no spikes."""
    if _is_image(nodes, name):
        adds = isinstance(node.stage, CurrentSum)
        reason = "without a ReLU after it, a convolution must read maps of spikes, not the image"
        return refusal(
            node,
            "a residual sum must add maps of spikes, not the image" if adds else reason,
            "Add the results of a convolution with a ReLU in place of the image and train again."
            if adds
            else "Put a ReLU after it and train again, or deploy the Keras model.",
        )
    source = nodes[name]
    if not source.stage.averages:
        reason = f"it reads {_named(nodes, name)}, and a residual branch must read maps of spikes"
        return refusal(node, reason)
    return refusal(
        source,
        f"{named(layer_of(node.stage))} reads these averages, and residual sums and their branches "
        "must read maps of spikes",
        "Take MaxPooling2D, or a convolution with strides, in place of this pooling and train "
        "again.",
    )


def second_reader(nodes: Mapping[str, Node], node: Node) -> InexpressibleError:
    """The error for weights with a ReLU that do not read the layer before them."""
    return refusal(
        node,
        f"it has a ReLU and reads {_named(nodes, node.inputs[0])}, which another layer reads "
        "before. Of the layers that read the same maps, only one can have a ReLU; the others must "
        "be convolutions whose results are added to others before a ReLU",
    )


def _is_image(nodes: Mapping[str, Node], name: str) -> bool:
    """Whether a signal is the image, perhaps prepared: no weights come before it."""
    while name != IMAGE and isinstance(nodes[name].stage, AtEachStep):
        name = nodes[name].inputs[0]
    return name == IMAGE


def _named(nodes: Mapping[str, Node], name: str) -> str:
    return "the image" if name == IMAGE else named(layer_of(nodes[name].stage))
