"""What the tests of pictures share: a small exact model, its neurons in NumPy, and legibility."""

import io
import struct
from itertools import combinations
from unittest import mock

import keras
import numpy as np
from keras import ops

import keras_proxy_snn

TIME_STEPS = 6


def make_model(spec="4C3-P2-6C3-10F", **overrides):
    """A model whose sums are exact in float32, so that no two routes differ by a rounding."""
    keras.utils.set_random_seed(7)
    settings = {"input_shape": (8, 8, 1), "time_steps": TIME_STEPS, **overrides}
    model = keras_proxy_snn.build(spec, **settings)
    weights = model.ann.get_weights()
    model.ann.set_weights([np.round(2.0 * w * 64) / 64 for w in weights])
    return model


def simulate(model, image):
    """Spikes of IF neurons with reset to zero, in NumPy, driven by the layers of the ANN."""
    return simulate_potentials(model, image)[0]


def simulate_potentials(model, image):
    """Spikes, and the potentials after each step."""
    potentials, spikes, traces = {}, {}, {}
    for _ in range(model.time_steps):
        x = image[None]
        for layer in model.ann.layers:
            if isinstance(layer, keras.layers.ReLU | keras.layers.Rescaling):
                continue
            x = np.array(ops.convert_to_numpy(layer(x)))
            if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
                v = potentials.get(layer.name, 0.0) + x
                fired = v >= model.v_threshold
                potentials[layer.name] = np.where(fired, 0.0, v)
                traces.setdefault(layer.name, []).append(potentials[layer.name][0])
                x = fired.astype("float32")
            spikes.setdefault(layer.name, []).append(x[0])
    return [{name: np.array(steps) for name, steps in found.items()} for found in (spikes, traces)]


def png(figure):
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def check_legible(figure):
    """All text is inside the figure and no two pieces of it overlap; 900 pixels wide."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    boxes, draw = [], Text.draw

    def draw_and_note(text, renderer):
        draw(text, renderer)
        if text.get_visible() and text.get_text():
            boxes.append((text.get_text(), text.get_window_extent(renderer)))

    with mock.patch.object(Text, "draw", draw_and_note):
        FigureCanvasAgg(figure).draw()
    file = png(figure)
    assert file.startswith(b"\x89PNG")
    assert struct.unpack(">I", file[16:20]) == (900,)
    assert boxes
    page = figure.bbox.padded(1)
    for text, box in boxes:
        assert page.contains(*box.min), text
        assert page.contains(*box.max), text
    for (text, box), (other_text, other) in combinations(boxes, 2):
        assert not box.padded(-1).overlaps(other.padded(-1)), (text, other_text)
