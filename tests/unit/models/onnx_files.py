"""Tiny ONNX files made by hand, so that tests need neither weights nor the onnx package.

A file is a protocol-buffer message; the field numbers are those of the public schema onnx.proto3.
"""

import numpy as np
from numpy.typing import NDArray

_FLOAT = 1


def constant_model(
    output: NDArray[np.float32], input_shape: tuple[int | str, ...] = (1, 3, 64, 64), kind: int = _FLOAT
) -> bytes:
    """Return a model that takes an image of a shape and always answers with `output`."""
    node = _text(1, "answer") + _text(2, "output") + _text(4, "Identity")
    tensor = b"".join(_number(1, n) for n in output.shape) + _number(2, _FLOAT) + _text(8, "answer")
    tensor += _bytes(9, output.astype("<f4").tobytes())
    graph = _bytes(1, node) + _text(2, "g") + _bytes(5, tensor)
    graph += _bytes(11, _value("images", input_shape, kind)) + _bytes(
        12, _value("output", output.shape, _FLOAT)
    )
    return _number(1, 8) + _bytes(7, graph) + _bytes(8, _text(1, "") + _number(2, 13))


def _value(name: str, shape: tuple[int | str, ...], kind: int) -> bytes:
    dims = b"".join(_bytes(1, _number(1, d) if isinstance(d, int) else _text(2, d)) for d in shape)
    return _text(1, name) + _bytes(2, _bytes(1, _number(1, kind) + _bytes(2, dims)))


def _varint(value: int) -> bytes:
    parts = []
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode())
