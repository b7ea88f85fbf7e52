"""The groups of a sweep: the runs of one batch size, and of one value of every other key.

Within a group, runs differ in their searched keys and their seed only. Its best setting is chosen,
and the others may be given up.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kerasbatch.search.tried_settings import Setting
from kerasbatch.spec.learning_rate import rate_growth
from kerasbatch.spec.overrides import RATE
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.sweep.auto_rate import AutoRate
from kerasbatch.spec.sweep.axis import SIZE, TIMES
from kerasbatch.spec.sweep.search_space import ranges_of
from kerasbatch.spec.sweep.single_run import SingleRun

SEED = "seed"
DIGITS = 4
"""The significant digits of a rate."""


@dataclass(frozen=True)
class Group:
    """Runs that differ in their searched keys and their seed only.

    Args:
        runs: its runs; of a search for the learning rate, those of the start.
        searched: the searched keys.
    """

    runs: tuple[SingleRun, ...]
    searched: tuple[str, ...]

    @property
    def seeds(self) -> list[int]:
        """The seeds of every setting, in the order of the sweep."""
        return list(dict.fromkeys(run.spec.seed for run in self.runs))

    @functools.cached_property
    def settings(self) -> Sequence[Setting]:
        """The settings of a grid, in its order; numbers ascend."""
        settings = list(dict.fromkeys(self.setting(run) for run in self.runs))
        is_sorted = len(self.searched) == 1 and all(
            isinstance(value, int | float) for (value,) in settings
        )
        return sorted(settings) if is_sorted else settings

    @functools.cached_property
    def by_setting(self) -> dict[tuple[Any, int], SingleRun]:
        """The runs by their setting and seed."""
        return {(self.setting(run), run.spec.seed): run for run in self.runs}

    def setting(self, run: SingleRun) -> tuple[Any, ...]:
        """Return the values of the searched keys of a run."""
        return tuple(_hashable(run.swept.get(key)) for key in self.searched)

    @property
    def is_auto(self) -> bool:
        """True if its learning rates are searched."""
        return self.runs[0].is_auto


def groups_of(spec: Spec, runs: Sequence[SingleRun]) -> list[Group]:
    """Return the groups of a sweep, in the order of its grid.

    Args:
        spec: the spec with the sweep.
        runs: the runs of the sweep, as `expand` returns them.
    """
    searched = [RATE, TIMES, *ranges_of(spec.search)]
    present = tuple(dict.fromkeys(key for key in searched if key in runs[0].swept))
    members: dict[str, list[SingleRun]] = {}
    for run in runs:
        members.setdefault(run.key_without((*present, SEED)), []).append(run)
    return [Group(tuple(group), present) for group in members.values()]


def start_rate(auto: AutoRate, spec: Spec, rate: float, size: int, other: int) -> float:
    """Return the rate at which the search of a batch size starts.

    Args:
        auto: the search.
        spec: a spec of the sweep.
        rate: a rate that suits another batch size.
        size: that batch size.
        other: the batch size of the search.
    """
    growth = rate_growth(spec.optimizer.name, other / size) if auto.is_carried else 1.0
    return rate * (growth or 1.0)


def rate_of(start: float, factor: float) -> Callable[[float], float]:
    """Return the function from a position to its rate, with four significant digits."""
    return lambda position: float(f"{start * factor**position:.{DIGITS}g}")


def batch_size_of(run: SingleRun, train_examples: int) -> int:
    """Return the batch size of a run as a number."""
    size = run.swept.get(SIZE, run.spec.batch_size)
    return train_examples if size == "full" else int(size)


def _hashable(value: Any) -> Any:
    return repr(value) if isinstance(value, dict | list) else value
