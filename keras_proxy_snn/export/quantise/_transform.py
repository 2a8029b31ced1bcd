"""From a float program to an integer one."""

from dataclasses import replace

import numpy as np

from ..program import Conv, Dense
from ._saturation import prove
from ._scales import search
from ._simulation import layer_counts

__all__ = ["quantise"]

_BITS = range(2, 9)
# Scales of the pixels to try where they lie on no grid: numbers up to 255, which is a uint8.
_INPUT_SCALES = (255, 127, 63, 31, 15)
_MOST_VALUES = 4096
_ROUNDS = 20


def quantise(
    program,
    calibration,
    *,
    bits=8,
    per_filter=True,
    input_scale=None,
    search_images=128,
    safety_factor=2.0,
    _cand=None,
):
    images = np.asarray(calibration)
    sample = images[np.unique(np.linspace(0, len(images) - 1, search_images).astype(int))]
    wanted = layer_counts(program, sample)
    levels = 2 ** (bits - 1) - 1
    room = {layer.name: np.ones(layer.kernel.shape[-1]) for layer in program.neurons}
    scales = (input_scale,) if input_scale else _input_scales(images)
    for _ in range(_ROUNDS):
        rounded = (
            min(
                (_first(program, sample, wanted, scale, room) for scale in scales),
                key=lambda x: x[1],
            )
            if 0
            else None
        )
        integer = _round(program, sample, wanted, scales, levels, room, per_filter)
        proofs = prove(integer, images, safety_factor)
        if all((p.room >= 1).all() for p in proofs.values()):
            break
        for name, p in proofs.items():
            if (p.room < 1).any():
                room[name] = room[name] * np.where(p.room < 1, 0.9 * p.room, 1)
                print("shrink", name, p.room.min(), p.facts)
                break
    else:
        raise ValueError
    facts = {**program.metadata, "saturation": {n: p.facts for n, p in proofs.items()}}
    return replace(integer, metadata=facts)


def _round(program, sample, wanted, scales, levels, room, per_filter):
    empty = replace(program, layers=(), number_format="int8")
    w = iter(wanted)
    done = None
    import time

    for layer in program.layers:
        t = time.time()
        if not isinstance(layer, Conv | Dense):
            empty = replace(empty, layers=(*empty.layers, layer))
            continue
        target = next(w)
        if done is None:
            res = []
            for s in scales:
                e = replace(empty, input_scale=float(s))
                l, err = search(
                    e,
                    layer,
                    sample,
                    target,
                    levels=levels,
                    gain=s / program.input_scale,
                    room=room[layer.name],
                    per_filter=per_filter,
                )
                res.append((err, -s, replace(e, layers=(*e.layers, l))))
            err, s, empty = min(res, key=lambda r: r[:2])
            print([r[:2] for r in res])
            done = True
        else:
            l, err = search(
                empty,
                layer,
                sample,
                target,
                levels=levels,
                gain=1.0,
                room=room[layer.name],
                per_filter=per_filter,
            )
            empty = replace(empty, layers=(*empty.layers, l))
        print(
            layer.name,
            err / target.size,
            target.mean(),
            "theta",
            empty.layers[-1].v_threshold.min(),
            empty.layers[-1].v_threshold.max(),
            round(time.time() - t, 2),
            flush=True,
        )
    return empty


def _input_scales(images):
    values = np.unique(images)
    if len(values) <= _MOST_VALUES:
        for scale in range(1, 256):
            if np.abs(values * scale - np.rint(values * scale)).max() < 1e-4:
                return tuple(sorted({scale, *[s for s in _INPUT_SCALES if s > 0]}))
    return _INPUT_SCALES
