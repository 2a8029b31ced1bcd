"""The examples for microcontrollers: TFLite Micro from Python, and the model as C."""

import importlib
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from keras_proxy_snn.export import interpreter, litert
from keras_proxy_snn.export.program import Conv, Dense, Flatten, Pool, Program

from .scripts import run_script

pytestmark = pytest.mark.once

pytest.importorskip("ai_edge_litert", reason='pip install "keras-proxy-snn[export]"')
pytest.importorskip("tflite_micro", reason="pip install tflite-micro")

FOLDER = Path(__file__).parents[1] / "examples" / "microcontroller"


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """An integer program, images as a camera gives them, and a folder with both as files."""
    rng = np.random.default_rng(0)

    def whole(*shape):
        return rng.integers(-60, 80, shape).astype("int8")

    layers = (
        Conv("conv1", whole(3, 3, 2, 4), rng.integers(-50, 50, 4, "int32"), 900, "zero"),
        Pool("pool1", (2, 2), (2, 2)),
        Conv("conv2", whole(3, 3, 4, 5), None, 400, "zero"),
        Pool("pool2", (2, 2), (2, 2)),
        Flatten("flatten"),
        Dense("dense1", whole(20, 6), None, 90, "zero"),
        Dense("readout", whole(6, 3), None, 100, "zero"),
    )
    program = Program(layers, (8, 8, 2), 6, "int8", input_scale=12.5)
    images = rng.integers(0, 256, (4, 8, 8, 2)).astype("uint8")
    folder = tmp_path_factory.mktemp("microcontroller")
    litert.write(program, folder / "net.tflite", form="unrolled")
    litert.write(program, folder / "step.tflite", form="step")
    litert.write(program, folder / "stateful.tflite", form="stateful")
    floats = replace(program, number_format="float32")
    litert.write(floats, folder / "float.tflite", form="step")
    bytes_ = replace(program, input_scale=12.5 / 255, metadata={"input_range": [0, 255]})
    for form in ("unrolled", "step"):
        litert.write(bytes_, folder / f"bytes_{form}.tflite", form=form)
    potential = replace(program, readout="potential")
    litert.write(potential, folder / "potential.tflite", form="unrolled")
    np.save(folder / "images.npy", images)
    np.save(folder / "image.npy", images[0])
    np.save(folder / "floats.npy", images[:1] / np.float32(255))
    np.save(folder / "outside.npy", images[0] / 100)
    np.save(folder / "own.npy", images.astype("float32"))
    np.save(folder / "own_image.npy", images[0].astype("int64"))
    np.save(folder / "beyond.npy", images[0] * 2.0)
    np.save(folder / "deep.npy", images.astype("uint16") * 257)
    np.save(folder / "unit.npy", images / np.float32(255))
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    np.save(folder / "wrong.npy", images[:, :7])
    expected = interpreter.run(program, images.astype("float32") / 255).spike_counts
    assert len(np.unique(expected)) > 2
    return folder, program, expected


def script(name, *arguments):
    return subprocess.run(
        [sys.executable, FOLDER / name, *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("model", "images"),
    [
        *((f"{form}.tflite", "images.npy") for form in ("net", "step", "stateful")),
        *(("bytes_step.tflite", f"{name}.npy") for name in ("images", "own", "unit", "deep")),
        ("net.tflite", "deep.npy"),
    ],
)
def test_tflite_micro_gives_the_counts(network, model, images):
    folder, program, expected = network
    done = script("run_tflm.py", folder / model, folder / images, "--allocations")
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith("class")]
    np.testing.assert_array_equal([[int(n) for n in row[3:]] for row in rows], expected)
    assert [int(row[1]) for row in rows] == expected.argmax(axis=1).tolist()
    assert f"T = {program.time_steps}, " in done.stdout
    assert " ms per image on this machine" in done.stdout
    assert "Arena allocation total" in done.stderr


def test_it_needs_numpy_and_tflite_micro_alone(network):
    code = "import sys, run_tflm, to_c_array; run_tflm.Network(sys.argv[1]); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code, network[0] / "net.tflite"],
        capture_output=True,
        text=True,
        check=True,
        cwd=FOLDER,
    )
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert {"numpy", "tflite_micro"} <= loaded
    assert not loaded & {"keras", "keras_proxy_snn", "tensorflow", "jax", "torch", "ai_edge_litert"}


@pytest.mark.parametrize("name", ["run_tflm", "to_c_array"])
def test_without_tflite_micro_there_is_help_and_a_clear_line(network, monkeypatch, capsys, name):
    monkeypatch.syspath_prepend(FOLDER)
    module = importlib.import_module(name)
    monkeypatch.setitem(sys.modules, "tflite_micro", None)
    for package in [found for found in sys.modules if found.startswith("tflite_micro.")]:
        monkeypatch.delitem(sys.modules, package)
    for arguments, status in (["--help"], 0), ([f"{network[0]}/net.tflite", "x.npy"], 2):
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        with pytest.raises(SystemExit) as stopped:
            module.main()
        assert stopped.value.code == status
    printed = capsys.readouterr()
    assert "bytes, or numbers from 0 to 1" in printed.out
    assert "tflite-micro is needed: pip install numpy tflite-micro" in printed.err


@pytest.mark.parametrize(
    ("name", "model", "images", "message"),
    [
        ("run_tflm.py", "none.tflite", "images.npy", "No such file"),
        ("run_tflm.py", "images.npy", "images.npy", "not a .tflite file"),
        ("run_tflm.py", "float.tflite", "images.npy", "not an integer network: export it with"),
        ("run_tflm.py", "step.tflite", "picture.png", "images must be a .npy file"),
        ("run_tflm.py", "bytes_step.tflite", "beyond.npy", "or from 0 to 255. Received: float64"),
        ("to_c_array.py", "net.tflite", "picture.png", "images must be a .npy file"),
        ("run_tflm.py", "potential.tflite", "images.npy", "its readout is by potential"),
        ("run_tflm.py", "net.tflite", "wrong.npy", "images must be (8, 8, 2)"),
        (
            "run_tflm.py",
            "net.tflite",
            "outside.npy",
            "pixels must be bytes, or numbers from 0 to 1",
        ),
        ("to_c_array.py", "net.tflite", "images.npy", "one image (8, 8, 2) is needed"),
        ("to_c_array.py", "net.tflite", "outside.npy", "numbers from 0 to 1. Received: float64"),
        ("to_c_array.py", "stateful.tflite", "image.npy", "not 'stateful'"),
    ],
)
def test_bad_input_is_one_clear_line(network, name, model, images, message):
    done = script(name, network[0] / model, network[0] / images)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


CHECK = """
#include <stdio.h>
#include "model_data.h"
int main(void) {
  fwrite(model_data, 1, sizeof model_data, stdout);
  for (int i = 0; i < IMAGE_SIZE; ++i) fprintf(stderr, "%d ", pixel_to_input[sample_image[i]]);
  for (int i = 0; i < CLASSES; ++i) fprintf(stderr, "%d ", sample_counts[i]);
  return (unsigned long)model_data % 16;
}
"""


@pytest.mark.parametrize(
    ("model", "image"),
    [
        ("net.tflite", "image.npy"),
        ("net.tflite", "floats.npy"),
        ("step.tflite", "image.npy"),
        ("bytes_unrolled.tflite", "own_image.npy"),
    ],
)
def test_the_c_array_compiles_and_is_the_file(network, tmp_path, model, image):
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("a C compiler (apt-get install gcc) compiles the array")
    folder, program, expected = network
    done = script("to_c_array.py", folder / model, folder / image, "--output", tmp_path)
    assert done.returncode == 0, done.stderr
    (tmp_path / "check.c").write_text(CHECK)
    flags = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-o", "check"]
    subprocess.run([compiler, *flags, "check.c", "model_data.c"], check=True, cwd=tmp_path)
    ran = subprocess.run([tmp_path / "check"], capture_output=True, check=True)
    assert ran.stdout == (folder / model).read_bytes()
    numbers = np.array(ran.stderr.split(), int)
    pixels = np.load(folder / "image.npy").astype("float32")[None] / 255
    np.testing.assert_array_equal(numbers[:-3], interpreter.prepare_images(program, pixels).ravel())
    np.testing.assert_array_equal(numbers[-3:], expected[0])


STAND_IN = """
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>
#include "model_data.h"
enum { kTfLiteOk };
namespace tflite {
inline void InitializeTarget() {}
inline const void* GetModel(const void* data) { return data; }
template <int n> struct MicroMutableOpResolver {
  int left = n;
  int Add(const char* name) { std::printf("%s ", name); return --left < 0; }
  METHODS
};
}
struct Data { int16_t* i16; };
struct TfLiteTensor { Data data; size_t bytes; };
namespace tflite {
// Potentials of this network are the number of their step. Output k lies over input k + 1, and
// the image is gone after a step.
struct MicroInterpreter {
  std::vector<size_t> sizes{IMAGE_SIZE, STATES};
  std::vector<std::vector<int16_t>> memory;
  std::vector<TfLiteTensor> in, out;
  int steps = 0;
  template <int n>
  MicroInterpreter(const void*, MicroMutableOpResolver<n>& r, uint8_t*, int arena) {
    std::printf("left %d arena %d\\n", r.left, arena);
    for (int k = 0; k <= (int)sizes.size(); ++k) memory.emplace_back(1000, -1);
    for (int k = 0; k < (int)sizes.size(); ++k) {
      in.push_back({{memory[k].data()}, 2 * sizes[k]});
      out.push_back({{memory[k + 1].data()}, 2 * (k ? sizes[k] : CLASSES)});
    }
  }
  int AllocateTensors() { return MEMORY; }
  int Invoke() {
    for (int i = 0; i < IMAGE_SIZE; ++i)
      if (memory[0][i] != pixel_to_input[sample_image[i]]) std::exit(8);
    for (size_t k = 1; k < sizes.size(); ++k)
      for (size_t i = 0; i < sizes[k]; ++i)
        if (memory[k][i] != (steps ? 100 * steps + (int)k : 0)) std::exit(9);
    ++steps;
    std::memset(memory[0].data(), 1, 2 * IMAGE_SIZE);
    for (size_t k = 1; k < sizes.size(); ++k)
      for (size_t i = 0; i < sizes[k]; ++i) memory[k + 1][i] = 100 * steps + (int)k;
    for (int i = 0; i < CLASSES; ++i)
      memory[1][i] = MODEL_RUNS == 1 ? sample_counts[i] : steps <= sample_counts[i];
    return kTfLiteOk;
  }
  size_t inputs_size() const { return sizes.size(); }
  TfLiteTensor* input(size_t k) { return &in[k]; }
  TfLiteTensor* output(size_t k) { return &out[k]; }
};
}
inline void (*callback)(const char*) = nullptr;
inline void RegisterDebugLogCallback(void (*print)(const char*)) { callback = print; }
template <class... T> void MicroPrintf(const char* format, T... values) {
  char text[100];
  std::snprintf(text, sizeof text, format, values...);
  if (callback) callback(text);
}
"""
HEADERS = (
    "micro/micro_interpreter.h",
    "micro/micro_log.h",
    "micro/micro_mutable_op_resolver.h",
    "micro/system_setup.h",
    "micro/cortex_m_generic/debug_log_callback.h",
    "schema/schema_generated.h",
)
METHODS = {
    "ADD": "AddAdd",
    "CONV_2D": "AddConv2D",
    "DEPTHWISE_CONV_2D": "AddDepthwiseConv2D",
    "FULLY_CONNECTED": "AddFullyConnected",
    "MAX_POOL_2D": "AddMaxPool2D",
    "MUL": "AddMul",
    "RELU": "AddRelu",
    "SUB": "AddSub",
}


def compiled_main(folder, *definitions):
    """`main.cc` and `model_data.c` of a folder as a program, against stand-ins for TFLM."""
    for name in HEADERS:
        header = folder / "tensorflow" / "lite" / name
        header.parent.mkdir(parents=True, exist_ok=True)
        header.write_text('#pragma once\n#include "stand_in.h"\n')
    methods = [f'int {m}() {{ return Add("{name}"); }}' for name, m in METHODS.items()]
    (folder / "stand_in.h").write_text(STAND_IN.replace("METHODS", "\n".join(methods)))
    shutil.copy(FOLDER / "main.cc", folder)
    subprocess.run([shutil.which("gcc") or "cc", "-c", "model_data.c"], check=True, cwd=folder)
    flags = ["-std=c++17", "-Wall", "-Werror", "-I.", *definitions, "-o", "main"]
    compiler = shutil.which("g++") or shutil.which("c++")
    subprocess.run([compiler, *flags, "main.cc", "model_data.o"], check=True, cwd=folder)
    return subprocess.run([folder / "main"], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("model", "sizes"), [("net.tflite", ""), ("step.tflite", "256, 80, 6, 3")])
def test_main_runs_all_steps_and_keeps_the_potentials(network, tmp_path, model, sizes):
    if not (shutil.which("g++") or shutil.which("c++")):
        pytest.skip("a C++ compiler (apt-get install g++) compiles the program")
    folder, program, expected = network
    done = script("to_c_array.py", folder / model, folder / "image.npy", "--output", tmp_path)
    assert done.returncode == 0, done.stderr
    header = (tmp_path / "model_data.h").read_text()
    assert f"#define MODEL_STATE_SIZE {345 if sizes else 0} " in header
    assert f"#define MODEL_RUNS {program.time_steps if sizes else 1} " in header
    ran = compiled_main(tmp_path, f"-DSTATES={sizes}", "-DMEMORY=0")
    assert ran.returncode == 0, ran.stdout
    assert f"class {expected[0].argmax()}; every count is as on the desktop" in ran.stdout


@pytest.mark.parametrize("kind", ["or", "sum"])
def test_main_registers_the_operators_of_the_file_and_prints_what_fails(network, tmp_path, kind):
    if not (shutil.which("g++") or shutil.which("c++")):
        pytest.skip("a C++ compiler (apt-get install g++) compiles the program")
    folder, program, _ = network
    layers = [replace(x, kind=kind) if isinstance(x, Pool) else x for x in program.layers]
    file = tmp_path / "net.tflite"
    litert.write(replace(program, layers=tuple(layers)), file, form="unrolled")
    done = script("to_c_array.py", file, folder / "image.npy", "--output", tmp_path)
    assert done.returncode == 0, done.stderr
    ran = compiled_main(tmp_path, "-DSTATES=", "-DMEMORY=1")
    *registered, _, left, _, arena = ran.stdout.splitlines()[0].split()
    average = {"DEPTHWISE_CONV_2D"} if kind == "sum" else {"MAX_POOL_2D"}
    assert set(registered) == {*METHODS} - {"DEPTHWISE_CONV_2D", "MAX_POOL_2D"} | average
    assert left == "0"
    used = litert.arena_bytes(file)
    assert used * 9 / 8 <= int(arena) < used * 9 / 8 + 1025
    assert ran.returncode == 1
    assert ran.stdout.splitlines()[1] == "failed: memory"


def test_an_operator_that_main_lacks_is_refused(monkeypatch, network):
    monkeypatch.syspath_prepend(FOLDER)
    import to_c_array

    monkeypatch.setattr(to_c_array, "OPERATORS", ("ADD", "MUL", "RELU", "SUB"))
    folder, *_ = network
    with pytest.raises(ValueError, match=r"main\.cc registers no CONV_2D, FULLY_CONNECTED, MAX_P"):
        to_c_array.c_files(folder / "net.tflite", folder / "image.npy")


def test_images_of_a_data_set_are_in_the_range_of_the_network(tmp_path):
    kernel = np.random.default_rng(0).integers(-60, 80, (64, 10)).astype("int8")
    layers = (Flatten("flatten"), Dense("readout", kernel, None, 150, "zero"))
    written = []
    for scale, white in ((255.0, 1), (1.0, 255)):
        program = Program(layers, (8, 8, 1), 6, "int8", scale, {"input_range": [0, white]})
        program.save(tmp_path / "net.kps", overwrite=True)
        done = run_script(
            "examples/microcontroller/bare_metal/prepare.py",
            *(tmp_path / "net.kps", "--images", 3, "--output", tmp_path),
        )
        assert done.returncode == 0, done.stderr
        written.append((tmp_path / "images.h").read_text())
    assert written[0] == written[1]
    few = (layers[0], Dense("readout", kernel[:, :3].copy(), None, 150, "zero"))
    Program(few, (8, 8, 1), 6, "int8", 255.0, {}).save(tmp_path / "net.kps", overwrite=True)
    done = run_script("examples/microcontroller/bare_metal/prepare.py", tmp_path / "net.kps")
    assert "no data set has images (8, 8, 1) of 3 classes" in done.stderr
