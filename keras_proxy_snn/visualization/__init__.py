"""Pictures of training and of what happens inside the network, with matplotlib.

Each function returns a `matplotlib.figure.Figure` and writes nothing: save it with
`figure.savefig("curve.png")`. Only `spike_gif`, whose picture moves, writes a file. Those that look
at one image take the model and the image; those that look at many take what
`keras_proxy_snn.statistics.record` has seen. Needs `pip install keras-proxy-snn[viz]`.
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
