"""The search of a sweep: asks for runs, and is told their results.

    search = SweepSearch(source.spec, expand(source), sizes)
    while requests := search.ask():
        for request in requests:
            search.tell(request, lambda: seed_result(...))

Groups are searched side by side. With `budget: auto` they form chains by ascending batch size: the
steps to the target at one size limit the runs of the next one. Its search starts between the rate
of the smaller size and what the rule of the optimizer makes of it.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from kerasbatch.planning import plan_budget
from kerasbatch.search.group import SEED, Group, batch_size_of, groups_of, start_rate
from kerasbatch.search.group_search import Best, GroupSearch, RunRequest
from kerasbatch.search.seed_result import SeedResult
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.sweep.auto_rate import AutoRate, auto_rate_of
from kerasbatch.spec.sweep.axis import SIZE, per_size_keys
from kerasbatch.spec.sweep.single_run import SingleRun

LIMIT_FACTOR = 4
"""The automatic budget, in terms of the median steps to the target at the next smaller size."""


@dataclass
class _Chain:
    """Searches of which each begins when the one before it knows its best setting.

    Args:
        searches: the searches, by ascending batch size.
        sizes: their batch sizes as numbers.
        steps: the budget of every run in steps; None for that of the spec.
        begun: the number of searches that have begun.
        limit: the steps at which runs of the next search end, or None.
    """

    searches: Sequence[GroupSearch]
    sizes: Sequence[int]
    steps: int | None = None
    begun: int = 0
    limit: int | None = None


class SweepSearch:
    """The search of a sweep; the same results give the same requests, in any order of telling.

    Args:
        spec: the spec with the sweep.
        runs: the runs of the sweep, as `expand` returns them.
        train_examples: returns the number of training examples of a run.
    """

    def __init__(
        self, spec: Spec, runs: Sequence[SingleRun], train_examples: Callable[[SingleRun], int]
    ) -> None:
        self._spec, self._train_examples = spec, train_examples
        self._searches = [self._search(group) for group in groups_of(spec, runs)]
        self._waiting: dict[str, tuple[_Chain, GroupSearch]] = {}
        self._asked: list[RunRequest] = []
        for chain in self._chained():
            self._begin(chain)

    def ask(self) -> list[RunRequest]:
        """Return the requests since the last call."""
        asked, self._asked = self._asked, []
        return asked

    def tell(self, request: RunRequest, read: Callable[[], SeedResult]) -> None:
        """Take the result of a request.

        Args:
            request: a request that has no result yet.
            read: returns its result; a grid without a cap does not call it.
        """
        chain, search = self._waiting.pop(_key(request.run))
        self._add(chain, search, search.tell(request.request, read))
        self._begin(chain)

    @property
    def decides(self) -> bool:
        """True if results decide which runs follow; else all runs are asked for at once."""
        return any(search.decides for search in self._searches)

    @property
    def is_done(self) -> bool:
        """True if all results are known, so that no request will follow."""
        return all(search.is_done for search in self._searches)

    def given_up(self) -> Iterator[SingleRun]:
        """Yield the runs that were trained of settings that cannot be the choice."""
        for search in self._searches:
            yield from search.given_up()

    def _search(self, group: Group) -> GroupSearch:
        auto = auto_rate_of(self._spec, group.runs[0].spec)
        capped = is_capped(self._spec, group, auto)
        return GroupSearch(group, auto, capped=capped, limits=self._spec.budget is not None)

    def _chained(self) -> list[_Chain]:
        """Return the chains: one for each search, or for all sizes with an automatic budget."""
        chains: dict[str, list[tuple[int, int, GroupSearch]]] = {}
        of_size = per_size_keys(self._spec.sweep or {})
        for number, search in enumerate(self._searches):
            run = search.group.runs[0]
            rest = run.key_without((*search.group.searched, SEED, SIZE, *of_size))
            name = rest if self._spec.budget else str(number)
            size = batch_size_of(run, self._train_examples(run))
            chains.setdefault(name, []).append((size, number, search))
        ordered = [sorted(chain, key=lambda part: part[:2]) for chain in chains.values()]
        return [
            _Chain([c[2] for c in chain], [c[0] for c in chain], self._common_budget(chain[0][2]))
            for chain in ordered
        ]

    def _common_budget(self, smallest: GroupSearch) -> int | None:
        """Return the budget of the smallest size in steps, which larger sizes have too."""
        run = smallest.group.runs[0]
        if self._spec.budget is None or run.spec.length.kind == "steps":
            return None
        n, spec = self._train_examples(run), run.spec
        return plan_budget(n, spec.batch_size, spec.length, spec.partial_batch).total_steps

    def _begin(self, chain: _Chain) -> None:
        """Begin every search of a chain whose predecessor knows its best setting."""
        while chain.begun < len(chain.searches):
            before = chain.searches[chain.begun - 1].best if chain.begun else Best(None, None)
            if before is None:
                return
            if before.steps is not None:
                chain.limit = math.ceil(LIMIT_FACTOR * before.steps)
            search, start = chain.searches[chain.begun], self._start(chain, before.rate)
            chain.begun += 1
            self._add(chain, search, search.begin(start, chain.limit, chain.steps))

    def _start(self, chain: _Chain, rate: float | None) -> float | None:
        """Return the first learning rate of a search: by the rule, from the next smaller size."""
        search, size = chain.searches[chain.begun], chain.sizes[chain.begun]
        auto, run = search.auto, search.group.runs[0]
        if auto is None:
            return None
        if rate is not None:
            # The rule holds for small batches; for large ones, the best rate stays the same.
            ruled = start_rate(auto, run.spec, rate, chain.sizes[chain.begun - 1], size)
            return math.sqrt(rate * ruled)
        own = self._spec.batch_size
        written = self._train_examples(run) if own == "full" else own
        return start_rate(auto, run.spec, auto.start, written, size)

    def _add(self, chain: _Chain, search: GroupSearch, requests: Sequence[RunRequest]) -> None:
        self._waiting |= {_key(request.run): (chain, search) for request in requests}
        self._asked += requests


def results_decide(spec: Spec, groups: Sequence[Group]) -> bool:
    """Return whether results decide which runs of a sweep follow; else all are asked for at once.

    Args:
        spec: the spec with the sweep.
        groups: its groups.
    """
    return spec.budget is not None or any(
        group.is_auto or is_capped(spec, group, auto_rate_of(spec, group.runs[0].spec))
        for group in groups
    )


def is_capped(spec: Spec, group: Group, auto: AutoRate | None) -> bool:
    """Return whether settings of a group are given up once they cannot win."""
    target = group.runs[0].spec.target
    several = auto is not None or len(group.settings) > 1
    return bool(spec.cap and target and target.stop and several)


def _key(run: SingleRun) -> str:
    return run.key_without(())


def answer(
    search: SweepSearch, reader_of: Callable[[RunRequest], Callable[[], SeedResult] | None]
) -> None:
    """Tell a search all results that exist.

    Args:
        search: the search.
        reader_of: returns a function that reads the result of a request, or None without a result.
    """
    while requests := search.ask():
        for request in requests:
            if (read := reader_of(request)) is not None:
                search.tell(request, read)
