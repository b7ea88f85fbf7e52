"""The search of one group: its rounds, and the requests of the present one."""

from collections.abc import Callable
from typing import NamedTuple

from kerasbatch.search.grid_rounds import grid_rounds
from kerasbatch.search.group import Group, rate_of
from kerasbatch.search.rate_rounds import choice, rate_rounds
from kerasbatch.search.rounds import Rounds
from kerasbatch.search.seed_result import NOT_READ, SeedResult
from kerasbatch.search.tried_settings import Request, Setting, TriedSettings
from kerasbatch.spec.overrides import RATE
from kerasbatch.spec.sweep.auto_rate import AutoRate
from kerasbatch.spec.sweep.single_run import SingleRun


class RunRequest(NamedTuple):
    """A run that a search needs.

    Args:
        run: its spec, and its swept values.
        base: the run of the grid that it is, or whose learning rate it has found.
        request: its setting, its seed and its cap.
        is_limit: whether the cap is the automatic budget, which every rate has.
    """

    run: SingleRun
    base: SingleRun
    request: Request
    is_limit: bool

    @property
    def cap(self) -> int | None:
        """The steps at which it may stop without the target, or None."""
        return self.request.cap


class Best(NamedTuple):
    """The best setting of a group; None where not all of its seeds reached the target.

    Args:
        steps: its median steps to the target.
        rate: its learning rate, if that was searched.
    """

    steps: float | None
    rate: float | None


class GroupSearch:
    """The search of a group; it begins when its limit is known.

    Args:
        group: the group.
        auto: the search for its learning rate, or None for a grid.
        capped: whether a setting is given up once it cannot win.
        limits: whether its steps to the target limit another search.
    """

    def __init__(self, group: Group, auto: AutoRate | None, *, capped: bool, limits: bool) -> None:
        self.group, self.auto = group, auto
        has_target = group.runs[0].spec.target is not None
        self.tried = TriedSettings(group.seeds, has_target, capped)
        self.is_done, self._limits = False, limits
        self.best: Best | None = None
        """The best setting before the last refinement, once it is known."""
        self._steps: int | None = None
        self._rate: Callable[[float], float] = float
        self._rounds: Rounds = iter(())  # type: ignore[assignment]  # begin sets it
        self._asked: list[Request] = []
        self._told: dict[Request, SeedResult] = {}
        self._made: dict[tuple[Setting, int], RunRequest] = {}

    def begin(self, start: float | None, limit: int | None, steps: int | None) -> list[RunRequest]:
        """Return the requests of the first round.

        Args:
            start: the learning rate at which a search starts; None for a grid.
            limit: the steps at which every run ends, or None.
            steps: the budget of every run in steps, or None for that of the spec.
        """
        self.tried.limit, self._steps = limit, steps
        if self.auto is not None and start is not None:
            self._rate = rate_of(start, self.auto.factor)
            self._rounds = rate_rounds(self.tried, self.auto.at_most)
        else:
            self._rounds = grid_rounds(self.tried, range(len(self.group.settings)))
        return self._advance(None)

    def tell(self, request: Request, read: Callable[[], SeedResult]) -> list[RunRequest]:
        """Take the result of a request; return those of the next round once the round is complete.

        Args:
            request: a request of the present round.
            read: returns its result.
        """
        self._told[request] = read() if self.decides else NOT_READ
        if len(self._told) < len(self._asked):
            return []
        return self._advance([self._told[each] for each in self._asked])

    @property
    def decides(self) -> bool:
        """True if results decide which runs follow."""
        return self.auto is not None or self.tried.capped or self._limits

    def given_up(self) -> list[SingleRun]:
        """Return the runs of settings that were given up, or tried with the first seed only."""
        if not self.decides:
            return []
        whole = [setting for setting in self.tried.results if self.tried.is_whole(setting)]
        return [made.run for (setting, _), made in self._made.items() if setting not in whole]

    def _advance(self, results: list[SeedResult] | None) -> list[RunRequest]:
        try:
            self._asked = next(self._rounds) if results is None else self._rounds.send(results)
        except StopIteration:
            self._asked, self.is_done = [], True
        if self.best is None and (self.is_done or self.tried.is_located):
            steps = self.tried.best_steps()
            is_rate = self.auto is not None and steps is not None
            self.best = Best(steps, self._rate(choice(self.tried)) if is_rate else None)
        self._told = {}
        return [self._run_request(request) for request in self._asked]

    def _run_request(self, request: Request) -> RunRequest:
        setting = self.group.settings[0 if self.auto is not None else request.setting]
        base = run = self.group.by_setting[setting, request.seed]
        if self.auto is not None:
            run = base.with_values({RATE: self._rate(request.setting)})
        if self._steps is not None:
            run = run.with_steps(self._steps)
        is_limit = request.cap is not None and request.cap == self.tried.limit
        made = RunRequest(run, base, request, is_limit)
        self._made[request.setting, request.seed] = made
        return made
