"""Pictures of training and of the activity inside a network, with matplotlib.

Each function returns a `matplotlib.figure.Figure` and writes nothing; save the figure with
`figure.savefig("curve.png")`. The exception is `spike_gif`, which writes a moving picture.
Functions about one image take the model and the image. Functions about many images take the
result of `keras_proxy_snn.statistics.record`. Needs `pip install "keras-proxy-snn[viz]"`.
"""

from ._confusion_matrix import confusion_matrix
from ._feature_maps import feature_maps
from ._firing_rates import firing_rates
from ._potential_traces import potential_traces
from ._rates_against_relu import rates_against_relu
from ._spike_gif import spike_gif
from ._spike_raster import spike_raster
from ._time_steps import accuracy_against_time_steps
from ._training_curve import training_curve

__all__ = [
    "accuracy_against_time_steps",
    "confusion_matrix",
    "feature_maps",
    "firing_rates",
    "potential_traces",
    "rates_against_relu",
    "spike_gif",
    "spike_raster",
    "training_curve",
]
