"""The run of another experiment with whose weights a spec begins, for measurements of the spec."""

import shutil
from pathlib import Path

from kerasbatch.runs.prepare.chosen_weights import chosen_weights
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.trust import Access
from kerasbatch.spec.weights_schema import WeightsOfExperiment


def copy_initial_run(spec: Spec, access: Access, results: Path) -> None:
    """Copy the run that a spec begins with into another results folder, if it names an experiment.

    Runs look for an experiment in their own results folder.

    Args:
        spec: a spec.
        access: the files that it may read.
        results: the results folder of the measurements.

    Raises:
        SpecError: if there is no such run, or it kept no model.
    """
    written = spec.initial_weights
    if not isinstance(written, WeightsOfExperiment):
        return
    if (chosen := chosen_weights(spec, access)) is not None:
        run = chosen.file.parent
        shutil.copytree(run, results / written.experiment / run.name)
