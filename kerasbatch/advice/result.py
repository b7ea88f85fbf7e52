"""The advice on a batch size, with its evidence."""

from dataclasses import dataclass

import pandas as pd

from kerasbatch.advice.measure import Memory
from kerasbatch.advice.verify import Verification


@dataclass(frozen=True)
class Advice:
    """The advised batch size, and its evidence.

    Attributes:
        batch_size: the batch size that is fastest here, or None if unknown.
        message: the conclusion, or the reason for none and what would decide.
        noise_scale: the mean noise scale over the training, in examples, or None.
        low: the lower end of its 95 % interval.
        high: the upper end.
        table: one row for each batch size; an empty cell was not measured.
        half: one row for each batch size, in mixed_bfloat16; None if the device lacks it.
        learning_rate: the rate to start from at the advised size: the best that `verify` measured,
            or that of the optimizer's rule; or None.
        memory: the measured memory.
        verification: the result of the sweeps of `verify`, or None.
        spec: the spec with the advised size and rate, as YAML; or None.
    """

    batch_size: int | None
    message: str
    noise_scale: float | None
    low: float
    high: float
    table: pd.DataFrame
    half: pd.DataFrame | None
    learning_rate: float | None
    memory: Memory
    verification: Verification | None
    spec: str | None
