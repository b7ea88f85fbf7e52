"""The advice on a batch size, from measurements; or the reason why there is none.

advice = kerasbatch.advise("experiments/mnist_b16.yaml", target="val_accuracy>=0.97")
advice.batch_size, advice.message, advice.table
"""

import contextlib
import math
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from kerasbatch.advice.cost_model import Costs, advice_obstacle, batch_size_costs, mean_noise
from kerasbatch.advice.measure import (
    SPEED_SETTINGS,
    Memory,
    Speeds,
    add_speeds,
    from_the_middle,
    measure_memory,
    sizes_for,
)
from kerasbatch.advice.noise_run import NoiseTraining, run_noise_training
from kerasbatch.advice.spec_variants import (
    numeric_batch_size,
    rate_at,
    single_run_spec,
    spec_variant,
    without_rule,
)
from kerasbatch.advice.text import advice_message, advice_table, bfloat16_table
from kerasbatch.advice.verify import Verification, verify_advice
from kerasbatch.benchmark.timers import Benchmark
from kerasbatch.data.run_data import load_data
from kerasbatch.errors import SpecError
from kerasbatch.records.files import dump_yaml
from kerasbatch.spec.reader import SpecSource
from kerasbatch.spec.trust import Access

SHARES = {"memory": 0.15, "speed": 0.55, "noise": 0.85}
"""The shares of the measuring time at which each measurement ends."""
MEASURING_SHARE = 0.6
"""The share of the minutes for measuring, if the rest is for `verify`."""
MIN_VERIFY_SECONDS = 20.0
"""The least time for a verification."""
PASSES = 200
"""The passes over the data that a training may take to reach the target, if there is time."""
Wait = Callable[[str], AbstractContextManager[None]]


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
        learning_rate: the rate to start from at the advised size, or None.
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


def advise(
    spec: "str | Path | Mapping[str, Any] | SpecSource",
    *,
    target: str | None = None,
    minutes: float = 5.0,
    verify: bool = False,
    overrides: Iterable[str] = (),
    trust: bool = False,
    wait: Wait = lambda what: contextlib.nullcontext(),
) -> Advice:
    """Measure memory, speed and gradient noise, and advise a batch size.

    The steps to a target grow as 1 + B / b with the noise scale B, and every step has its cost;
    the size of the least time is advised. It is a proxy, and abstains if the evidence is weak.

    Args:
        spec: the path of a YAML file, a dict of the same shape, or a spec that was read already;
            without a sweep.
        target: the target, like `val_accuracy>=0.97`; by default that of the spec.
        minutes: the approximate duration of all measurements.
        verify: also train at the advised size and at its neighbours, to verify the advice.
        overrides: `key=value` texts that replace keys of the spec.
        trust: let the spec run Python code and read files outside its own folder.
        wait: displays the present measurement.

    Raises:
        SpecError: if the spec, the target or the minutes are wrong, or `verify` has no target.
    """
    source = single_run_spec(spec, overrides, target)
    if not 0 < minutes < math.inf:
        raise SpecError.at(("minutes",), f"found {minutes}; must be a number of minutes above 0")
    if verify and source.spec.target is None:
        raise SpecError.at(("verify",), "needs a target, like val_accuracy>=0.97")
    with tempfile.TemporaryDirectory(prefix="kerasbatch-advise-") as folder, source.located():
        return _Adviser(source, Path(folder), minutes, verify, trust, wait).advice()


class _Adviser:
    """Measures memory, speed and noise one after the other, within the minutes."""

    def __init__(
        self,
        source: SpecSource,
        folder: Path,
        minutes: float,
        verify: bool,
        trust: bool,
        wait: Wait,
    ) -> None:
        self._source, self._folder, self._trust, self._wait = source, folder, trust, wait
        self._begin, self._seconds = time.monotonic(), 60 * minutes
        self._verify = verify
        self._access = Access(source.folder, trust)
        self._data = load_data(source.spec, self._access)
        self._n = len(self._data.x_train)
        self._source = source = without_rule(source, self._n)
        # Train up to the target, not to the budget of the spec; without a target, to its budget.
        budget = {"examples": PASSES * self._n} if source.spec.target else {}
        self._long = spec_variant(source, **budget)

    def advice(self) -> Advice:
        """Measure, and conclude."""
        with self._wait("memory: fresh processes"):
            until = self._until("memory")
            memory = measure_memory(self._source, self._n, self._folder, until, trust=self._trust)
        speeds = self._speeds()
        with self._wait("noise: a short training"):
            seconds = max(5.0, self._until("noise") - time.monotonic())
            training = run_noise_training(
                self._long, self._n, self._folder, seconds, trust=self._trust
            )
        return self._conclude(memory, speeds, training)

    def _until(self, measurement: str) -> float:
        share = SHARES[measurement] * (MEASURING_SHARE if self._verify else 1.0)
        return self._begin + share * self._seconds

    def _speeds(self) -> Speeds:
        speeds, until = Speeds(), self._until("speed")
        benchmark = Benchmark(self._long.spec, self._access, SPEED_SETTINGS, self._data)
        for size in from_the_middle(sizes_for(self._n)):
            if time.monotonic() > until and len(speeds.engine) > 1:
                break
            with self._wait(f"speed: batch size {size:,}"):
                speeds = add_speeds(speeds, benchmark, size)
        return speeds

    def _conclude(self, memory: Memory, speeds: Speeds, training: NoiseTraining) -> Advice:
        noise = mean_noise(training.rows)
        sizes = sizes_for(self._n)
        why = training.obstacle or advice_obstacle(noise, speeds.engine, sizes)
        is_bounded = noise is not None and noise.low > 0 and math.isfinite(noise.high)
        costs = batch_size_costs(noise, speeds.engine) if noise and is_bounded else None
        size = costs.fastest if costs and not why else None
        rate = self._rate(size) if size else None
        verification = self._verification(size, costs)
        message = why or ""
        if costs and noise and not why:
            message = advice_message(costs, noise, speeds, sizes, rate, training)
        return Advice(
            batch_size=size,
            message=message,
            noise_scale=noise.scale if noise else None,
            low=noise.low if noise else 0.0,
            high=noise.high if noise else math.inf,
            table=advice_table(memory, speeds, costs, conclusive=why is None),
            half=bfloat16_table(speeds) if speeds.half else None,
            learning_rate=rate,
            memory=memory,
            verification=verification,
            spec=self._spec(size, rate) if size else None,
        )

    def _rate(self, size: int) -> float | None:
        spec = self._source.spec
        return rate_at(spec, numeric_batch_size(spec, self._n), size)

    def _verification(self, size: int | None, costs: Costs | None) -> Verification | None:
        seconds = self._begin + self._seconds - time.monotonic()
        if not self._verify or size is None or costs is None or seconds < MIN_VERIFY_SECONDS:
            return None
        predicted = {int(b): float(x) for b, x in zip(costs.sizes, costs.seconds, strict=True)}
        with self._wait("verification: tuned sweeps at the advised size and at its neighbours"):
            until = self._begin + self._seconds
            return verify_advice(
                self._long, size, predicted, self._n, self._folder, until, trust=self._trust
            )

    def _spec(self, size: int, rate: float | None) -> str:
        """Return the spec with the advised size and rate, as YAML for the folder of the spec."""
        spec = self._source.spec
        changes: dict[str, Any] = {"batch_size": size}
        if rate is not None:
            optimizer = {**spec.plain()["optimizer"], "learning_rate": float(f"{rate:.4g}")}
            changes["optimizer"] = optimizer
        return dump_yaml(spec_variant(self._source, **changes).spec.plain())
