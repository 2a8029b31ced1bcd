"""The ANN twin of a program as an ONNX file, to compare its latency with the spiking files."""

import numpy as np

from keras_proxy_snn.export.program import Conv, Flatten, Pool

OPSET, IR_VERSION = 18, 10


def write(program, path, clip):
    """Write it so that `keras_proxy_snn.export.onnx.latency` can run it.

    Args:
        program: A float32 network, convolutions first.
        path: Where to write.
        clip: Whether activations are `min(max(0, z / theta), 1)` and not `max(0, z)`.
    """
    from onnx import TensorProto, helper, numpy_helper, save

    nodes, constants = [], []

    def constant(array):
        array = np.ascontiguousarray(array, "float32")
        constants.append(numpy_helper.from_array(array, f"c{len(constants)}"))
        return constants[-1].name

    def add(operation, *inputs, **attributes):
        nodes.append(helper.make_node(operation, inputs, [f"x{len(nodes)}"], **attributes))
        return nodes[-1].output[0]

    x, shape = add("Transpose", "image", perm=[0, 3, 1, 2]), program.input_shape
    bounds = [constant(np.float32(value)) for value in (0, 1)]
    for layer, output in zip(program.layers, program.shapes(), strict=True):
        if isinstance(layer, Pool):
            x = add("MaxPool", x, kernel_shape=layer.size, strides=layer.strides)
        elif isinstance(layer, Flatten):
            x = add("Flatten", x)
            continue  # The next kernel's rows are in the order of the maps before.
        else:
            last = layer is program.layers[-1]
            operation, kernel, options = _operation(layer, shape)
            gain = 1 / np.asarray(layer.v_threshold) if clip and not last else 1
            arrays = [kernel(layer.kernel * gain)]
            arrays += [] if layer.bias is None else [layer.bias * gain]
            x = add(operation, x, *map(constant, arrays), **options)
            if not last:
                x = add("Clip", x, *bounds) if clip else add("Relu", x)
        shape = output
    nodes[-1].output[0] = "spike_counts"
    image, scores = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ("batch", *shape))
        for name, shape in (("image", program.input_shape), ("spike_counts", shape))
    )
    graph = helper.make_graph(nodes, "twin", [image], [scores], constants)
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    helper.set_model_props(model, {"time_steps": str(program.time_steps)})
    save(model, str(path))


def _operation(layer, shape):
    """Name, a function that puts the kernel into ONNX's order, and attributes."""
    if isinstance(layer, Conv):
        pads = layer.window.pads(shape)
        sides = [pad[end] for end in (0, 1) for pad in pads]
        options = {"pads": sides, "strides": layer.strides, "dilations": layer.dilation}
        return "Conv", lambda kernel: kernel.transpose(3, 2, 0, 1), options

    def rows(kernel):
        if len(shape) == 3:
            kernel = kernel.reshape(*shape, -1).transpose(2, 0, 1, 3)
        return kernel.reshape(layer.kernel.shape)

    return "Gemm", rows, {}
