"""Train in several processes with PyTorch's `DistributedDataParallel`.

    torchrun --nproc-per-node 2 examples/distributed/torch_ddp.py
    torchrun --nproc-per-node 2 --max-restarts 3 examples/distributed/torch_ddp.py --resume

Each process takes its share of every batch; `torchrun` starts them, on several machines too. In the
second line it starts all again if one dies, and the training goes on after the last whole epoch.
"""

import os

os.environ["KERAS_BACKEND"] = "torch"

import task  # before Keras: it keeps back what TensorFlow writes at its start

# isort: split
import keras
import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

import keras_proxy_snn as kps


def main():
    own = task.arguments(__doc__).parse_args()
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    me = worker, workers = join("nccl" if on_gpu else "gloo")
    digits, share = task.Digits(own), own.batch_size // workers
    model, first = task.start(own, digits.steps)
    parallel = DistributedDataParallel(model)
    for epoch in range(first, own.epochs):
        logs = train(model, parallel, digits.epoch(epoch, *me), share)
        if worker == 0:
            model.save(own.output)
        task.tell(f"epoch {epoch + 1}", logs, worker)
    # Whoever drops the process group last waits for its thread. The wrapper would wait with
    # Python's lock, and the thread may need this lock: both would wait without end.
    del parallel
    x, y = digits.test_share(*me)
    model.evaluate(x, y, share, verbose=0)
    add_up(model.metrics_variables)
    task.tell("test", model.get_metrics_result(), worker)
    shares = [None] * workers
    distributed.all_gather_object(shares, model.predict(x, share, verbose=0))
    if worker == 0:
        task.write_scores(own, digits.together(shares))
    distributed.barrier()  # who ends alone may wait for the others without end
    distributed.destroy_process_group()


def join(engine):
    """Meet the other processes; the number of this one, and how many there are."""
    store, worker, workers = next(distributed.rendezvous("env://"))
    # The addresses of processes that died stay in the store, so each start has its own part of it.
    store = distributed.PrefixStore(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"), store)
    distributed.init_process_group(engine, store=store, rank=worker, world_size=workers)
    return worker, workers


def train(model, parallel, data, share):
    """One epoch on the share of this process; the logs are those of all processes."""
    seen = keras.metrics.Mean("loss"), kps.SpikeAccuracy()
    tensors = [keras.ops.convert_to_tensor(part) for part in data]
    for x, y in zip(*(tensor.split(share) for tensor in tensors), strict=True):
        model.zero_grad()
        scores = parallel(x, training=True)
        loss = model.compute_loss(x, y, scores)
        loss.backward()  # averages the gradients of all processes
        with torch.no_grad():
            weights = model.trainable_weights
            model.optimizer.apply([weight.value.grad for weight in weights], weights)
        seen[0].update_state(loss.detach(), sample_weight=len(x))
        seen[1].update_state(y, scores.detach())
    add_up([variable for metric in seen for variable in metric.variables])
    return {metric.name: metric.result() for metric in seen}


def add_up(variables):
    """Replace each variable by its sum over processes: metrics are sums."""
    for variable in variables:
        distributed.all_reduce(variable.value)


if __name__ == "__main__":
    main()
