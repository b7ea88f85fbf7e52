"""Claims about vectors: X as a matrix, and arithmetic on all examples at once (statement 1)."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
from threadpoolctl import threadpool_limits

from kerasbatch.claims.claim import Claim, Study
from kerasbatch.claims.claim_runner import ClaimRunner
from kerasbatch.claims.verdict import above, within
from kerasbatch.types import Array

CLEAR = 2.0
"""The ratio of speeds from which on one product of matrices is faster."""
UNITS, LOOPED = 10, 1000
SAME = 1e-4
"""The largest difference of products in float32, relative to the largest output."""


@dataclass(frozen=True)
class Arithmetic:
    """One layer over many examples, at once and one by one.

    Args:
        data: the name of the data.
        inputs: N_x, the inputs of an example.
        m: the number of examples.
        shape: the shape of X as in the notes.
        error: the largest difference between W X + b, transposed, and Keras' output, by the
            largest output.
        loop_error: the same between the product at once and one by one, in NumPy.
        gains: in every round, the seconds one by one over the seconds at once.
    """

    data: str
    inputs: int
    m: int
    shape: tuple[int, int]
    error: float
    loop_error: float
    gains: Sequence[float]


def measure_arithmetic(runner: ClaimRunner) -> Arithmetic:
    """Compute a dense layer by Keras, by one product of matrices and by a loop."""
    _, data = runner.arrays(runner.classifier())
    rows = np.asarray(data.x_train)[:LOOPED].reshape(min(LOOPED, len(data.x_train)), -1)
    x = np.ascontiguousarray(rows.T.astype(np.float32) * (data.scale or 1.0))  # (N_x, m)
    layer = keras.layers.Dense(UNITS, kernel_initializer=keras.initializers.GlorotUniform(seed=0))
    output = np.asarray(layer(np.ascontiguousarray(x.T)))
    kernel, bias = (np.asarray(weight) for weight in layer.weights)
    weights, bias = np.ascontiguousarray(kernel.T), bias[:, None]

    def at_once() -> Array:
        product: Array = weights @ x + bias
        return product

    def one_by_one() -> Array:
        columns = [weights @ x[:, i : i + 1] + bias for i in range(x.shape[1])]
        return np.concatenate(columns, axis=1)

    largest = float(np.abs(output).max())
    return Arithmetic(
        data=runner.data,
        inputs=x.shape[0],
        m=x.shape[1],
        shape=x.shape,
        error=float(np.abs(at_once().T - output).max()) / largest,
        loop_error=float(np.abs(at_once() - one_by_one()).max()) / largest,
        gains=[_seconds(one_by_one) / _seconds(at_once) for _ in range(5)],
    )


def _seconds(compute: Callable[[], object]) -> float:
    """Return the least seconds of ten calls, in one thread."""
    seconds = []
    # More threads than free cores wait for each other, which would be a property of the load.
    with threadpool_limits(1):
        for _ in range(10):
            begin = time.perf_counter()
            compute()
            seconds.append(time.perf_counter() - begin)
    return min(seconds)


def judge_arithmetic(measured: Arithmetic) -> list[Claim]:
    """Statement 1: X of shape (N_x, m), and vectorised arithmetic."""
    numbers = {
        "data": measured.data,
        "n_x": measured.inputs,
        "m": measured.m,
        "units": UNITS,
        "error": measured.error,
        "tolerance": SAME,
        "low": min(measured.gains),
        "high": max(measured.gains),
        "least": CLEAR,
    }
    shape = within([measured.error], SAME)
    if measured.shape != (measured.inputs, measured.m):
        shape = "does not hold here"
    faster = above(measured.gains, CLEAR)
    if within([measured.loop_error], SAME) != "holds":
        faster = "cannot be told here"
    return [Claim("matrix", shape, numbers), Claim("vectorised", faster, numbers)]


STUDIES = (Study("Statement 1: vectors", measure_arithmetic, judge_arithmetic),)
