"""Which batch size to use: measured, concluded, or told that it cannot be told.

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
    Memory,
    Speeds,
    from_the_middle,
    measure_memory,
    measure_speeds,
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
from kerasbatch.advice.verify import Verification
from kerasbatch.advice.verify import verify_advice as put_to_the_test
from kerasbatch.data.run_data import load_data
from kerasbatch.errors import SpecError
from kerasbatch.records.files import dump_yaml
from kerasbatch.spec.reader import SpecSource
from kerasbatch.spec.trust import Access

SHARES = {"memory": 0.15, "speed": 0.55, "noise": 0.85}
"""Of the time for measuring, until when what is measured."""
MEASURING = 0.6
"""Of the minutes, the share for measuring where the rest is for `verify`."""
LEAST_TO_VERIFY = 20.0
"""Seconds without which nothing is verified."""
PASSES = 200
"""Passes over the data in which a target is looked for, if there is time."""
Wait = Callable[[str], AbstractContextManager[None]]


@dataclass(frozen=True)
class Advice:
    """What to do, and what it follows from.

    Attributes:
        batch_size: the batch size that is fastest here, or None: it cannot be told.
        message: the conclusion, or why there is none and what would decide.
        noise_scale: the mean noise scale over the training, in examples, or None.
        low: the lower end of its 95 % interval.
        high: the upper end.
        table: one row for each batch size; an empty cell was not measured.
        half: a row for each batch size, in mixed_bfloat16, where the device computes in it;
            or None.
        learning_rate: the rate to start from at the advised size, or None.
        memory: what is known of memory.
        verification: what the sweeps of `verify` said, or None.
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
    """Measure memory, speed and gradient noise, and conclude which batch size to use.

    Steps to a target grow as 1 + B / b with the noise scale B, and every step has its cost here;
    the size of the least time is advised. It is a proxy, and abstains where it cannot tell.

    Args:
        spec: the path of a YAML file, a dict of the same shape, or a spec that was read already;
            without a sweep.
        target: what to reach, like `val_accuracy>=0.97`; by default that of the spec.
        minutes: how long all of it may take, about.
        verify: also train at the advised size and at neighbours, and say whether the advice held.
        overrides: `key=value` texts that replace keys of the spec.
        trust: let the spec run Python code and read files outside its own folder.
        wait: shows that something goes on.

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
    """Measures one thing after the other, within the minutes that there are."""

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
        # Up to the target, however long the spec would train; with none, its own budget.
        long = {"examples": PASSES * self._n} if source.spec.target else {}
        self._long = spec_variant(source, **long)

    def advice(self) -> Advice:
        """Measure, and conclude."""
        with self._wait("memory: fresh processes"):
            until = self._until("memory")
            memory = measure_memory(self._source, self._n, self._folder, until, trust=self._trust)
        speeds = self._speeds()
        with self._wait("noise: a short training"):
            left = max(5.0, self._until("noise") - time.monotonic())
            training = run_noise_training(
                self._long, self._n, self._folder, left, trust=self._trust
            )
        return self._conclude(memory, speeds, training)

    def _until(self, what: str) -> float:
        share = SHARES[what] * (MEASURING if self._verify else 1.0)
        return self._begin + share * self._seconds

    def _speeds(self) -> Speeds:
        found, until = Speeds({}, {}, {}), self._until("speed")
        each = measure_speeds(self._long.spec, self._access, self._data, until)
        for size in from_the_middle(sizes_for(self._n)):
            with self._wait(f"speed: batch size {size:,}"):
                known = next(each, None)
            if known is None:
                break
            found = known
        return found

    def _conclude(self, memory: Memory, speeds: Speeds, training: NoiseTraining) -> Advice:
        noise = mean_noise(training.rows)
        sizes = sizes_for(self._n)
        why = training.obstacle or advice_obstacle(noise, speeds.engine, sizes)
        known = noise is not None and noise.low > 0 and math.isfinite(noise.high)
        found = batch_size_costs(noise, speeds.engine) if noise and known else None
        size = found.fastest if found and not why else None
        rate = self._rate(size) if size else None
        checked = self._checked(size, found)
        message = why or ""
        if found and noise and not why:
            message = advice_message(found, noise, speeds, sizes, rate, training)
        return Advice(
            batch_size=size,
            message=message,
            noise_scale=noise.scale if noise else None,
            low=noise.low if noise else 0.0,
            high=noise.high if noise else math.inf,
            table=advice_table(memory, speeds, found, told=why is None),
            half=bfloat16_table(speeds) if speeds.half else None,
            learning_rate=rate,
            memory=memory,
            verification=checked,
            spec=self._spec(size, rate) if size else None,
        )

    def _rate(self, size: int) -> float | None:
        spec = self._source.spec
        return rate_at(spec, numeric_batch_size(spec, self._n), size)

    def _checked(self, size: int | None, found: Costs | None) -> Verification | None:
        left = self._begin + self._seconds - time.monotonic()
        if not self._verify or size is None or found is None or left < LEAST_TO_VERIFY:
            return None
        predicted = {int(b): float(x) for b, x in zip(found.sizes, found.seconds, strict=True)}
        with self._wait("verification: tuned sweeps at the advised size and at its neighbours"):
            until = self._begin + self._seconds
            return put_to_the_test(
                self._long, size, predicted, self._n, self._folder, until, trust=self._trust
            )

    def _spec(self, size: int, rate: float | None) -> str:
        """Return the spec with the advised size and rate; for the folder that the spec was in."""
        spec = self._source.spec
        changes: dict[str, Any] = {"batch_size": size}
        if rate is not None:
            optimizer = {**spec.plain()["optimizer"], "learning_rate": float(f"{rate:.4g}")}
            changes["optimizer"] = optimizer
        return dump_yaml(spec_variant(self._source, **changes).spec.plain())
