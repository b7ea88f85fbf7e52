"""A search driven by made-up trainings, whose steps to the target are a function."""

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kerasbatch.search.group_search import RunRequest
from kerasbatch.search.seed_result import SeedResult, seed_result
from kerasbatch.search.sweep_search import SweepSearch
from kerasbatch.spec.reader import spec_from_dict
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.sweep.expand import expand
from kerasbatch.spec.sweep.single_run import SingleRun

EXAMPLES = 1437
SPEC: dict[str, Any] = {
    "data": "digits",
    "model": "mlp",
    "optimizer": {"name": "sgd", "learning_rate": 0.1},
    "loss": "sparse_categorical_crossentropy",
    "metrics": ["accuracy"],
    "steps": 10_000,
    "batch_size": 32,
    "target": {"metric": "val_accuracy", "at_least": 0.95, "stop": True},
}
Training = Callable[[Spec], float]
"""Steps to the target; infinite if it is never reached, NaN for a divergence."""
Key = tuple[int | str, float, int]


@dataclass
class Trained:
    """The runs of a search, as a directory would hold them.

    Args:
        steps_of: the trainings.
        every: the steps between two evaluations.
        records: the record and history of every run, by batch size, rate and seed.
        requests: the requests, in order.
    """

    steps_of: Training
    every: int = 10
    records: dict[Key, tuple[dict[str, Any], list[dict[str, float]]]] = field(default_factory=dict)
    requests: list[tuple[Key, int | None]] = field(default_factory=list)

    def read(self, request: RunRequest) -> SeedResult:
        """Train a run up to its cap, and read its result."""
        spec, key = request.run.spec, key_of(request.run)
        self.requests.append((key, request.cap))
        record, history = made_up(spec, self.steps_of(spec), request.cap, self.every)
        self.records[key] = record, history
        return seed_result(spec, record, history, request.cap)

    @property
    def steps(self) -> int:
        """The steps of all trainings."""
        return sum(record["row"]["observed_steps"] for record, _ in self.records.values())


def key_of(run: SingleRun) -> Key:
    rate = run.spec.optimizer.arguments["learning_rate"]
    return run.swept.get("batch_size", 32), float(rate), run.spec.seed


def made_up(
    spec: Spec, steps: float, cap: int | None, every: int
) -> tuple[dict[str, Any], list[dict[str, float]]]:
    """Return the record and the history of a training that reaches its target after some steps."""
    end, status = spec.length.amount, "done"
    if math.isnan(steps):
        end, status = 5, "diverged"
    elif steps <= end:
        end, status = every * math.ceil(steps / every), "target"
    if cap is not None and end > (stop := every * math.ceil(cap / every)):
        end, status = stop, "capped"
    points = [*range(0, end, every), end]
    history = [{"step": step, "val_accuracy": _accuracy(step, steps, every)} for step in points]
    row = {"observed_steps": end, "val_accuracy": history[-1]["val_accuracy"], "val_loss": 1.0}
    record = {"status": status, "row": row, "cap": {"steps": cap}, "chance_level": {}}
    return record, history


def _accuracy(step: int, steps: float, every: int) -> float:
    if math.isnan(steps) or step == 0:
        return 0.1
    if math.isinf(steps):
        return 0.1 + 0.8 * step / (step + 3000)
    return 0.95 if step >= every * math.ceil(steps / every) else 0.1 + 0.8 * step / steps


def spec_of(sweep: Mapping[str, Any], **keys: Any) -> Spec:
    return spec_from_dict({**SPEC, **keys, "sweep": dict(sweep)}).spec


def searched(
    sweep: Mapping[str, Any],
    trained: Trained,
    *,
    order: random.Random | None = None,
    **keys: Any,
) -> SweepSearch:
    """Search a sweep to its end; with an `order`, the results of a round come in any order."""
    source = spec_from_dict({**SPEC, **keys, "sweep": dict(sweep)})
    search = SweepSearch(source.spec, expand(source), lambda run: EXAMPLES)
    waiting = search.ask()
    while waiting:
        number = order.randrange(len(waiting)) if order else 0
        request = waiting.pop(number)
        result = trained.read(request)
        search.tell(request, lambda result=result: result)
        waiting += search.ask()
    assert search.is_done
    return search


def bowl(best: Callable[[int], float], least: Callable[[int], float]) -> Training:
    """Return trainings whose steps grow with the distance from the best rate; far up they diverge.

    Args:
        best: the best rate by batch size.
        least: the steps at the best rate.
    """

    def steps_of(spec: Spec) -> float:
        size = EXAMPLES if spec.batch_size == "full" else spec.batch_size
        rate = float(spec.optimizer.arguments["learning_rate"])
        jitter = random.Random(f"{size} {spec.seed}").uniform(-0.2, 0.2)  # noqa: S311
        distance = math.log2(rate / best(size)) + jitter
        if distance > 2.3:
            return math.nan
        noise = random.Random(f"{size} {spec.seed} {rate}").uniform(0.95, 1.05)  # noqa: S311
        return least(size) * (1 + 0.4 * distance**2) * noise

    return steps_of
