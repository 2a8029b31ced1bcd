"""Train on several machines with TensorFlow's `MultiWorkerMirroredStrategy` and a loop.

Keras 3's `fit` fails under this strategy, also with models of Keras's own. The loop calls the same
steps. Start the command once for each worker; TF_CONFIG says who they are, here two of one machine:

    export TF_CONFIG='{"cluster": {"worker": ["127.0.0.1:9876", "127.0.0.1:9877"]},
                       "task": {"type": "worker", "index": 0}}'   # 1 for the second
    python examples/distributed/tensorflow_workers.py

If a worker dies, end the others and start all again with `--resume`.
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

import task
import tensorflow as tf


def main():
    own = task.arguments(__doc__).parse_args()
    strategy = tf.distribute.MultiWorkerMirroredStrategy()  # before anything else of TensorFlow
    worker = strategy.cluster_resolver.task_id or 0
    me = worker, strategy.num_replicas_in_sync
    digits, share = task.Digits(own), own.batch_size // strategy.num_replicas_in_sync
    with strategy.scope():
        model, first = task.start(own, digits.steps)
        model.optimizer.build(model.trainable_variables)

    @tf.function
    def train(batch):
        strategy.run(model.train_step, (batch,))

    @tf.function
    def test(batch):
        strategy.run(model.test_step, (batch,))

    @tf.function
    def predict(images):
        scores = strategy.run(model, (images,))
        return strategy.gather(scores, axis=0)  # of all workers, in their order

    for epoch in range(first, own.epochs):
        logs = run(train, model, digits.epoch(epoch, *me), share)
        if worker == 0:
            model.save(own.output)
        task.tell(f"epoch {epoch + 1}", logs, worker)
    task.tell("test", run(test, model, digits.test_share(*me), share), worker)
    images, _ = digits.test_share(*me)
    scores = [predict(batch) for batch in tf.data.Dataset.from_tensor_slices(images).batch(share)]
    if worker == 0:
        task.write_scores(own, tf.concat(scores, axis=0).numpy())


def run(step, model, data, share):
    """One pass over the share of a worker; the logs are those of all workers."""
    model.reset_metrics()
    for batch in tf.data.Dataset.from_tensor_slices(tuple(data)).batch(share):
        step(batch)
    return model.get_metrics_result()


if __name__ == "__main__":
    main()
