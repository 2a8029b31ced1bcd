"""The warning where bfloat16 is emulated."""

import warnings

import keras
import pytest

from keras_proxy_snn import IFDense
from keras_proxy_snn.basics import processor

FLAGS = {"emulated": "fpu avx2 avx512f", "AMX": "fpu avx512f amx_bf16", "AVX-512": "avx512_bf16"}


def warned(tmp_path, monkeypatch, info):
    """What a layer with bfloat16 currents says on the processor that `info` describes."""
    path = tmp_path / "cpuinfo"
    path.write_text(info)
    monkeypatch.setattr(processor, "_INFO", path)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        IFDense(3, current_dtype="bfloat16")
    return [str(warning.message) for warning in caught]


@pytest.mark.parametrize("name", FLAGS)
def test_only_a_processor_that_emulates_bfloat16_warns(tmp_path, monkeypatch, name):
    found = warned(tmp_path, monkeypatch, f"model name\t: Some CPU\nflags\t\t: {FLAGS[name]}\n")
    slow = name == "emulated" and keras.config.backend() != "jax"
    assert [text.partition(",")[0] for text in found] == (
        ["current_dtype='bfloat16' is slow here"] if slow else []
    )


def test_nothing_is_said_where_the_system_does_not_tell(tmp_path, monkeypatch):
    assert warned(tmp_path, monkeypatch, "") == []


def test_the_record_names_the_vector_extensions(tmp_path, monkeypatch):
    path = tmp_path / "cpuinfo"
    path.write_text(f"flags : {FLAGS['AMX']} vmx\nmodel name : Some CPU\nmodel name : Another\n")
    monkeypatch.setattr(processor, "_INFO", path)
    name, cores, extensions = processor.cpu().split(", ")
    assert (name, extensions) == ("Some CPU", "avx512f amx_bf16")
    assert cores.endswith(" cores")
