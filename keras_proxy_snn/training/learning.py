"""Proxy learning as methods of a Keras model: its output, its loss and its metrics in a step."""

from typing import Any

import keras
from keras import ops

from ..basics.types import Images, Tensor
from ..simulation.loop import Simulation
from .gradient import proxy_gradient
from .images import check_floatx
from .metrics import FiringRates, ProxyDistance, readout_potential
from .responses import proxy_output
from .saved import of_any_backend
from .settings import Settings
from .steps import Simulated, proxy_steps

__all__ = ["ProxyLearning"]

_Steps: Any = proxy_steps()  # a class that type checkers do not know


class ProxyLearning(Settings, _Steps):
    """A model that computes with its SNN and learns with its ANN; see `ProxyModel`.

    In a train or test step, the batch is a `Simulated`: the SNN has already run.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._distance = ProxyDistance()
        self._rates = FiringRates([layer.twin.name for layer in self.snn.if_layers])

    def call(self, inputs: Tensor, training: bool | None = None) -> Any:
        """Scores of the classes; see `ProxyModel`."""
        if isinstance(inputs, Simulated):
            # In a train step, `compute_loss` replaces this output by the counts.
            if training:
                return self._proxy(inputs.images)
            self._regularise_activity(inputs.images)
            return self.answer(inputs.simulation)
        check_floatx()
        images = self.snn.preprocess(inputs, training=True) if training else inputs
        counts = self.answer(self.snn.simulate(images, preprocessed=bool(training)))
        return proxy_gradient(self._proxy(images), counts) if training else counts

    def get_compile_config(self) -> dict[str, Any]:
        """Settings with which a loaded model is compiled.

        `jit_compile` is "auto" again where it is this backend's own choice, because other backends
        choose differently. PyTorch would compile the steps of a file from JAX, which takes minutes;
        JAX would run the steps of a file from other backends operation by operation. Before the
        first training step, `optimizer_built` is `False`, because the optimizer has no state yet.
        """
        config: dict[str, Any] = super().get_compile_config()
        if config and config["jit_compile"] == self._resolve_auto_jit_compile():
            config["jit_compile"] = "auto"
        if config and not self.optimizer.built:
            config["optimizer_built"] = False
        return config

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile a loaded model as it was compiled before, on any backend.

        Keras gives the optimizer a state of each weight, and warns if the file has no such states.
        The optimizer of a model that has not been trained gets these states at its first step, as
        always.
        """
        config = of_any_backend(config)
        if config.pop("optimizer_built", True):
            super().compile_from_config(config)
        else:
            self.compile(**keras.saving.deserialize_keras_object(config))

    def _proxy(self, images: Images) -> Any:
        """Output of the ANN in training for preprocessed images, before a softmax."""
        images = self.ann_images(images)
        return proxy_output(self.twin, images, self.proxy_activation, self.time_steps, self.v_0)

    def _regularise_activity(self, images: Images) -> None:
        """Let the ANN's layers add their activity losses, as Keras does in `evaluate`."""
        if any(getattr(call.layer, "activity_regularizer", None) for call in self.twin.graph.calls):
            images = self.ann_images(self.snn.preprocess(images))
            proxy_output(
                self.twin, images, self.proxy_activation, self.time_steps, self.v_0, training=False
            )

    def ann_images(self, images: Images) -> Any:
        """Preprocessed images as input of the ANN: float32, frames of events averaged."""
        images = ops.cast(images, "float32")
        return ops.mean(images, axis=1) if self.events else images

    def answer(self, simulation: Simulation) -> Any:
        """Output of a simulation by `readout`: counts, or counts + potential / threshold.

        Args:
            simulation: Counts and potentials of the readout, `(batch, classes)` each.

        Returns:
            The output, `(batch, classes)`, in spikes.

        Example:

        >>> import keras
        >>> import numpy as np
        >>> import keras_proxy_snn
        >>> model = keras_proxy_snn.build(
        ...     "2F", input_shape=(1, 1, 1), readout="potential", readout_v_threshold=2.0
        ... )
        >>> simulation = model.snn.simulate(np.zeros((1, 1, 1, 1), "float32"))
        >>> potential = keras.ops.convert_to_tensor([[1.0, -2.0]])
        >>> simulation = simulation._replace(potential=potential)
        >>> keras.ops.convert_to_numpy(model.answer(simulation)).tolist()
        [[0.5, -1.0]]
        """
        if self.readout == "counts":
            return simulation.spike_counts
        theta = self.snn.if_layers[-1].traced_neuron().v_threshold
        return simulation.spike_counts + simulation.potential / theta

    def compute_loss(
        self,
        x: Images = None,
        y: Tensor = None,
        y_pred: Tensor = None,
        sample_weight: Tensor = None,
        training: bool = True,
    ) -> Any:
        """Loss of the spike counts; in a train step it has the proxy's gradient."""
        if isinstance(x, Simulated) and training:
            y_pred = proxy_gradient(y_pred, self.answer(x.simulation))
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def compute_metrics(
        self, x: Images, y: Tensor, y_pred: Tensor, sample_weight: Tensor = None
    ) -> dict[str, Any]:
        """Metrics of the spike counts; a train step adds firing rates and `proxy_distance`."""
        simulation = x.simulation if isinstance(x, Simulated) else self.snn.simulate(x)
        training = isinstance(x, Simulated) and bool(simulation.firing_rates)
        if training:
            self._update_own_metrics(simulation, ann_output=y_pred)
        with readout_potential(simulation.potential):
            logs = super().compute_metrics(x, y, self.answer(simulation), sample_weight)
        own = () if training else (self._distance.name, *self._rates.logs)
        return {name: value for name, value in logs.items() if name not in own}

    def _update_own_metrics(self, simulation: Simulation, ann_output: Tensor) -> None:
        self._distance.update_state(simulation.spike_counts, ann_output)
        self._rates.update_state(simulation.firing_rates, ops.shape(simulation.spike_counts)[0])
