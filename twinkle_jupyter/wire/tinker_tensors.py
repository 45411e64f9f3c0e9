"""Tensors of the Tinker protocol as arrays: bytes or numbers, dense or in compressed rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from google.protobuf.message import Message
from numpy.typing import NDArray

from twinkle_jupyter.errors import InvalidDataError
from twinkle_jupyter.wire.tinker_bodies import TensorBody

#: Numbers of whichever type; annotated as the one that stands for all of them.
Array: TypeAlias = NDArray[np.float64]

FLOAT32 = 1
INT64 = 2
_BFLOAT16 = 4
_DTYPES: Mapping[int, str] = {FLOAT32: "<f4", INT64: "<i8", 3: "<i4"}
_JSON_DTYPES: Mapping[str, str] = {"float32": "<f4", "int64": "<i8"}
#: Whole numbers that a JSON number holds exactly.
_EXACT = 2**53
_LARGEST = float(np.finfo(np.float32).max)
#: Columns of a tensor at most: targets of one position.
MAX_TARGETS = 64


def read_tensor(tensor: Message, name: str) -> Array:
    """Read a `Tensor` of one or two dimensions.

    Raises:
        InvalidDataError: It is of another kind, or not as large as it says; begins with `name`.
    """
    if tensor.dtype == _BFLOAT16:
        raise InvalidDataError(f"{name} is bfloat16; send float32.")
    if tensor.dtype not in _DTYPES:
        raise InvalidDataError(f"{name} has dtype {tensor.dtype}, which is not known.")
    dtype, shape = _DTYPES[tensor.dtype], list(tensor.shape)
    if tensor.WhichOneof("encoding") != "sparse_csr":
        return _shaped(from_bytes(tensor.dense, dtype, name), shape, name)
    sparse = tensor.sparse_csr
    return _dense(
        from_bytes(sparse.values, dtype, name),
        from_bytes(sparse.crow_indices, "<i8", name),
        from_bytes(sparse.col_indices, "<i8", name),
        shape,
        name,
    )


def read_json_tensor(tensor: TensorBody, name: str, fill: int = 0) -> Array:
    """As `read_tensor`, from JSON; `fill` is what a sparse matrix does not have."""
    places = (tensor.shape, tensor.sparse_crow_indices, tensor.sparse_col_indices)
    whole = [*(number for part in places for number in part or ())]
    if tensor.dtype == "int64":
        whole += [int(number) for number in tensor.data]
    if any(abs(number) > _EXACT for number in whole):
        raise InvalidDataError(f"{name} has a whole number beyond 2**53.")
    if any(abs(number) > _LARGEST for number in tensor.data):
        raise InvalidDataError(f"{name} has a number that float32 does not hold.")
    flat = np.asarray(tensor.data, _JSON_DTYPES[tensor.dtype])
    shape = tensor.shape if tensor.shape is not None else [len(flat)]
    if tensor.sparse_crow_indices is None:
        return _shaped(flat, shape, name)
    rows = np.asarray(tensor.sparse_crow_indices, "<i8")
    columns = np.asarray(tensor.sparse_col_indices or [], "<i8")
    dense = _dense(flat, rows, columns, shape, name)
    if fill:
        is_there = _dense(np.ones_like(flat), rows, columns, shape, name)
        dense[is_there == 0] = fill
    return dense


def from_bytes(raw: bytes, dtype: str, name: str) -> Array:
    """Read (N,) numbers, or raise InvalidDataError."""
    try:
        return np.frombuffer(raw, dtype)
    except ValueError as error:
        raise InvalidDataError(f"{name} has {len(raw)} bytes, which is no whole number.") from error


def _shaped(flat: Array, shape: Sequence[int], name: str) -> Array:
    sizes = list(shape) or [len(flat)]
    if len(sizes) > 2 or min(sizes) < 0 or math.prod(sizes) != len(flat):
        raise InvalidDataError(f"{name} has {len(flat)} numbers for shape {list(shape)}.")
    return flat.reshape(sizes)


def _dense(
    values: Array, row_starts: Array, columns: Array, shape: Sequence[int], name: str
) -> Array:
    """Write out a matrix in compressed rows; what is not in it is 0."""
    is_right = (
        len(shape) == 2
        and shape[0] >= 0
        and 0 < shape[1] <= MAX_TARGETS
        and len(row_starts) == shape[0] + 1
        and len(values) == len(columns)
        and row_starts[0] == 0
        and row_starts[-1] == len(values)
        and bool((np.diff(row_starts) >= 0).all())
        and (not len(columns) or (columns.min() >= 0 and columns.max() < shape[1]))
    )
    if not is_right:
        raise InvalidDataError(f"{name} is not a sparse matrix of shape {list(shape)}.")
    dense = np.zeros(shape, values.dtype)
    dense[np.repeat(np.arange(shape[0]), np.diff(row_starts).astype(np.int64)), columns] = values
    return dense
