"""Claims about drawing one example at random (statement 8)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kerasbatch.claims.claim import Claim, Study
from kerasbatch.claims.claim_runner import ClaimRunner
from kerasbatch.claims.verdict import exactly, within
from kerasbatch.sampling import example_order


@dataclass(frozen=True)
class Draws:
    """The different examples that n draws meet, as a part of n.

    Args:
        n: the number of draws and of examples.
        replacement: with replacement, for every seed.
        keras_n: the number of draws and of examples in Keras' own `fit`.
        keras: in an epoch of Keras' own `fit` with batch size 1.
    """

    n: int
    replacement: Sequence[float]
    keras_n: int
    keras: float


def measure_draws(_runner: ClaimRunner) -> Draws:
    """Count the different examples of an epoch."""
    n, keras_n = 10_000, 500
    orders = (example_order(n, seed=seed, epoch=1, sampling="replacement") for seed in range(5))
    return Draws(
        n, [len(np.unique(order)) / n for order in orders], keras_n, _met_by_keras(keras_n)
    )


def _met_by_keras(n: int) -> float:
    """Return the part of n examples that one epoch of `model.fit(batch_size=1)` meets."""
    met: set[int] = set()

    class Recorder(keras.Model):
        def train_step(self, data: Any) -> dict[str, Any]:
            met.update(np.asarray(data[0]).ravel().astype(int).tolist())
            return {"loss": 0.0}

    model = Recorder()
    model.compile(run_eagerly=True)
    model.fit(np.arange(n, dtype=np.float32)[:, None], np.zeros(n), batch_size=1, verbose=0)
    return len(met) / n


DRAWN = 0.02
"""The largest distance of the part of examples that n draws meet from what is expected."""


def judge_draws(measured: Draws) -> list[Claim]:
    """Statement 8: one example at random, possibly the same again."""
    expected = 1 - (1 - 1 / measured.n) ** measured.n
    errors = [part - expected for part in measured.replacement]
    numbers = {
        "n": measured.n,
        "low": min(measured.replacement),
        "high": max(measured.replacement),
        "keras_n": measured.keras_n,
        "keras": measured.keras,
        "expected": expected,
        "tolerance": DRAWN,
    }
    return [
        Claim("drawn_with_replacement", within(errors, DRAWN), numbers),
        Claim("drawn_by_keras", exactly(measured.keras < 1), numbers),
    ]


STUDIES = (Study("Statement 8: draws", measure_draws, judge_draws),)
