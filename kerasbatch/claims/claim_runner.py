"""The runner of the trainings and timings for the claims, on one data set and in one folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import kerasbatch.runs.runner as runner
from kerasbatch.benchmark.timers import FusedTimer, build_for_batch_size
from kerasbatch.data.run_data import RunData, load_data
from kerasbatch.runs.result import Result
from kerasbatch.spec.data_schema import BuiltInName
from kerasbatch.spec.reader import spec_from_dict
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.trust import Access
from kerasbatch.types import BatchSize

ROUNDS = 3
"""Rounds of timing."""


@dataclass
class ClaimRunner:
    """Trains and times models for the claims.

    Args:
        data: the name of the data for classifiers.
        folder: the folder for the runs.
        quick: whether to use fewer examples, sizes and seeds.
    """

    data: BuiltInName
    folder: Path
    quick: bool
    _loaded: dict[str, RunData] = field(default_factory=dict)

    def classifier(self, **keys: Any) -> dict[str, Any]:
        """Return the spec of a classifier on the data, with some keys replaced."""
        data: dict[str, Any] = {"name": self.data}
        if self.quick and self.data not in ("digits", "iris", "wine", "breast_cancer"):
            data["train_examples"] = 10_000
        spec = {
            "name": "claim",
            "data": data,
            "model": "mlp",
            "optimizer": {"name": "sgd", "learning_rate": 0.1},
            "loss": "sparse_categorical_crossentropy",
            "metrics": ["accuracy"],
            "epochs": 1,
            "batch_size": 32,
        }
        return spec | keys

    def run(self, spec: Mapping[str, Any], **options: Any) -> Result:
        """Train one run."""
        return runner.run(spec, results=self.folder, rerun=True, **options)

    def sweep(self, spec: Mapping[str, Any], name: str) -> list[Result]:
        """Train all runs of a sweep in its own folder."""
        return runner.run_all({**spec, "name": name}, results=self.folder)

    def arrays(self, spec: Mapping[str, Any]) -> tuple[Spec, RunData]:
        """Return the checked spec and its data."""
        checked_spec = spec_from_dict(spec).spec
        key = str(checked_spec.plain()["data"])
        if key not in self._loaded:
            self._loaded[key] = load_data(checked_spec, Access(Path.cwd()))
        return checked_spec, self._loaded[key]

    def speeds(self, spec: Mapping[str, Any], sizes: Sequence[BatchSize]) -> list[dict[int, float]]:
        """Return the examples per second of every batch size, for each round of timing."""
        checked_spec, data = self.arrays(spec)
        n = len(data.x_train)
        numbers = [n if size == "full" else min(size, n) for size in sizes]
        access = Access(Path.cwd())
        timers = {
            size: FusedTimer(
                build_for_batch_size(checked_spec, access, data, size), data, size, checked_spec
            )
            for size in dict.fromkeys(numbers)
        }
        return [
            {size: size * timer.speed() for size, timer in timers.items()} for _ in range(ROUNDS)
        ]
