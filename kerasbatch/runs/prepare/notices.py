"""The notices about prepared runs."""

from collections.abc import Iterable

from kerasbatch.runs.prepare.prepared_run import PreparedRun
from kerasbatch.spec.learning_rate import learning_rate_notes
from kerasbatch.spec.rules.check_rules import spec_notes


def run_notices(runs: Iterable[PreparedRun], earlier: Iterable[str]) -> tuple[str, ...]:
    """Return the notices about runs, each once, after those of their data."""
    notices = list(earlier)
    for run in runs:
        notices += spec_notes(run.single.spec)
        notices += learning_rate_notes(run.single.spec, run.rate, run.plan)
    return tuple(dict.fromkeys(notices))
