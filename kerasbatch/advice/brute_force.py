"""A check of the advice by brute force: the time to a target at eight sizes and the advised one.

The learning rate of every size is searched with three seeds, as by `auto` in a sweep. The best
rates are trained again, one at a time with all cores.
"""

import contextlib
import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

import kerasbatch.runs.runner as runner
from kerasbatch.advice.advise import Wait, advise
from kerasbatch.advice.grid import single_run_spec
from kerasbatch.advice.result import Advice
from kerasbatch.advice.spec_variants import (
    has_rate_rule,
    train_to_target,
    tuning_sweep,
    without_rule,
)
from kerasbatch.advice.verify import HELD
from kerasbatch.analysis.comparison.best import contenders
from kerasbatch.analysis.comparison.caveats.rate_edges import sizes_at_edge
from kerasbatch.analysis.comparison.compare import compare
from kerasbatch.analysis.loading.load import load as load_runs
from kerasbatch.data.run_data import load_data
from kerasbatch.errors import SpecError
from kerasbatch.spec.reader import SpecSource

COLUMNS = (
    *("spec", "target", "batch_size", "learning_rate", "seeds", "reached", "steps_to_target"),
    *("examples_to_target", "seconds_to_target", "relative_seconds", "predicted_seconds", "advice"),
)


@dataclass(frozen=True)
class BruteForceSettings:
    """The grid of brute force.

    Args:
        sizes: the batch sizes, beside the advised one.
        max_rates: the largest number of rates beyond the first three of a search, on each side.
        seeds: the seeds of every size and rate.
    """

    sizes: tuple[int, ...] = (8, 16, 32, 64, 128, 256, 512, 1024)
    max_rates: int = 8
    seeds: tuple[int, ...] = (0, 1, 2)


DEFAULT_BRUTE_FORCE = BruteForceSettings()


@dataclass(frozen=True)
class BruteForce:
    """The result of brute force beside an advice.

    Args:
        name: the name of the spec.
        advice: the advice.
        table: a row for each batch size, with COLUMNS; medians over the seeds that reached the
            target, relative times in units of the best.
        fastest: the batch size of the shortest time to the target; None if no size reached it.
        ratio: the time at the advised size in units of the best; None without advice, infinite
            if the target was not reached at that size.
        at_edge: the sizes whose best learning rate is still the lowest or highest of the rates
            that were tried.
    """

    name: str
    advice: Advice
    table: pd.DataFrame
    fastest: int | None
    ratio: float | None
    at_edge: tuple[int, ...] = ()

    @property
    def held(self) -> bool | None:
        """True if the advised size was nearly the fastest; None without advice."""
        return None if self.ratio is None else self.ratio <= HELD

    @property
    def message(self) -> str:
        """The result as text."""
        if self.fastest is None:
            return "no batch size reached the target; brute force cannot tell either"
        best = f"by brute force, {self.fastest:,} is the fastest"
        if self.ratio is None:
            return f"no advice; {best}{self._edge_note}"
        verdict = "the advice held" if self.held else "the advice did not hold"
        size = f"batch size {self.advice.batch_size:,}"
        comparison = f"took {self.ratio:.2f} times its time"
        if self.ratio == math.inf:
            comparison = "did not get there with every seed"
        return f"{verdict}: {best}; {size} {comparison}{self._edge_note}"

    @property
    def _edge_note(self) -> str:
        if not self.at_edge:
            return ""
        sizes = ", ".join(f"{size:,}" for size in self.at_edge)
        return f"; further learning rates may be faster still at {sizes}"


def brute_force_spec(
    spec: "str | Path | SpecSource", target: str | None = None, *, trust: bool
) -> SpecSource:
    """Return a spec for brute force, with the requested target and without a learning rate rule.

    Args:
        spec: the path of a YAML file, or a loaded spec.
        target: the target, like `val_accuracy>=0.97`; by default that of the spec.
        trust: let the spec run Python code and read files outside its own folder.

    Raises:
        SpecError: if the spec is wrong or has no target, or its optimizer has no rule for the
            learning rate.
    """
    source = single_run_spec(spec, (), target)
    with source.located():
        if source.spec.target is None:
            raise SpecError.at(
                ("target",), "found none; brute force needs one, like val_accuracy>=0.97"
            )
        n = load_data(source.spec, source.access(trust=trust)).count
        source = without_rule(source, n)
        if not has_rate_rule(source.spec):
            message = "no rule says how its learning rate follows the batch size; choose another"
            raise SpecError.at(("optimizer",), message)
    return source


def brute_force(
    source: SpecSource,
    *,
    minutes: float = 5.0,
    trust: bool = False,
    wait: Wait = lambda activity: contextlib.nullcontext(),
    settings: BruteForceSettings = DEFAULT_BRUTE_FORCE,
) -> BruteForce:
    """Compute the advice, then train at every size with tuned learning rates and compare the times.

    Args:
        source: the spec that `brute_force_spec` returned.
        minutes: the approximate time limit of the advice; brute force has no limit.
        trust: let the spec run Python code and read files outside its own folder.
        wait: returns a context that shows the present activity.
        settings: the grid.

    Returns:
        The times at every size, the fastest size, and the advice.
    """
    n = load_data(source.spec, source.access(trust=trust)).count
    advice = advise(source, minutes=minutes, trust=trust, wait=wait)
    sizes = sorted({size for size in (*settings.sizes, advice.batch_size) if size and size <= n})
    with tempfile.TemporaryDirectory(prefix="kerasbatch-brute-force-") as folder:
        rates, at_edge = _tune_learning_rates(source, sizes, Path(folder), trust, wait, settings)
        timings = _time_sizes(source, rates, Path(folder), trust, wait, settings.seeds)
    return _compare_with_advice(source, advice, timings, at_edge)


def _tune_learning_rates(
    source: SpecSource,
    sizes: list[int],
    folder: Path,
    trust: bool,
    wait: Wait,
    settings: BruteForceSettings,
) -> tuple[dict[int, float], tuple[int, ...]]:
    """Return the best learning rate of every size, and the sizes where it lies at the edge."""
    sweep = tuning_sweep(source, "tuning", sizes, at_most=settings.max_rates, seeds=settings.seeds)
    with wait(f"learning rates of {len(sizes)} sizes"):
        runner.run_all(sweep, results=folder, trust=trust)
    comparison = compare(load_runs(folder / "tuning"))
    table = comparison.table.set_index("batch_size")
    best = {size: float(table["learning_rate"][size]) for size in sizes}
    return best, tuple(sizes_at_edge(comparison.table, comparison.caveats))


def _time_sizes(
    source: SpecSource,
    rates: dict[int, float],
    folder: Path,
    trust: bool,
    wait: Wait,
    seeds: tuple[int, ...],
) -> pd.DataFrame:
    """Train each size at its best rate, one run at a time; return a row for each size."""
    for seed in seeds:
        for size, rate in rates.items():
            optimizer = source.spec.plain().get("optimizer", {}) | {"learning_rate": rate}
            variant = train_to_target(
                source, name="timed", batch_size=size, optimizer=optimizer, seed=seed
            )
            with wait(f"seed {seed}, batch size {size:,}"):
                runner.run(variant, results=folder, trust=trust)
    return compare(load_runs(folder / "timed")).table


def _compare_with_advice(
    source: SpecSource, advice: Advice, timings: pd.DataFrame, at_edge: tuple[int, ...]
) -> BruteForce:
    seconds: Any = contenders(timings).set_index("batch_size")["seconds_to_target"]
    shortest = float(seconds.min()) if len(seconds) else math.nan
    ratio: float | None = None
    if advice.batch_size is not None and len(seconds):
        ratio = float(seconds.get(advice.batch_size, math.inf)) / shortest
    predictions: Any = advice.table.set_index("batch_size")
    table = timings.assign(
        spec=source.spec.name,
        target=str(source.spec.target) if source.spec.target else None,
        relative_seconds=timings["seconds_to_target"] / shortest,
        predicted_seconds=timings["batch_size"].map(predictions["relative_seconds"]),
        advice=timings["batch_size"].map(predictions["advice"]),
    )
    return BruteForce(
        name=source.spec.name,
        advice=advice,
        table=table[list(COLUMNS)],
        fastest=int(seconds.idxmin()) if len(seconds) else None,
        ratio=ratio,
        at_edge=at_edge,
    )


def join_tables(results: Sequence[BruteForce]) -> pd.DataFrame:
    """Return the rows of all results in one table."""
    return pd.concat([result.table for result in results], ignore_index=True)
