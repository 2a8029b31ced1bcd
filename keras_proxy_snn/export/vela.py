"""`report`: compile a file with Vela, the compiler for Arm's Ethos-U NPUs.

The report states which operators run on the NPU, and estimates time and memory.
"""

import csv
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from ..basics.checks import check_installed

__all__ = ["VelaReport", "report"]


class VelaReport(NamedTuple):
    """Vela's report on a file.

    Attributes:
        accelerator: The NPU, such as `"ethos-u55-128"`.
        npu_operators: Number of operators that Vela places on the NPU.
        cpu_operators: Number of operators that Vela leaves to the CPU.
        milliseconds: Vela's estimate of the time for one inference.
        sram_kib: SRAM that the network uses, in KiB.
        dram_kib: DRAM that the network uses, in KiB.
        flash_kib: Flash memory that the network uses, in KiB.
    """

    accelerator: str
    npu_operators: int
    cpu_operators: int
    milliseconds: float
    sram_kib: float
    dram_kib: float
    flash_kib: float

    @property
    def npu_share(self) -> float:
        """Share of operators on the NPU, from 0 to 1."""
        return self.npu_operators / (self.npu_operators + self.cpu_operators)


def report(path: str | Path, accelerator: str = "ethos-u55-128") -> VelaReport:
    """Compile a `.tflite` file with Vela and return Vela's report; the compiled file is discarded.

    Time and memory are Vela's estimates for its default system with this accelerator. Real systems
    differ.

    Args:
        path: A `.tflite` file, for example from `keras_proxy_snn.export.litert.write`.
        accelerator: Name of the NPU, as `vela --help` lists them.

    Returns:
        A `VelaReport`.

    Raises:
        FileNotFoundError: If there is no such file.
        RuntimeError: If Vela does not compile the file; the error holds Vela's message.
        ImportError: If Vela is not installed.

    Example:

    >>> import importlib.util
    >>> import tempfile
    >>> import numpy as np
    >>> from keras_proxy_snn.export import Program, litert, vela
    >>> from keras_proxy_snn.export.program import Dense, Flatten
    >>> dense = Dense("readout", np.int8([[3], [2]]), None, 4, "zero")
    >>> program = Program((Flatten("flatten"), dense), (1, 2, 1), 4, "int8", input_scale=8.0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     litert.write(program, f"{folder}/net.tflite")
    ...     if importlib.util.find_spec("ethosu"):
    ...         assert vela.report(f"{folder}/net.tflite").npu_share == 1.0
    """
    check_installed("ethosu", "ethos-u-vela")
    if not Path(path).is_file():
        raise FileNotFoundError(f"No such file: {path}.")
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "ethosu.vela", str(path)]
        command += ["--accelerator-config", accelerator, "--output-dir", folder]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode:
            last = (result.stderr or result.stdout).strip().splitlines()[-1:]
            raise RuntimeError(f"Vela cannot compile {path} for {accelerator}: {' '.join(last)}")
        (summary,) = Path(folder).glob("*_summary_*.csv")
        with summary.open(newline="") as file:
            (row,) = csv.DictReader(file)
    cpu, npu = (
        int(re.findall(rf"^{kind} operators = (\d+)", result.stdout, re.MULTILINE)[-1])
        for kind in ("CPU", "NPU")
    )
    flash = float(row["on_chip_flash_memory_used"]) + float(row["off_chip_flash_memory_used"])
    return VelaReport(
        accelerator=accelerator,
        npu_operators=npu,
        cpu_operators=cpu,
        milliseconds=float(row["inference_time"]) * 1e3,
        sram_kib=float(row["sram_memory_used"]),
        dram_kib=float(row["dram_memory_used"]),
        flash_kib=flash,
    )
