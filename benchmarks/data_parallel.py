"""A training step on 1, 2 and 4 workers of one machine, with PyTorch's DistributedDataParallel.

    python benchmarks/data_parallel.py

The whole batch is the same, so each worker has less of it to do. Workers have one thread each. Time
by the clock shrinks only as far as there are idle cores; processor time per worker shows what each
does. The benchmark trains with the loop of `examples/distributed/torch_ddp.py`.
Writes `benchmarks/results/data_parallel/<label>.json`.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from _report import add_output, caption, circumstances, finish, markdown, parser, spread

TASK = "data_parallel"
EXAMPLES = Path(__file__).resolve().parents[1] / "examples" / "distributed"


def main(argv=None):
    if "LOCAL_RANK" in os.environ:
        return work(json.loads(os.environ["BENCHMARK"]))
    options = parser(__doc__)
    options.add_argument("--preset", default="fashion_mnist_compact")
    options.add_argument("--time-steps", type=int, default=8)
    options.add_argument("--batch", type=int, default=64, help="of all workers together")
    options.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    add_output(options, repetitions=10)
    arguments = options.parse_args(argv)
    document = {**circumstances(TASK, argv), "label": "cpu", "cells": []}
    document |= {name: getattr(arguments, name) for name in ("preset", "time_steps", "batch")}
    for workers in arguments.workers:
        document["cells"].append(measure(workers, arguments))
    finish(document, table, arguments, TASK)
    return None


def measure(workers, arguments):
    """Seconds of each step, by the clock and of each worker's processor time."""
    with tempfile.TemporaryDirectory() as folder:
        task = {**vars(arguments), "results": str(folder)}
        launch = ["-m", "torch.distributed.run", "--nproc-per-node", str(workers)]
        port = ["--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0"]
        environment = {**os.environ, "KERAS_BACKEND": "torch", "OMP_NUM_THREADS": "1"}
        environment["BENCHMARK"] = json.dumps(task)
        command = [sys.executable, *launch, *port, __file__]
        subprocess.run(command, env=environment, check=True, timeout=600)
        found = [json.loads(path.read_text()) for path in sorted(Path(folder).glob("*.json"))]
    seconds = [max(step) for step in zip(*(one["seconds"] for one in found), strict=True)]
    return {"workers": workers, "seconds": seconds, "processor": [one["cpu"] for one in found]}


def work(task):
    """What one worker does: some steps on its share of a batch."""
    sys.path.insert(0, str(EXAMPLES))
    import torch_ddp
    from torch import distributed
    from torch.nn.parallel import DistributedDataParallel

    import keras_proxy_snn as kps

    distributed.init_process_group("gloo")
    worker, workers = distributed.get_rank(), distributed.get_world_size()
    model = kps.build(task["preset"], time_steps=task["time_steps"])
    parallel, share = DistributedDataParallel(model), task["batch"] // workers
    rng = np.random.default_rng(worker)
    x = rng.integers(0, 257, (share, *model.image_shape)).astype("float32") / 256
    data = x, rng.integers(0, model.classes, share)
    found = {"seconds": [], "cpu": []}
    for step in range(2 + task["repetitions"]):
        distributed.barrier()
        wall, cpu = time.perf_counter(), time.process_time()
        torch_ddp.train(model, parallel, data, share)
        if step > 1:
            found["seconds"].append(time.perf_counter() - wall)
            found["cpu"].append(time.process_time() - cpu)
    Path(task["results"], f"{worker}.json").write_text(json.dumps(found))
    del parallel  # before the process group, see torch_ddp.py
    distributed.barrier()  # who ends alone may wait for the others without end
    distributed.destroy_process_group()


def table(document):
    head = ["workers", "a step by the clock, ms", "processor time per worker and step, ms"]
    head += ["of all workers together, ms"]
    rows = []
    for cell in document["cells"]:
        own = np.array(cell["processor"])
        row = [cell["workers"], spread(cell["seconds"], ".0f", 1000)]
        rows.append([*row, spread(own.ravel(), ".0f", 1000), spread(own.sum(axis=0), ".0f", 1000)])
    what = "`{preset}`, T={time_steps}, batch {batch} over all workers".format_map(document)
    return f"{caption(document)}\n\n**{what}**\n\n{markdown(head, rows)}"


if __name__ == "__main__":
    main()
