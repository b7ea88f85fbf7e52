"""The settings of one batch size that were tried so far: which are known whole, and which lost."""

import math
import statistics
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kerasbatch.search.choice import Merit, counted_seeds, merit
from kerasbatch.search.seed_result import SeedResult

Setting = Hashable
"""The number of a setting in its grid, or the position of a learning rate; ascending."""


class Request(NamedTuple):
    """A run that a search needs.

    Args:
        setting: its setting.
        seed: its seed.
        cap: the steps at which it may stop without the target, or None.
    """

    setting: Any
    seed: int
    cap: int | None


@dataclass
class TriedSettings:
    """The results of a group by setting and seed.

    Args:
        seeds: the seeds of every setting.
        has_target: whether the settings are judged by their steps to a target.
        capped: whether a setting is given up once it cannot win.
        limit: the steps at which every run ends, or None.
    """

    seeds: Sequence[int]
    has_target: bool
    capped: bool
    limit: int | None = None
    results: dict[Any, dict[int, SeedResult]] = field(default_factory=dict)
    is_located: bool = False
    """True if the best setting is known but for a refinement."""

    def put(self, request: Request, result: SeedResult) -> None:
        """Add the result of a request."""
        self.results.setdefault(request.setting, {})[request.seed] = result

    def request(self, setting: Setting, seed: int, cap: float | None = None) -> Request:
        """Return the request of a run that stops at a cap, or at the limit."""
        bounds = [bound for bound in (cap, self.limit) if bound is not None and bound < math.inf]
        return Request(setting, seed, math.ceil(min(bounds)) if bounds else None)

    def missing(self, setting: Setting) -> list[int]:
        """Return the seeds of a setting without their final result."""
        known = self.results.get(setting, {})
        return [seed for seed in self.seeds if seed not in known or not self._is_final(known[seed])]

    def is_whole(self, setting: Setting) -> bool:
        """Return whether the results of all seeds of a setting are final."""
        return not self.missing(setting)

    def is_settled(self, setting: Setting) -> bool:
        """Return whether a setting is whole, or lost."""
        return self.is_whole(setting) or self.is_lost(setting)

    def is_lost(self, setting: Setting) -> bool:
        """Return whether a setting cannot be better than the best whole one any more."""
        cap, known = self.cap(), self.results.get(setting, {})
        if cap is None or not known:
            return False
        if any(self._has_missed(result) for result in known.values()):
            return True  # all seeds of the best one reached the target
        least = [known[seed].least_steps if seed in known else 0.0 for seed in self.seeds]
        return statistics.median(least) > cap

    def cap(self) -> float | None:
        """Return the steps at which other settings may stop; None as long as all must go on."""
        return self.best_steps() if self.capped else None

    def best_steps(self) -> float | None:
        """Return the median steps of the best setting, if all of its seeds reached the target."""
        best = self.best_whole()
        if best is None:
            return None
        steps = [result.steps for result in self.results[best].values()]
        reached = [step for step in steps if step is not None]
        return statistics.median(reached) if len(reached) == len(self.seeds) else None

    def best_whole(self) -> Any:
        """Return the best of the whole settings; the first of equal ones; None without any."""
        whole = [setting for setting in self.results if self.is_whole(setting)]
        return min(whole, key=lambda setting: (self.merit(setting), setting), default=None)

    def merit(self, setting: Setting) -> Merit:
        """Return the merit of a whole setting."""
        results = [result for result in self.results[setting].values() if not result.failed]
        return self._merit(results, counted_seeds(len(results), len(self.seeds)))

    def all_failed(self) -> bool:
        """Return whether every run so far has failed."""
        return all(result.failed for known in self.results.values() for result in known.values())

    def first_result(self, setting: Setting) -> SeedResult:
        """Return the result of a setting's first seed."""
        return self.results[setting][self.seeds[0]]

    def first_merit(self, setting: Setting) -> Merit:
        """Return the merit of a setting by its first seed."""
        return self._merit([self.first_result(setting)], 1)

    def first_cap(self) -> float | None:
        """Return the fewest steps in which a first seed reached the target."""
        if not self.capped:
            return None
        firsts = [known[self.seeds[0]] for known in self.results.values() if self.seeds[0] in known]
        return min((result.steps for result in firsts if result.steps is not None), default=None)

    def promise(self, setting: Setting) -> tuple[float, float]:
        """Return the promise of a setting that is not whole; smaller is better."""
        known = self.results.get(setting, {}).values()
        if not known:
            return math.inf, math.inf
        least = statistics.median(result.least_steps for result in known)
        return least, statistics.median(result.badness for result in known)

    def _merit(self, results: Sequence[SeedResult], seeds: int) -> Merit:
        steps = [result.steps for result in results if result.steps is not None]
        reached = len(steps) if self.has_target else len(results)
        badness = [result.badness for result in results]
        return merit(reached, seeds, steps, badness, has_target=self.has_target)

    def _has_missed(self, result: SeedResult) -> bool:
        """Return whether a run ended without the target."""
        return self._is_final(result) and result.steps is None and not result.failed

    def _is_final(self, result: SeedResult) -> bool:
        return (
            result.steps is not None
            or math.isinf(result.taken)
            or (self.limit is not None and result.taken >= self.limit)
        )


def promising(settings: Iterable[Any], tried: TriedSettings) -> list[Any]:
    """Return settings, the most promising first."""
    return sorted(settings, key=lambda setting: (tried.promise(setting), setting))
