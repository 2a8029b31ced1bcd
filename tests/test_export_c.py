"""C files: counts equal the interpreter's, and the compiler and its sanitizers find nothing."""

import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_proxy_snn as kps
from keras_proxy_snn.export import ExportError, c, export, from_model, interpreter, litert
from keras_proxy_snn.export.program import Conv, Dense, Flatten, Pool, Program, Shortcut
from keras_proxy_snn.export.quantise import quantise

from . import oracle
from .pages import ROOT, blocks
from .programs import NETWORKS, random_program, scores_of

pytestmark = pytest.mark.skipif(
    not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="needs a C compiler"
)
STRICT = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
SANITIZED = [*STRICT, "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def assert_exact(program, images, path, flags=SANITIZED):
    c.write(program, path)
    scores = c.run(path, program, images, flags=flags)
    np.testing.assert_array_equal(scores, scores_of(program, images))
    return path.read_text()


def with_shortcuts(program, rng):
    """Spikes of an earlier layer reach each convolution that has maps of the same height, width."""
    layers, spiking = [], []
    for layer, shape in zip(program.layers, program.shapes(), strict=True):
        if isinstance(layer, Conv) and spiking:
            name, channels, size = spiking[rng.integers(len(spiking))]
            if size == shape[:2]:
                kernel = rng.integers(-20, 26, (3, 1, channels, shape[2])).astype("int8")
                layer = replace(layer, shortcuts=(Shortcut(name, kernel, (1, 1), "same"),))
        sums = isinstance(layer, Pool) and layer.kind == "sum"
        if len(shape) == 3 and (spiking or isinstance(layer, Conv)) and not sums:
            spiking.append((layer.name, shape[2], shape[:2]))
        layers.append(layer)
    return replace(program, layers=tuple(layers))


def with_sums(program):
    """All poolings are sums."""
    return replace(
        program,
        layers=tuple(
            replace(layer, kind="sum") if isinstance(layer, Pool) else layer
            for layer in program.layers
        ),
    )


def larger(program, factor):
    """Weights so large that 16 bits are not enough for their potentials."""
    return replace(
        program,
        layers=tuple(
            replace(
                layer, kernel=(layer.kernel.astype(int) * factor).clip(-128, 127).astype("int8")
            )
            if isinstance(layer, Conv | Dense)
            else layer
            for layer in program.layers
        ),
    )


@pytest.mark.once
@given(
    **NETWORKS,
    scale=st.sampled_from([4.0, 12.5, 255.0]),
    sums=st.booleans(),
    factor=st.sampled_from([1, 1, 6]),
)
@settings(max_examples=6)
def test_random_networks(
    tmp_path_factory, layers, input_shape, steps, reset, v_0, readout, scale, sums, factor, seed
):
    rng = np.random.default_rng(seed)
    program = random_program(
        rng, layers, input_shape, steps, integer=True, reset=reset, v_0=v_0, readout=readout
    )
    program = with_shortcuts(with_sums(program) if sums else program, rng)
    program = larger(replace(program, input_scale=scale), factor)
    images = oracle.dyadic(rng, (3, *input_shape), low=0, high=257)
    assert_exact(program, images, tmp_path_factory.getbasetemp() / "random.c")


def small(**fields):
    """A network with every kind of layer whose readout has an odd number of classes."""
    rng = np.random.default_rng(1)

    def whole(*shape):
        return rng.integers(-60, 80, shape).astype("int8")

    layers = (
        Conv("conv1", whole(3, 3, 2, 5), rng.integers(-50, 50, 5, "int32"), 900, "zero"),
        Pool("pool1", (2, 2), (2, 2)),
        Conv("conv2", whole(3, 3, 5, 6), None, 400, "zero"),
        Flatten("flatten"),
        Dense("readout", whole(96, 3), None, np.array([300, 350, 400]), "zero"),
    )
    return Program(layers, (8, 8, 2), 6, "int8", **{"input_scale": 12.5, **fields})


@pytest.fixture
def images(rng):
    return rng.random((5, 8, 8, 2))


def test_what_is_in_the_files(images, tmp_path):
    program = small(metadata={"spec": "5C3-P2-6C3-3F", "accuracy": 0.5})
    text = assert_exact(program, images, tmp_path / "net.c")
    assert re.findall(r"#include (.*)", text) == ['"net.h"', "<string.h>"]
    code = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    assert not re.search(r"float|double|malloc|[^/]/[^/*]|%", code)
    assert re.findall(r".* \* .*", code) == [
        "                        for (f = 0; f < 5; ++f) sum[f] += value * weights[f];"
    ]
    header = (tmp_path / "net.h").read_text()
    macros = dict(re.findall(r"#define NET_(\w+) (\S+)", header))
    assert {name: int(macros[name]) for name in ("HEIGHT", "WIDTH", "CHANNELS")} == {
        **{"HEIGHT": 8, "WIDTH": 8},
        "CHANNELS": 2,
    }
    assert (macros["TIME_STEPS"], macros["CLASSES"], macros["IMAGE_SIZE"]) == ("6", "3", "128")
    assert (macros["INPUT_SCALE"], macros["INPUT_MAX"]) == ("12.5", "12")
    assert '#define NET_CLASS_NAMES {"0", "1", "2"}' in header
    assert " * accuracy: 0.5\n" in header
    assert c.node_count(tmp_path / "net.c") == 11


TWO_AT_ONCE = """
#include <stdio.h>
#include <string.h>
#include "net.h"
static net_state one, two, whole;
static uint8_t first[NET_IMAGE_SIZE], second[NET_IMAGE_SIZE];
int main(void)
{
    int k, steps = 0;
    for (k = 0; k < NET_IMAGE_SIZE; ++k) {
        first[k] = net_input[(k * 37) % 256];
        second[k] = net_input[255 - (k * 11) % 256];
    }
    net_reset(&one, first);
    net_reset(&two, second);
    memset(first, 0, sizeof first); /* images are not kept */
    while (net_step(&one) && net_step(&two)) ++steps;
    while (net_step(&two)) return 1;
    net_run(&whole, second);
    if (memcmp(&whole, &two, sizeof whole)) return 2;
    for (k = 0; k < NET_IMAGE_SIZE; ++k) first[k] = net_input[(k * 37) % 256];
    net_run(&whole, first);
    if (memcmp(&whole, &one, sizeof whole)) return 3;
    printf("%d %d %d", steps, (int)(sizeof(net_state)) - NET_STATE_BYTES, net_step(&one));
    return 0;
}
"""


def compiled(folder, main, *sources, flags=STRICT, given=b""):
    (folder / "main.c").write_text(main)
    command = [*c.compiler(), *flags, "main.c", *sources, "-o", "main"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    done = subprocess.run([folder / "main"], input=given, capture_output=True, check=True)
    return done.stdout.decode()


MEMORY = (
    "for the digits' network {:.1f} KiB of flash for tables, besides some KiB of code, and {:.1f} "
    "KiB of RAM"
)
OPERATORS = (
    "the digits' network of four layers has {} and {} operators at T = 20, and {:,} and {:,} at "
    "T = 200."
)
FEW = "A `step` or `stateful` file of this network has {} to {} operators at any T."


@pytest.mark.any_backend
def test_the_sizes_on_the_pages_are_those_of_the_digits_network(tmp_path):
    pytest.importorskip("ai_edge_litert", reason='pip install "keras-proxy-snn[export]"')
    (x_train, _), _ = kps.datasets.load("digits")
    floats = from_model(kps.build("digits", weights="pretrained"))
    integers = quantise(floats, x_train[:500])
    c.write(integers, tmp_path / "net.c")
    memory = c.memory(tmp_path / "net.c")
    page = (ROOT / "docs" / "learn" / "on-a-device.md").read_text()
    line = MEMORY.format(memory.flash / 1024, memory.ram / 1024)
    assert line in " ".join(page.split())

    def operators(program, form, time_steps=20):
        litert.write(program.with_time_steps(time_steps), tmp_path / "net.tflite", form=form)
        return litert.node_count(tmp_path / "net.tflite")

    both = (floats, integers)
    page = " ".join((ROOT / "docs" / "how-to" / "which-file.md").read_text().split())
    assert OPERATORS.format(*(operators(p, "unrolled", t) for t in (20, 200) for p in both)) in page
    few = [operators(p, form, t) for p in both for form in ("step", "stateful") for t in (20, 200)]
    assert FEW.format(min(few), max(few)) in page


@pytest.mark.once
def test_two_images_at_once_step_by_step(tmp_path):
    c.write(small(), tmp_path / "net.c")
    assert compiled(tmp_path, TWO_AT_ONCE, "net.c", flags=SANITIZED) == "6 0 0"


@pytest.mark.once
@pytest.mark.parametrize(("white", "scale"), [(1, 20.0), (255, 0.5), (255, 1.0), (2, 63.5)])
def test_each_byte_becomes_the_networks_input(tmp_path, white, scale):
    program = small(metadata={"input_range": (0.0, float(white))}, input_scale=scale)
    c.write(program, tmp_path / "net.c")
    main = (
        '#include <stdio.h>\n#include "net.h"\n'
        'int main(void) { int k; for (k = 0; k < 256; ++k) printf("%d ", net_input[k]); return 0; }'
    )
    inputs = np.array(compiled(tmp_path, main, "net.c").split(), int)
    pixels = np.arange(256, dtype="float32").reshape(2, 8, 8, 2) / 255 * white
    np.testing.assert_array_equal(inputs, interpreter.prepare_images(program, pixels).ravel())
    assert inputs[-1] == round(white * scale)


@pytest.mark.once
@pytest.mark.parametrize("white", [1, 255])
def test_the_program_on_the_page_prints_the_classes(images, tmp_path, white):
    (main,) = blocks(ROOT / "docs" / "learn" / "on-a-device.md", "c")
    pixels = (255 * images).round().astype("uint8")
    scale = small().input_scale / white
    program = small(metadata={"input_range": (0.0, float(white))}, input_scale=scale)
    c.write(program, tmp_path / "digits_net.c")
    classes = compiled(tmp_path, main, "digits_net.c", flags=SANITIZED, given=pixels.tobytes())
    wanted = scores_of(program, pixels.astype("float32") / 255 * white).argmax(axis=-1)
    assert [int(line) for line in classes.split()] == wanted.tolist()


@pytest.mark.once
def test_the_header_says_what_silence_is(tmp_path):
    for readout, is_told in (("counts", True), ("potential", False)):
        c.write(small(readout=readout), tmp_path / "net.c")
        assert ("there is no answer" in (tmp_path / "net.h").read_text()) == is_told


def test_names_of_files_layers_and_classes_are_safe(images, tmp_path):
    program = small()
    names = ["a */ b", "step", "step_fire", "A_B", 'x"; int y']
    layers = tuple(
        replace(layer, name=name) for layer, name in zip(program.layers, names, strict=True)
    )
    program = replace(program, layers=layers, metadata={"*/ #error": "*/ ??/\n#error", "é": "\\"})
    path = tmp_path / "9 Größe int-v2.c"
    with pytest.raises(ValueError, match=r"begin with a letter.*Received: '9 Größe int-v2'"):
        c.write(program, path)
    path = tmp_path / "Größe int-v2.c"
    class_names = ['"quoted" ??/', "back\\slash\n", "größte %d */"]
    c.write(program, path, class_names=class_names)
    assert (
        c.run(path, program, images, flags=STRICT).tolist() == scores_of(program, images).tolist()
    )
    main = f'#include <stdio.h>\n#include "{path.stem}.h"\n'
    main += "static const char *const names[] = GR_E_INT_V2_CLASS_NAMES;\n"
    main += 'int main(void) { int k; for (k = 0; k < 3; ++k) printf("%s|", names[k]); return 0; }'
    assert compiled(tmp_path, main, path.name) == "".join(f"{name}|" for name in class_names)


def defined(path):
    """Names of functions, macros, types and tables that a file defines, without their prefix."""
    first = r"net_state \*|const net_state|int32_t|pair\) \("
    return re.findall(rf"net_(\w+)(?:\((?:{first})|\[\d+\] = {{|;)", path.read_text())


@pytest.mark.once
def test_a_layer_can_have_the_name_of_any_part_of_the_code(tmp_path):
    program, path = small(readout="potential"), tmp_path / "net.c"
    c.write(program, path)
    names = defined(path)
    assert {"step", "tap", "low", "score", "conv2_in_weights", "readout_fire"} <= set(names)
    for name in names:
        layers = [replace(x, name=name) if isinstance(x, Pool) else x for x in program.layers]
        c.write(replace(program, layers=tuple(layers)), path)
        again = defined(path)
        assert len(set(again)) == len(again) == len(names), name


@pytest.mark.once
@pytest.mark.parametrize("channels", [2, 3])
def test_compilers_that_optimise_see_no_list_read_behind_its_end(channels, tmp_path):
    ones = np.full((3, 3, channels, 6), 30, "int8")
    first = Conv("conv1", ones[:, :, :1, :channels], None, 90, "zero")
    readout = Dense("readout", np.full((96, 4), 20, "int8"), None, 200, "zero")
    layers = (first, Conv("conv2", ones, None, 100, "subtract"), Flatten("flatten"), readout)
    images = np.linspace(0, 1, 32, dtype="float32").reshape(2, 4, 4, 1)
    program = Program(layers, (4, 4, 1), 3, "int8", input_scale=9.0)
    assert_exact(program, images, tmp_path / "net.c", flags=[*STRICT, "-O2"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"number_format": "float32"}, "needs an integer network.* Received: 'float32'"),
        ({"input_scale": 300.0}, "at most 255. Received: 300.0"),
        ({"time_steps": 2**20}, "Sums must fit 32 bits; reduce `input_scale`.*sums"),
    ],
)
def test_what_c_cannot_express_is_refused(change, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        c.write(replace(small(), **change), tmp_path / "net.c")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"kernel": np.zeros((96, 3), "int16")},
            "int8. Received: int16 in layer 'readout'",
        ),
        (
            {"v_threshold": 2.5},
            "Thresholds must be positive integers.*Received: 2.5 and 0.0 in layer 'read",
        ),
        ({"v_threshold": 0}, "positive integers.*Received: 0 "),
        ({"v_0": 300}, "from 0 to below the threshold.*and 300 in layer 'readout'"),
    ],
)
def test_what_layers_c_cannot_express_is_refused(change, message, tmp_path):
    program = small()
    layers = (*program.layers[:-1], replace(program.layers[-1], **change))
    with pytest.raises(ValueError, match=message):
        c.write(replace(program, layers=layers), tmp_path / "net.c")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("net.txt", {}, "must end in '.c'. Received: 'net.txt'"),
        ('n".c', {}, "letters, digits, spaces.*Received: 'n\".c'"),
        ("String.c", {}, "would hide <string.h> of C's library.*Received: 'String.c'"),
        ("net.c", {"form": "loop"}, r"one of \('event_driven',\). Received: 'loop'"),
        ("net.c", {"class_names": ["a", "b"]}, r"3 different texts.*Received: \['a', 'b'\]"),
    ],
)
def test_bad_arguments_are_refused(name, options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        c.write(small(), tmp_path / name, **options)


def test_images_that_are_no_bytes_are_refused(images, tmp_path):
    c.write(small(), tmp_path / "net.c")
    with pytest.raises(ValueError, match=r"in \[0, 1\]. Received: from 0 to 2"):
        c.run(tmp_path / "net.c", small(), np.array(images.round() * 2))


def test_a_machine_without_a_compiler(images, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(FileNotFoundError, match=r"apt-get install gcc.*verify=False.*--no-check"):
        export(small(), tmp_path / "net.c", images=images)
    assert not list(tmp_path.iterdir())
    exported = export(small(), tmp_path / "net.c", verify=False)
    assert exported.check is None
    monkeypatch.setenv("CC", "ccache nice-cc -m32")
    assert c.compiler() == ["ccache", "nice-cc", "-m32"]


def test_a_file_that_differs_is_refused_and_kept_aside(images, tmp_path, monkeypatch):
    write = c.write

    def faulty(program, path, **options):
        first = replace(program.neurons[0], v_threshold=700)
        write(replace(program, layers=(first, *program.layers[1:])), path, **options)

    monkeypatch.setattr(c, "write", faulty)
    with pytest.raises(ExportError, match=r"counts differ, worst difference [1-9].*net.c.failed"):
        export(small(), tmp_path / "net.c", images=images)
    assert {p.name for p in tmp_path.iterdir()} == {"net.c.failed", "net.h.failed"}


def test_a_wrong_class_is_found(images, tmp_path):
    c.write(small(), tmp_path / "net.c")
    text = (tmp_path / "net.c").read_text()
    (tmp_path / "net.c").write_text(text.replace("counts[k] >", "counts[k] <"))
    with pytest.raises(RuntimeError, match="printed a class that does not have the highest score"):
        c.run(tmp_path / "net.c", small(), images)


def test_a_file_that_does_not_compile(images, tmp_path):
    c.write(small(), tmp_path / "net.c")
    (tmp_path / "net.c").write_text("#error gone")
    with pytest.raises(RuntimeError, match=r"net\.c cannot be compiled: .*\n.*gone"):
        c.run(tmp_path / "net.c", small(), images)


def test_a_header_in_the_folder_of_the_process_is_not_taken(tmp_path, monkeypatch):
    """It is that of an older, smaller network of the same name; its state would be too small."""
    readout = Dense("readout", np.int8([[64], [64]]), None, 128, "zero")
    wide = Dense("dense1", np.int8(np.ones((2, 4000))), None, 1, "zero")
    many = Dense("readout", np.int8(np.ones((4000, 1))), None, 128, "zero")
    small = Program((Flatten("flatten"), readout), (1, 2, 1), 4, "int8")
    large = Program((Flatten("flatten"), wide, many), (1, 2, 1), 4, "int8")
    monkeypatch.chdir(tmp_path)
    c.write(small, "net.c")
    (tmp_path / "new").mkdir()
    c.write(large, "new/net.c")
    assert c.run("new/net.c", large, np.ones((1, 1, 2, 1))).tolist() == [[4]]


def test_a_model_is_quantised_with_images(rng, tmp_path):
    model = kps.build("4C3-P2-8F-5F", input_shape=(6, 6, 2), time_steps=5, readout="potential")
    with pytest.raises(ValueError, match=r"files need an integer network.*Received: .*float32"):
        model.export(tmp_path / "net.c")
    images = rng.random((70, 6, 6, 2)).astype("float32")
    labels = rng.integers(0, 5, 70)
    exported = model.export(tmp_path / "net.c", images=images, test=(images, labels))
    assert (exported.check.images, exported.check.differing) == (64, 0)
    assert exported.program.number_format == "int8"
    assert exported.size == sum(p.stat().st_size for p in tmp_path.iterdir())
    header = (tmp_path / "net.h").read_text()
    assert f" * accuracy: {exported.accuracy}\n" in header
    macros = dict(re.findall(r"#define NET_(\w+)_BYTES (\d+)", header))
    memory = exported.memory
    assert (memory.flash, memory.ram) == (int(macros["TABLE"]), int(macros["STATE"]))
    assert 4 * 3 * 3 * 2 + 9 * 4 * 8 + 8 * 5 < memory.flash < exported.size / 3
    flash, ram = memory.flash / 1024, memory.ram / 1024
    line = f"on the device: flash {flash:.1f} KiB of tables besides code, RAM {ram:.1f} KiB"
    assert line in repr(exported)
    assert f"{exported.size:,} bytes of text" in repr(exported)
    program = exported.program
    c.write(program, tmp_path / "net_2.c")
    assert c.memory(tmp_path / "net_2.c") == memory
    for path in tmp_path.glob("net_2.*"):
        path.unlink()
    (tmp_path / "net.c").unlink()
    with pytest.raises(FileExistsError, match=r"net\.h exists already"):
        model.export(tmp_path / "net.c", images=images)
    assert {p.name for p in tmp_path.iterdir()} == {"net.h"}
