"""Finds out without TensorFlow whether all runs of a command are finished."""

from collections.abc import Sequence

from kerasbatch.records.experiment import Experiment
from kerasbatch.runs import earlier_results
from kerasbatch.runs.prepare.chosen_weights import chosen_weights
from kerasbatch.runs.prepare.data_loader import DataLoader
from kerasbatch.runs.prepare.equal_runs import refuse_equal_runs
from kerasbatch.runs.prepare.notices import run_notices
from kerasbatch.runs.prepare.preparation import prepare
from kerasbatch.runs.prepare.prepared_run import CheckedRuns, PreparedRun
from kerasbatch.runs.progress import Watcher
from kerasbatch.runs.sweep_runs import SweepRuns
from kerasbatch.spec.named_paths import has_passed_code, names_code
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.sweep.single_run import SingleRun
from kerasbatch.spec.trust import Access


def finished_runs(
    spec: Spec, singles: Sequence[SingleRun], experiment: Experiment, access: Access
) -> CheckedRuns | None:
    """Return the runs of a sweep if its search needs no more results; else None.

    Runs with code of the user are never returned: it must run to be known.

    Args:
        spec: the spec with the sweep.
        singles: the runs of the sweep, as `expand` returns them.
        experiment: the experiment with the results.
        access: the files that their specs may use.

    Raises:
        SpecError: if data cannot be read, or a run is invalid.
    """
    has_code = any(names_code(each.spec) or has_passed_code(each.spec) for each in singles)
    if has_code or not experiment.path.is_dir() or not experiment.runs():
        return None
    notices = list[str]()
    loader = DataLoader(access, notices.append)
    prepared: dict[str, PreparedRun] = {}

    def prepare_once(single: SingleRun) -> PreparedRun:
        key = single.key_without(())
        if key not in prepared:
            with single.located():
                weights = chosen_weights(single.spec, access)
                prepared[key] = prepare(single, loader(single.spec), (), weights)
        return prepared[key]

    sweep = SweepRuns(spec, singles, prepare_once)
    while not sweep.is_done:
        for run in sweep.next_runs():
            result = earlier_results.finished(run, experiment.run(run.run_id), Watcher())
            if result is None:
                return None
            sweep.tell(run, result)
    runs = [prepare_once(single) for single in singles]
    refuse_equal_runs(((run.single, run.plan) for run in runs), access)
    return CheckedRuns(tuple(runs), run_notices(runs, notices))
