"""Random damage to bytes."""

import random

# Numbers on which readers stumble, little and big endian.
NUMBERS = [
    value.to_bytes(size, order)
    for size in (1, 2, 4, 8)
    for value in (0, 1, 2 ** (8 * size - 1) - 1, 2 ** (8 * size - 1), 2 ** (8 * size) - 1)
    for order in ("little", "big")
]


def mutated(data: bytes, rng: random.Random, tokens: list[bytes], head: int) -> bytes:
    """Change, remove, repeat or cut some bytes, or put in one of the tokens.

    Nine of ten changes are in the first `head` or the last 300 bytes, where formats keep their
    declarations; the rest is mostly pixels and weights, which can have any value.
    """
    data = bytearray(data)
    for _ in range(rng.randrange(1, 4)):
        if not data:
            break
        at = rng.randrange(len(data))
        if rng.random() < 0.9:
            at = rng.choice([at % head, max(0, len(data) - 1 - at % 300)]) % len(data)
        part = slice(at, at + rng.randrange(1, 9))
        kind = rng.randrange(8)
        if kind < 2:
            data[at] = rng.randrange(256)
        elif kind == 2:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 3:
            del data[part]
        elif kind == 4:
            data[at:at] = data[part]
        elif kind == 5:
            number = rng.choice(NUMBERS)
            data[at : at + len(number)] = number
        elif kind == 6:
            del data[at if rng.random() < 0.2 else len(data) :]
        else:
            data[at:at] = rng.choice(tokens)
    return bytes(data)
