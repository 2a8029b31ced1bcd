"""Pictures of training and of what happens inside the network, with matplotlib.

Each function returns a `matplotlib.figure.Figure` and writes nothing: save it with
`figure.savefig("curve.png")`. Needs `pip install keras-proxy-snn[viz]`.
"""

from ._feature_maps import feature_maps
from ._spike_raster import spike_raster
from ._time_steps import accuracy_against_time_steps
from ._training_curve import training_curve

__all__ = ["accuracy_against_time_steps", "feature_maps", "spike_raster", "training_curve"]
