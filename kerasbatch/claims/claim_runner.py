"""The runner of the trainings and timings for the claims, on one data set and in one folder."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import kerasbatch.runs.runner as runner
from kerasbatch.benchmark.settings import BenchmarkSettings
from kerasbatch.benchmark.timers import Benchmark, Timer
from kerasbatch.data.run_data import RunData, load_data
from kerasbatch.runs.progress import Watcher
from kerasbatch.runs.result import Result
from kerasbatch.spec.data_schema import BuiltInName
from kerasbatch.spec.reader import spec_from_dict
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.trust import Access
from kerasbatch.types import BatchSize

FEWER_EXAMPLES = 10_000
"""The training examples of quick claims on a large data set."""
ROUNDS = BenchmarkSettings(rounds=3, round_seconds=0.5)


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

    def classifier(self, train_examples: int | None = None, **keys: Any) -> dict[str, Any]:
        """Return the spec of a classifier on the data, with some keys replaced.

        Args:
            train_examples: the largest number of training examples; all, if there are fewer.
            keys: the keys to replace.
        """
        data: dict[str, Any] = {"name": self.data}
        few = self.data in ("digits", "iris", "wine", "breast_cancer")
        if (self.quick or train_examples) and not few:
            data["train_examples"] = train_examples or FEWER_EXAMPLES
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
        return runner.run(spec, results=self.folder, rerun=True, watcher=Watcher(), **options)

    def sweep(self, spec: Mapping[str, Any], name: str) -> list[Result]:
        """Train all runs of a sweep in its own folder."""
        spec = {**spec, "name": name}
        return runner.run_all(spec, results=self.folder, watcher=Watcher())

    def arrays(self, spec: Mapping[str, Any]) -> tuple[Spec, RunData]:
        """Return the checked spec and its data."""
        checked_spec = spec_from_dict(spec).spec
        key = str(checked_spec.plain()["data"])
        if key not in self._loaded:
            self._loaded[key] = load_data(checked_spec, Access(Path.cwd()))
        return checked_spec, self._loaded[key]

    def fused_speeds(
        self, spec: Mapping[str, Any], sizes: Sequence[BatchSize]
    ) -> list[dict[int, float]]:
        """Return the examples per second of the fused engine, for each round of timing."""
        return self._speeds(spec, sizes, Benchmark.fused)

    def plain_speeds(
        self, spec: Mapping[str, Any], sizes: Sequence[BatchSize]
    ) -> list[dict[int, float]]:
        """Return the examples per second of plain `fit`, for each round of timing."""
        return self._speeds(spec, sizes, Benchmark.plain)

    def _speeds(
        self,
        spec: Mapping[str, Any],
        sizes: Sequence[BatchSize],
        timer: Callable[[Benchmark, int], Timer],
    ) -> list[dict[int, float]]:
        checked_spec, data = self.arrays(spec)
        benchmark = Benchmark(checked_spec, Access(Path.cwd()), ROUNDS, data)
        numbers = list(dict.fromkeys(benchmark.numeric_sizes(sizes)))
        rounds = benchmark.rounds([timer(benchmark, size) for size in numbers])
        return [
            {size: size * speed for size, speed in zip(numbers, speeds, strict=True)}
            for speeds in rounds
        ]
