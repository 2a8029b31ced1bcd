"""A seal in a file's metadata: a hash of the file, which shows that a tool has changed it.

Quantisers, half-precision converters and optimisers keep the metadata of a file, so its facts would
go on to speak of the checked network. `on_device.py` compares the seal and says so.
"""

import hashlib

__all__ = ["UNSEALED", "sealed"]

_PREFIX, _BLANK = "keras_proxy_snn sha256 ", "0" * 64

#: The fact `seal` of a file that is not sealed yet.
UNSEALED = _PREFIX + _BLANK


def sealed(content: bytes) -> bytes:
    """Put the hash of a file's bytes in place of its fact `UNSEALED`, which must be there once.

    The hash is of the bytes before it is put in, so that a reader must put the blank back.

    Raises:
        ValueError: If the fact is not there once.

    Example:

    >>> from keras_proxy_snn.export.seal import UNSEALED, sealed
    >>> sealed(f"weights {UNSEALED}".encode())[8:40]
    b'keras_proxy_snn sha256 7fa78f3ca'
    """
    blank = UNSEALED.encode()
    if content.count(blank) != 1:
        raise ValueError(
            f"A file to be sealed must hold {UNSEALED!r} once. Received: {content.count(blank)}."
        )
    return content.replace(blank, f"{_PREFIX}{hashlib.sha256(content).hexdigest()}".encode())
