"""The advice against brute force: the true time to a target at eight sizes and the advised one.

Every size gets learning rates around its rule's, and further ones as long as the best lies at the
edge, with three seeds each; what is chosen is trained again, one run at a time with the whole
machine.
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
from kerasbatch.advice.advise import Advice, Wait, advise
from kerasbatch.advice.spec_variants import (
    rates_around,
    single_run_spec,
    train_to_target,
    tuning_sweep,
    without_rule,
)
from kerasbatch.advice.verify import HELD
from kerasbatch.analysis.comparison.compare import compare
from kerasbatch.analysis.comparison.selection import contenders
from kerasbatch.analysis.loading.load import load as load_runs
from kerasbatch.data.run_data import load_data
from kerasbatch.errors import SpecError
from kerasbatch.spec.reader import SpecSource
from kerasbatch.spec.trust import Access

SIZES = (8, 16, 32, 64, 128, 256, 512, 1024)
TIMES = (0.5, 1.0, 2.0)
"""What the rate by the rule is multiplied by, at first."""
WIDER = 2.0
MOST_ROUNDS = 8
SEEDS = (0, 1, 2)
COLUMNS = (
    *("spec", "target", "batch_size", "learning_rate", "seeds", "reached", "steps_to_target"),
    *("examples_to_target", "seconds_to_target", "relative_seconds", "predicted_seconds", "advice"),
)


@dataclass(frozen=True)
class BruteForce:
    """What brute force said of an advice.

    Args:
        name: of the spec.
        advice: the advice.
        table: a row for each batch size, with COLUMNS; medians over the seeds that reached the
            target, relative times in units of the best.
        fastest: the size of the least time to the target, or None: no size reached it.
        ratio: the time at the advised size in units of the best; None where nothing was advised,
            infinite where the target was not reached there.
        at_edge: sizes whose best learning rate was still the first or last of those tried.
    """

    name: str
    advice: Advice
    table: pd.DataFrame
    fastest: int | None
    ratio: float | None
    at_edge: tuple[int, ...] = ()

    @property
    def held(self) -> bool | None:
        """Whether the advised size was nearly the fastest, or None: there was no advice."""
        return None if self.ratio is None else self.ratio <= HELD

    @property
    def message(self) -> str:
        """The same in words."""
        if self.fastest is None:
            return "no batch size reached the target; brute force cannot tell either"
        best = f"by brute force, {self.fastest:,} is the fastest"
        if self.ratio is None:
            return f"no advice; {best}{self._edges}"
        told = "the advice held" if self.held else "the advice did not hold"
        size = f"batch size {self.advice.batch_size:,}"
        took = f"took {self.ratio:.2f} times its time"
        if self.ratio == math.inf:
            took = "did not get there with every seed"
        return f"{told}: {best}; {size} {took}{self._edges}"

    @property
    def _edges(self) -> str:
        if not self.at_edge:
            return ""
        sizes = ", ".join(f"{size:,}" for size in self.at_edge)
        return f"; further learning rates may be faster still at {sizes}"


def brute_force_spec(
    spec: "str | Path | SpecSource", target: str | None = None, *, trust: bool
) -> SpecSource:
    """Return a spec that brute force can be used on, with the target that is asked for.

    Args:
        spec: the path of a YAML file, or a spec that was read already.
        target: what to reach, like `val_accuracy>=0.97`; by default that of the spec.
        trust: let the spec run Python code and read files outside its own folder.

    Raises:
        SpecError: if the spec is wrong or has no target, or no rule is known for its optimizer.
    """
    source = single_run_spec(spec, (), target)
    with source.located():
        if source.spec.target is None:
            raise SpecError.at(("target",), "found none; what is to be reached soonest?")
        n = len(load_data(source.spec, Access(source.folder, trust)).x_train)
        source = without_rule(source, n)
        if not rates_around(source.spec, n, 1, TIMES):
            told = "no rule says how its learning rate follows the batch size; choose another"
            raise SpecError.at(("optimizer",), told)
    return source


def brute_force(
    source: SpecSource,
    *,
    minutes: float = 5.0,
    trust: bool = False,
    wait: Wait = lambda what: contextlib.nullcontext(),
) -> BruteForce:
    """Ask for advice; then train at every size, tuned, and see which was fastest.

    Args:
        source: what `asked` returned.
        minutes: how long the advice may take, about; brute force takes as long as it takes.
        trust: let the spec run Python code and read files outside its own folder.
        wait: shows that something goes on.
    """
    n = len(load_data(source.spec, Access(source.folder, trust)).x_train)
    found = advise(source, minutes=minutes, trust=trust, wait=wait)
    sizes = sorted({size for size in (*SIZES, found.batch_size) if size and size <= n})
    with tempfile.TemporaryDirectory(prefix="kerasbatch-brute-force-") as folder:
        rates, at_edge = _tuned(source, n, sizes, Path(folder), trust, wait)
        taken = _timed(source, rates, Path(folder), trust, wait)
    return _judged(source, found, taken, at_edge)


def _tuned(
    source: SpecSource, n: int, sizes: list[int], folder: Path, trust: bool, wait: Wait
) -> tuple[dict[int, float], tuple[int, ...]]:
    """Return the best learning rate of every size, further out as long as it is at the edge.

    And the sizes where it still is, after MOST_ROUNDS.
    """
    rates = {size: rates_around(source.spec, n, size, TIMES) for size in sizes}
    best: dict[int, float] = {}
    edges: tuple[int, ...] = ()
    for at in range(MOST_ROUNDS):
        with wait(f"learning rates of {len(sizes)} sizes, round {at + 1}"):
            made = tuning_sweep(source, "tuning", rates, SEEDS)
            runner.run_all(made, results=folder, trust=trust)  # earlier runs are not trained again
        table = compare(load_runs(folder / "tuning")).table.set_index("batch_size")
        best = {size: float(table["learning_rate"][size]) for size in sizes}
        wider = {size: widen_rates(tried, best[size]) for size, tried in rates.items()}
        edges = tuple(size for size in sizes if wider[size] != rates[size])
        if not edges:
            break
        rates = wider
    return best, edges


def widen_rates(tried: list[float], best: float) -> list[float]:
    """Return the rates with a further one beyond the best, where that is the first or the last."""
    if math.isclose(best, tried[0]):
        return [float(f"{tried[0] / WIDER:.4g}"), *tried]
    if math.isclose(best, tried[-1]):
        return [*tried, float(f"{tried[-1] * WIDER:.4g}")]
    return tried


def _timed(
    source: SpecSource, rates: dict[int, float], folder: Path, trust: bool, wait: Wait
) -> pd.DataFrame:
    """Train each size at its rate, one run at a time, in turn; return a row for each size."""
    for seed in SEEDS:
        for size, rate in rates.items():
            optimizer = source.spec.plain()["optimizer"] | {"learning_rate": rate}
            one = train_to_target(
                source, name="timed", batch_size=size, optimizer=optimizer, seed=seed
            )
            with wait(f"seed {seed}, batch size {size:,}"):
                runner.run(one, results=folder, trust=trust)
    return compare(load_runs(folder / "timed")).table


def _judged(
    source: SpecSource, found: Advice, taken: pd.DataFrame, at_edge: tuple[int, ...]
) -> BruteForce:
    rows: Any = contenders(taken).set_index("batch_size")["seconds_to_target"]
    least = float(rows.min()) if len(rows) else math.nan
    ratio: float | None = None
    if found.batch_size is not None and len(rows):
        ratio = float(rows.get(found.batch_size, math.inf)) / least
    told: Any = found.table.set_index("batch_size")
    table = taken.assign(
        spec=source.spec.name,
        target=str(source.spec.target) if source.spec.target else None,
        relative_seconds=taken["seconds_to_target"] / least,
        predicted_seconds=taken["batch_size"].map(told["relative_seconds"]),
        advice=taken["batch_size"].map(told["advice"]),
    )
    return BruteForce(
        name=source.spec.name,
        advice=found,
        table=table[list(COLUMNS)],
        fastest=int(rows.idxmin()) if len(rows) else None,
        ratio=ratio,
        at_edge=at_edge,
    )


def joined_tables(found: Sequence[BruteForce]) -> pd.DataFrame:
    """Return the rows of all of them."""
    return pd.concat([each.table for each in found], ignore_index=True)
