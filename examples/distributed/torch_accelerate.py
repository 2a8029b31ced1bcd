"""Train on a cluster with Hugging Face Accelerate: one script for one GPU, many, or many machines.

    pip install accelerate
    accelerate launch --num_processes 2 --cpu examples/distributed/torch_accelerate.py
    accelerate config    # asks once what machines there are; then: accelerate launch SCRIPT

Accelerate puts model and batches on the devices, cuts every batch into shares, wraps the model in
`DistributedDataParallel` and adds up what the processes found.
"""

import os

os.environ["KERAS_BACKEND"] = "torch"

import task  # before Keras: it keeps back what TensorFlow writes at its start

# isort: split
import keras
import torch
from accelerate import Accelerator
from accelerate.utils import DataLoaderConfiguration
from torch.utils.data import DataLoader, TensorDataset

import keras_proxy_snn as kps


def main():
    own = task.arguments(__doc__).parse_args()
    whole = DataLoaderConfiguration(split_batches=True)  # `--batch-size` is that of all processes
    accelerator = Accelerator(dataloader_config=whole)
    digits = task.Digits(own)
    model, first = task.start(own, digits.steps)
    parallel = accelerator.prepare_model(model)
    for epoch in range(first, own.epochs):
        loader = batches(accelerator, digits.epoch(epoch), own.batch_size)
        logs = train(accelerator, model, parallel, loader)
        if accelerator.is_main_process:
            model.save(own.output)
        task.tell(f"epoch {epoch + 1}", logs, accelerator.process_index)
    (parallel,) = accelerator.free_memory(parallel)  # a wrapper that outlives its group may hang
    test = batches(accelerator, digits.test, own.batch_size)
    logs, scores = evaluate(accelerator, model, test)
    task.tell("test", logs, accelerator.process_index)
    if accelerator.is_main_process:
        task.write_scores(own, scores)
    accelerator.wait_for_everyone()  # who ends alone may wait for the others without end
    accelerator.end_training()


def batches(accelerator, data, batch_size):
    """Whole batches in order, of which each process gets its share."""
    loader = DataLoader(TensorDataset(*map(torch.as_tensor, data)), batch_size)
    return accelerator.prepare_data_loader(loader)


def train(accelerator, model, parallel, loader):
    seen = keras.metrics.Mean("loss"), kps.SpikeAccuracy()
    for x, y in loader:
        model.zero_grad()
        scores = parallel(x, training=True)
        loss = model.compute_loss(x, y, scores)
        accelerator.backward(loss)  # averages the gradients of all processes
        with torch.no_grad():
            weights = model.trainable_weights
            model.optimizer.apply([weight.value.grad for weight in weights], weights)
        seen[0].update_state(accelerator.reduce(loss.detach(), "mean"), sample_weight=len(x))
        seen[1].update_state(*accelerator.gather((y, scores.detach())))
    return {metric.name: metric.result() for metric in seen}


def evaluate(accelerator, model, loader):
    """Logs and scores of all images, in their order."""
    seen, parts = (keras.metrics.Mean("loss"), kps.SpikeAccuracy()), []
    with torch.no_grad():
        for x, y in loader:
            y, scores = accelerator.gather_for_metrics((y, model(x)))
            seen[0].update_state(model.compute_loss(x, y, scores), sample_weight=len(y))
            seen[1].update_state(y, scores)
            parts.append(scores)
    return {metric.name: metric.result() for metric in seen}, torch.cat(parts).cpu().numpy()


if __name__ == "__main__":
    main()
