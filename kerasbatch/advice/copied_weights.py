"""A copy of the weights that a spec starts from, beside the measurements of the spec."""

import shutil
from pathlib import Path

from kerasbatch.advice.spec_variants import spec_variant
from kerasbatch.runs.prepare.chosen_weights import chosen_weights
from kerasbatch.spec.reader import SpecSource
from kerasbatch.spec.stored_schema import WeightsOfExperiment
from kerasbatch.spec.trust import Access

_FILE = "initial_weights.keras"


def with_copied_weights(source: SpecSource, access: Access, results: Path) -> SpecSource:
    """Return a spec that starts from a copy of its weights, if they are those of an experiment.

    Runs look for an experiment in their own results folder, where the measurements have none.

    Args:
        source: a spec.
        access: the files that it may read.
        results: the results folder of the measurements.

    Raises:
        SpecError: if there is no such run, or it kept no model.
    """
    written = source.spec.initial_weights
    chosen = chosen_weights(source.spec, access)
    if chosen is None or not isinstance(written, WeightsOfExperiment):
        return source
    copy = results / _FILE
    shutil.copyfile(chosen.file, copy)
    skip = {"skip": list(written.skip)} if written.skip else {}
    return spec_variant(source, initial_weights={"file": str(copy), **skip})
