#!/bin/sh
# All benchmarks that a GPU is needed for, one after the other, each into results/.
#
#     sh benchmarks/on_gpu.sh NAME      (NAME ends the files' names, such as H200)
#
# Five minutes on an NVIDIA H200. JAX, PyTorch, SpikingJelly and snnTorch have to be there.
set -eu
name=${1:?the name of the GPU}
cd "$(dirname "$0")/.."
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
# Of the process that lets the others take turns; TensorFlow need not be there.
export KERAS_BACKEND="${KERAS_BACKEND:-jax}"
run() {
    script=$1
    shift
    python3 "benchmarks/$script.py" --threads 8 "$@"
}
run neurons --time-steps 25 --dtype bfloat16 --backends jax torch --label "28x28x128-T25-$name"
run simulate --preset cifar10 --time-steps 60 --batch 100 --repetitions 5 \
    --opponents jax-bf16 torch-bf16 --ceilings torch --ceiling-images 1000 --ceiling-maps 256 \
    --ceiling-size 8192 --label "cifar10-T60-$name"
run train_step --preset fashion_mnist --time-steps 50 --batch 100 --in-a-row 10 \
    --opponents jax jax-bf16 torch torch-bf16 spikingjelly spikingjelly-multi \
    spikingjelly-multi-bf16 spikingjelly-bptt spikingjelly-bptt-bf16 jax-ann torch-ann \
    --label "fashion_mnist-$name"
