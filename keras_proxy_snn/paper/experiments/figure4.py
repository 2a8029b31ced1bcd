"""Figure 4 of the paper: feature maps of both networks on Fashion-MNIST.

Source: Kheradpisheh et al. 2021, arXiv:2109.13208, Fig. 4: five filters of each convolution.
Command: keras-proxy-snn paper figure4
Expected: spike counts of the SNN look like the activations of the ANN; the paper gives no number.
    Here each pair of maps is shown with its cosine similarity.
    The compact network is trained in this package's form: the published one collapses there at
    T = 8, see `PUBLISHED` and table2.
Time: full and compact: as a row of table2, because they share the training. tiny: 35 s on two
    shared cores.
"""

from .._experiment import Experiment, Run, Size
from ._shared import steep

__all__ = ["EXPERIMENT"]

EXPERIMENT = Experiment(
    "figure4",
    "Figure 4: feature maps of ANN and SNN on Fashion-MNIST",
    {
        "full": Size("fashion_mnist", 100, (Run("proxy_paper", 50, paper=94.56),), (0, 1, 2)),
        "compact": Size("fashion_mnist_compact", 4, (Run("proxy", 20, steep(20)),)),
        "tiny": Size("digits", 2, (Run("proxy_paper", 8),), batch_size=32),
    },
    ("table", "feature_maps"),
)
