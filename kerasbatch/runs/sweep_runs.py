"""The runs that the search of a sweep asks for, prepared for training."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from kerasbatch.records.history_file import read_history
from kerasbatch.records.run_status import RunStatus
from kerasbatch.runs.prepare.preparation import prepare_variant
from kerasbatch.runs.prepare.prepared_run import Cap, PreparedRun
from kerasbatch.runs.result import Result
from kerasbatch.search.group_search import RunRequest
from kerasbatch.search.seed_result import SeedResult, seed_result
from kerasbatch.search.sweep_search import SweepSearch
from kerasbatch.spec.overrides import RATE
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.sweep.single_run import SingleRun

SEED = "seed"


class SweepRuns:
    """Asks the search of a sweep for runs, and tells it their results.

    Args:
        spec: the spec with the sweep.
        singles: the runs of the sweep, as `expand` returns them.
        prepare: returns one of them, prepared.
    """

    def __init__(
        self,
        spec: Spec,
        singles: Sequence[SingleRun],
        prepare: Callable[[SingleRun], PreparedRun],
    ) -> None:
        self._prepare = prepare
        self._search = SweepSearch(spec, singles, lambda run: prepare(run).plan.train_examples)
        self._requests: dict[str, RunRequest] = {}
        self._is_auto = singles[0].is_auto
        self._places: dict[str, int] = {}
        for place, single in enumerate(singles):
            self._places.setdefault(self._key(single), place)
        self._numbers: dict[str, int] = {}
        self.asked: dict[str, PreparedRun] = {}

    def next_runs(self) -> list[PreparedRun]:
        """Return the runs that the search asks for since the last call."""
        return [self._prepared(request) for request in self._search.ask()]

    def tell(self, run: PreparedRun, result: Result) -> None:
        """Tell the search the result of a run; an interrupted run has none."""
        if result.status == RunStatus.INTERRUPTED:
            return
        request = self._requests.pop(run.run_id)
        self._search.tell(request, lambda: _seed_result(run.single.spec, result, request.cap))

    def number(self, run: PreparedRun) -> int:
        """Return the number of a run in the order of requests, from 1."""
        return self._numbers[run.run_id]

    @property
    def decides(self) -> bool:
        """True if results decide which runs follow; else all runs are asked for at once."""
        return self._search.decides

    @property
    def is_done(self) -> bool:
        """True if no run will follow."""
        return self._search.is_done

    def ordered(self, results: Mapping[str, Result]) -> list[Result]:
        """Return results in the order of the sweep; of a search, by size, rate and seed."""
        runs = [run for run_id, run in self.asked.items() if run_id in results]
        runs.sort(key=self._place)
        return [results[run.run_id] for run in runs]

    def _place(self, run: PreparedRun) -> tuple[int, float, int]:
        place, single = self._places[self._key(run.single)], run.single
        return (
            (place, float(single.swept[RATE]), single.spec.seed) if self._is_auto else (place, 0, 0)
        )

    def _key(self, single: SingleRun) -> str:
        """Return a text that is equal for runs of one group of a search, else for equal runs."""
        return single.key_without((RATE, SEED) if self._is_auto else ())

    def _prepared(self, request: RunRequest) -> PreparedRun:
        base = self._prepare(request.base)
        run = base if request.run is request.base else prepare_variant(base, request.run)
        if request.cap is not None and request.cap < run.plan.total_steps:
            run = replace(run, cap=Cap(request.cap, request.is_limit))
        self._requests[run.run_id] = request
        self.asked[run.run_id] = run
        self._numbers.setdefault(run.run_id, len(self.asked))
        return run


def _seed_result(spec: Spec, result: Result, cap: int | None) -> SeedResult:
    history = read_history(result.directory / "history.csv")
    return seed_result(spec, result.record, history, cap)


def prepared_by_swept(runs: Iterable[PreparedRun]) -> Callable[[SingleRun], PreparedRun]:
    """Return a function from a run of a sweep to the same run, prepared."""
    prepared = {run.single.key_without(()): run for run in runs}
    return lambda single: prepared[single.key_without(())]
