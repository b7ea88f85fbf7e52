"""Finds out without TensorFlow whether all runs of a command are finished."""

from collections.abc import Sequence

from kerasbatch.records.experiment import Experiment
from kerasbatch.records.run_directory import is_finished, missing_models
from kerasbatch.runs.prepare.data_loader import DataLoader
from kerasbatch.runs.prepare.equal_runs import refuse_equal_runs
from kerasbatch.runs.prepare.notices import run_notices
from kerasbatch.runs.prepare.preparation import prepare
from kerasbatch.runs.prepare.prepared_run import CheckedRuns, PreparedRun
from kerasbatch.spec.named_paths import has_passed_code, names_code
from kerasbatch.spec.sweep import SingleRun
from kerasbatch.spec.trust import Access


def finished_runs(
    singles: Sequence[SingleRun], experiment: Experiment, access: Access
) -> CheckedRuns | None:
    """Return the runs if all of them have results, which are not damaged; else None.

    Runs with code of the user are never returned: it must run to be known.

    Args:
        singles: the runs.
        experiment: the experiment with the results.
        access: the files that their specs may use.

    Raises:
        SpecError: if data cannot be read, or a run is invalid.
    """
    has_code = any(names_code(each.spec) or has_passed_code(each.spec) for each in singles)
    is_complete = experiment.path.is_dir() and len(experiment.runs()) >= len(singles)
    if has_code or not is_complete:
        return None
    notices = list[str]()
    loader = DataLoader(access, notices.append)
    runs = list[PreparedRun]()
    for single in singles:
        with single.located():
            run = prepare(single, loader(single.spec))
        if not _is_finished(run, experiment):
            return None
        runs.append(run)
    refuse_equal_runs(((run.single, run.plan) for run in runs), access)
    return CheckedRuns(tuple(runs), run_notices(runs, notices))


def _is_finished(run: PreparedRun, experiment: Experiment) -> bool:
    stored = experiment.run(run.run_id).read()
    if stored.record is None or not is_finished(stored):
        return False
    return not missing_models(stored.record, run.single.spec.save)
