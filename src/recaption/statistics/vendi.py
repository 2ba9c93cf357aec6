"""The Vendi score (Friedman & Dieng 2023): how many different things there are, counted by how alike they are.

n things that have nothing in common count as n, n equal ones as 1. It is the exponential of the entropy of the
eigenvalues of their similarities over n.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["vendi_of_vectors", "vendi_score"]

Floats = NDArray[np.float64]
Vectors = NDArray[np.floating[Any]]


def vendi_score(kernel: Vectors, order: float = 1.0) -> float:
    """Return the effective number of different things, in [1, n].

    Args:
        kernel: Similarities, shape (n, n), symmetric and positive semidefinite, 1 on the diagonal.
        order: Of the Rényi entropy: 1 is Shannon's; larger ones look at what is common, infinity only at the
            most common; smaller ones at what is rare, 0 counts all that differ.

    Raises:
        ValueError: The kernel is empty, not square or without ones on its diagonal, or the order is negative.
    """
    if kernel.ndim != 2 or kernel.shape[0] != kernel.shape[1] or not len(kernel):
        raise ValueError(f"a kernel is square and not empty, not of shape {kernel.shape}")
    if not np.allclose(np.diagonal(kernel), 1.0, atol=1e-6):
        raise ValueError("a kernel has ones on its diagonal: everything is wholly like itself")
    exact: Floats = kernel.astype(np.float64)
    return _effective_number(np.linalg.eigvalsh(exact / len(exact)), order)


def vendi_of_vectors(vectors: Vectors, order: float = 1.0) -> float:
    """Return the Vendi score of vectors under their cosine similarity, in [1, min(n, d)].

    The d × d matrix of second moments has the same eigenvalues as the n × n one of similarities, so that the cost
    grows with the smaller of the two.

    Args:
        vectors: Shape (n, d); their lengths do not count.

    Raises:
        ValueError: There are none, one is zero or not finite, or the order is negative.
    """
    if vectors.ndim != 2 or not vectors.size:
        raise ValueError(f"vectors have the shape (n, d) and are not empty, not {vectors.shape}")
    exact: Floats = vectors.astype(np.float64)
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    if not (np.isfinite(lengths).all() and (lengths > 0).all()):
        raise ValueError("a vector is zero or not finite: it has no direction")
    units = exact / lengths
    n, d = units.shape
    moments = units.T @ units if n > d else units @ units.T
    return _effective_number(np.linalg.eigvalsh(moments / n), order)


def _effective_number(eigenvalues: Vectors, order: float) -> float:
    if order < 0 or math.isnan(order):
        raise ValueError(f"the order of an entropy is 0 or more, not {order}")
    # What rounding leaves of a zero eigenvalue is no thing of its own.
    some = eigenvalues[eigenvalues > len(eigenvalues) * np.finfo(np.float64).eps]
    shares = some / some.sum()
    if order == 1:
        return float(np.exp(-(shares * np.log(shares)).sum()))
    if math.isinf(order):
        return float(1 / shares.max())
    return float((shares**order).sum() ** (1 / (1 - order)))
