"""Claims about learning on a classifier: statements 8, 9 and 12.

Every batch size is trained at its own best learning rate, which the search of a sweep selects.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from kerasbatch.analysis.comparison.compare import compare
from kerasbatch.analysis.loading.load import load
from kerasbatch.claims.claim import Claim, Study, by_size
from kerasbatch.claims.claim_runner import ClaimRunner
from kerasbatch.claims.verdict import Verdict, above, ratios
from kerasbatch.types import BatchSize

TARGET = {"metric": "val_accuracy", "at_least": 0.9, "stop": True}
TRAIN_EXAMPLES = 5_000
SIZES: tuple[BatchSize, ...] = (1, 32, 512, "full")
UNITS = ("steps", "epochs", "seconds", "plain_seconds")
FASTER = 1.2
"""The ratio of costs from which on a method is faster."""


@dataclass(frozen=True)
class Learning:
    """Trainings to a target, at each batch size's best learning rate.

    Args:
        data: the name of the data.
        n: the training examples.
        target: the target as text.
        costs: unit and batch size to the costs of all seeds; NaN where the target was not
            reached.
        rates: the batch size to its best learning rate, and the lowest and highest rate that
            cannot be told from it.
        caveats: the codes of the caveats of `compare`.
    """

    data: str
    n: int
    target: str
    costs: Mapping[tuple[str, int], Sequence[float]]
    rates: Mapping[int, tuple[float, float, float]]
    caveats: tuple[str, ...]


def measure_learning(runner: ClaimRunner) -> Learning:
    """Search the best learning rate of every batch size, and train to a target with it."""
    spec = runner.classifier(
        train_examples=TRAIN_EXAMPLES, evaluate_every={"growth": 1.1}, target=TARGET
    )
    del spec["epochs"]
    sizes = batch_sizes(runner.arrays(spec | {"epochs": 1})[1].count)
    sweep = {
        "batch_size": sizes,
        "optimizer.learning_rate": "auto",
        "seed": [0, 1] if runner.quick else [0, 1, 2],
    }
    keys = {"epochs": 5, "budget": "auto", "sweep": sweep}
    runner.sweep(spec | keys, "learning")
    loaded = load(runner.folder / "learning")
    comparison = compare(loaded)
    rates = comparison.table.set_index("batch_size")["learning_rate"]
    plain = runner.plain_speeds(runner.classifier(train_examples=TRAIN_EXAMPLES), sizes)
    chosen = comparison.chosen.astype({"batch_size": int})
    numbers = [int(size) for size in rates.index.tolist()]
    return Learning(
        data=runner.data,
        n=int(chosen["train_examples"].max()),
        target=f"{TARGET['metric']} >= {TARGET['at_least']}",
        costs={
            (unit, size): costs
            for size in numbers
            for unit, costs in _costs(chosen[chosen["batch_size"] == size], size, plain).items()
        },
        rates={size: _rates_in_reach(loaded.runs, size, float(rates[size])) for size in numbers},
        caveats=tuple(dict.fromkeys(caveat.code for caveat in comparison.caveats)),
    )


def batch_sizes(n: int) -> list[BatchSize]:
    """Return the batch sizes to compare for n training examples: those below n, and all."""
    return [size for size in SIZES if not isinstance(size, int) or size < n]


def _costs(
    runs: pd.DataFrame, size: int, plain: Sequence[Mapping[int, float]]
) -> dict[str, list[float]]:
    """Return the costs of the target by unit, of all runs of one batch size.

    Args:
        runs: the runs.
        size: their batch size.
        plain: the examples per second of plain `fit` by batch size, for every round.
    """
    examples = runs["examples_to_target"].astype(float)
    return {
        "steps": runs["steps_to_target"].astype(float).tolist(),
        "epochs": (examples / runs["train_examples"]).tolist(),
        "seconds": runs["seconds_to_target"].astype(float).tolist(),
        "plain_seconds": [count / speeds[size] for count in examples for speeds in plain],
    }


def _rates_in_reach(runs: pd.DataFrame, size: int, best: float) -> tuple[float, float, float]:
    """Return the best rate, and the lowest and highest whose steps overlap with its own."""
    here = runs[runs["batch_size"] == size]
    slowest = here.loc[here["learning_rate"] == best, "steps_to_target"].max()
    fastest = here.groupby("learning_rate")["steps_to_target"].min()
    near = fastest[fastest <= slowest].index
    return best, float(min(near, default=math.nan)), float(max(near, default=math.nan))


def judge_learning(measured: Learning) -> list[Claim]:
    """Statements 8, 9 and 12."""
    sizes = sorted(measured.rates)
    claims = []
    for unit in UNITS:
        spent = {size: measured.costs[unit, size] for size in sizes}
        form = ",.0f" if unit == "steps" else ",.3g"
        medians = {size: _median(spent[size]) for size in sizes}
        facts = {
            "data": measured.data,
            "n": measured.n,
            "target": measured.target,
            "shown": by_size(medians, form),
            "least": FASTER,
        }
        for key, other in ((f"learns_quickly_by_{unit}", 1), (f"faster_by_{unit}", 32)):
            gain = ratios(spent[sizes[-1]], spent[other])
            numbers = facts | {"low": gain[0], "high": gain[1]}
            claims.append(Claim(key, above(gain, FASTER), numbers, measured.caveats))
    return [*claims, _judge_rates(measured)]


def _median(values: Sequence[float]) -> float:
    return float(pd.Series(values).median(skipna=False))


def _judge_rates(measured: Learning) -> Claim:
    """Answer how the learning rate changes: the exponent p of rate ~ b^p, and its interval."""
    sizes = sorted(measured.rates)
    numbers: dict[str, Any] = {
        "data": measured.data,
        "n": measured.n,
        "target": measured.target,
        "shown": ", ".join(
            f"b = {size:,}: {best:.3g} ({low:.3g} - {high:.3g})"
            for size, (best, low, high) in measured.rates.items()
        ),
    }
    for name, small, large in (("first", sizes[0], 32), ("second", 32, sizes[-1])):
        one, other = measured.rates[small], measured.rates[large]
        growth = math.log(large / small)
        numbers[name] = math.log(other[0] / one[0]) / growth
        numbers[f"{name}_low"] = math.log(other[1] / one[2]) / growth
        numbers[f"{name}_high"] = math.log(other[2] / one[1]) / growth
    measured_at_all = not any(
        math.isnan(rate) for rates in measured.rates.values() for rate in rates
    )
    verdict: Verdict = "answered" if measured_at_all else "cannot be told here"
    return Claim("rate_and_size", verdict, numbers, measured.caveats)


STUDIES = (Study("Statements 8, 9 and 12: learning", measure_learning, judge_learning),)
