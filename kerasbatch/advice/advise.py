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
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras

from kerasbatch.advice.copied_weights import with_copied_weights
from kerasbatch.advice.cost_model import Costs, batch_size_costs, mean_noise
from kerasbatch.advice.grid import AdviceGrid, read_grid
from kerasbatch.advice.measure import (
    SPEED_SETTINGS,
    Memory,
    Speeds,
    add_speeds,
    from_the_middle,
    measure_memory,
    sizes_for,
)
from kerasbatch.advice.model_spec import write_model_spec
from kerasbatch.advice.noise_run import NoiseTraining, run_noise_training
from kerasbatch.advice.obstacles import advice_obstacle
from kerasbatch.advice.result import Advice
from kerasbatch.advice.spec_variants import (
    numeric_batch_size,
    spec_variant,
    without_rule,
)
from kerasbatch.advice.text import (
    advice_message,
    advice_table,
    bfloat16_table,
    partial_answer,
    predicted_seconds,
)
from kerasbatch.advice.verify import Verification, verify_advice
from kerasbatch.benchmark.timers import Benchmark
from kerasbatch.data.run_data import load_data
from kerasbatch.errors import SpecError
from kerasbatch.records.files import dump_yaml
from kerasbatch.spec.learning_rate import rate_at
from kerasbatch.spec.reader import SpecSource

SHARES = {"memory": 0.15, "speed": 0.55, "noise": 0.85}
"""The shares of the measuring time at which each measurement ends."""
MEASURING_SHARE = 0.6
"""The share of the minutes for measuring, if the rest is for `verify`."""
MIN_VERIFY_SECONDS = 20.0
"""The least time for a verification."""
PASSES = 200
"""The passes over the data that a training may take to reach the target, if there is time."""
Wait = Callable[[str], AbstractContextManager[None]]


def advise(
    spec: "str | Path | Mapping[str, Any] | SpecSource | keras.Model",
    x: Any = None,
    y: Any = None,
    *,
    batch_size: int = 32,
    epochs: int = 10,
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
        spec: the path of a YAML file, a dict of the same shape, a spec that was read already, or
            a compiled model. Of a sweep, the batch sizes are the ones to choose from, and the
            learning rates those that `verify` tries.
        x: for a model, its examples, shape (n, ...); a fifth of them is for validation.
        y: for a model, its labels, shape (n,) or (n, ...).
        batch_size: for a model, the batch size for which its learning rate is right.
        epochs: for a model, the length of a training without a target.
        target: the target, like `val_accuracy>=0.97`; by default that of the spec.
        minutes: the approximate duration of all measurements.
        verify: also train at the advised size and at its neighbours, to verify the advice.
        overrides: `key=value` texts that replace keys of the spec.
        trust: let the spec run Python code and read files outside its own folder.
        wait: displays the present measurement.

    Raises:
        SpecError: if the spec, the target or the minutes are wrong, `verify` has no target, or a
            model or its data have no equivalent in a spec.
    """
    with tempfile.TemporaryDirectory(prefix="kerasbatch-advise-") as folder:
        is_model = isinstance(spec, keras.Model)
        if isinstance(spec, keras.Model):
            spec = write_model_spec(
                spec, x, y, Path(folder), overrides, batch_size=batch_size, epochs=epochs
            )
        elif x is not None or y is not None:
            raise SpecError.at(("x",), "goes with a compiled model; a spec names its own data")
        grid = read_grid(spec, overrides, target)
        if not 0 < minutes < math.inf:
            raise SpecError.at(("minutes",), f"found {minutes}; must be minutes above 0")
        if verify and grid.source.spec.target is None:
            raise SpecError.at(("verify",), "needs a target, like val_accuracy>=0.97")
        with grid.source.located():
            adviser = _Adviser(grid, Path(folder), minutes, verify, trust or is_model, wait)
            advice = adviser.advice()
        return replace(advice, spec=None) if is_model else advice


class _Adviser:
    """Measures memory, speed and noise one after the other, within the minutes."""

    def __init__(
        self,
        grid: AdviceGrid,
        folder: Path,
        minutes: float,
        verify: bool,
        trust: bool,
        wait: Wait,
    ) -> None:
        source, self._folder, self._trust, self._wait = grid.source, folder, trust, wait
        self._begin, self._seconds = time.monotonic(), 60 * minutes
        self._verify = verify
        self._access = source.access(trust=trust)
        with wait("reading the data"):
            self._data = load_data(source.spec, self._access)
        self._n = self._data.count
        self._sizes = list(grid.sizes_for(self._n)) or sizes_for(self._n)
        self._rates = grid.rates_for(self._n)
        self._source = source = without_rule(source, self._n)
        # Train up to the target, not to the budget of the spec; without a target, to its budget.
        budget = {"examples": PASSES * self._n} if source.spec.target else {}
        self._measured = with_copied_weights(source, self._access, folder)
        self._long = spec_variant(self._measured, **budget)

    def advice(self) -> Advice:
        """Measure, and conclude."""
        with self._wait("memory: fresh processes"):
            until = self._until("memory")
            memory = measure_memory(
                self._measured, self._n, self._sizes, self._folder, until, trust=self._trust
            )
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
        for size in from_the_middle(self._sizes):
            if time.monotonic() > until and len(speeds.engine) > 1:
                break
            with self._wait(f"speed: batch size {size:,}"):
                speeds = add_speeds(speeds, benchmark, size)
        return speeds

    def _conclude(self, memory: Memory, speeds: Speeds, training: NoiseTraining) -> Advice:
        noise = mean_noise(training.rows)
        why = training.obstacle or advice_obstacle(noise, speeds.engine, self._sizes)
        is_bounded = noise is not None and noise.low > 0 and math.isfinite(noise.high)
        costs = batch_size_costs(noise, speeds.engine) if noise and is_bounded else None
        size = costs.fastest if costs and not why else None
        verification = self._verification(size, costs)
        rate = self._rate(size, verification) if size else None
        predicted = predicted_seconds(noise, speeds, training) if noise else {}
        if costs and noise and not why:
            message = advice_message(costs, noise, speeds, self._sizes, rate, training)
        else:
            partial = partial_answer(costs, noise, speeds)
            message = f"{why}. {partial}" if partial else str(why)
        return Advice(
            batch_size=size,
            message=message,
            noise_scale=noise.scale if noise else None,
            low=noise.low if noise else 0.0,
            high=noise.high if noise else math.inf,
            table=advice_table(memory, speeds, costs, predicted, conclusive=why is None),
            half=bfloat16_table(speeds) if speeds.half else None,
            learning_rate=rate,
            memory=memory,
            verification=verification,
            spec=self._spec(size, rate) if size else None,
        )

    def _rate(self, size: int, verification: Verification | None) -> float | None:
        """Return the learning rate that was measured as the best, or else that of the rule."""
        if verification is not None and verification.learning_rate is not None:
            return verification.learning_rate
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
                self._long,
                size,
                predicted,
                self._n,
                self._rates,
                self._folder,
                until,
                trust=self._trust,
            )

    def _spec(self, size: int, rate: float | None) -> str:
        """Return the spec with the advised size and rate, as YAML for the folder of the spec."""
        spec = self._source.spec
        changes: dict[str, Any] = {"batch_size": size}
        if rate is not None:
            optimizer = {**spec.plain().get("optimizer", {}), "learning_rate": float(f"{rate:.4g}")}
            changes["optimizer"] = optimizer
        return dump_yaml(spec_variant(self._source, **changes).spec.plain())
