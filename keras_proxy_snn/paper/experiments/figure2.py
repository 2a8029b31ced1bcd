"""Figure 2 of the paper: accuracy and MSSE over the epochs, on Fashion-MNIST.

Source: Kheradpisheh et al. 2021, arXiv:2109.13208, Fig. 2, proxy learning at T = 50.
Command: keras-proxy-snn paper figure2
Expected: above 94.0 % and an MSSE below 1.5 within 30 epochs, on the test images. Here the curve
    shows held-out training images; the test images are used once. The paper does not define MSSE,
    so two curves are drawn, see `keras_proxy_snn.paper._curve.mean_sum_of_squared_errors`.
    The compact network is trained in this package's form: the published one collapses there at
    T = 8, see `PUBLISHED` and table2.
Time: full and compact: as a row of table2, because they share the training. tiny: 15 s on two
    shared cores.
"""

from .._experiment import Experiment, Run, Size
from ._shared import steep

__all__ = ["EXPERIMENT"]

EXPERIMENT = Experiment(
    "figure2",
    "Figure 2: proxy learning on Fashion-MNIST, epoch by epoch",
    {
        "full": Size("fashion_mnist", 100, (Run("proxy_paper", 50, paper=94.56),), (0, 1, 2)),
        "compact": Size("fashion_mnist_compact", 4, (Run("proxy", 20, steep(20)),)),
        "tiny": Size("digits", 2, (Run("proxy_paper", 8),), batch_size=32),
    },
    ("table", "epochs"),
)
