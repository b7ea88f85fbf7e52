"""The studies of all statements of the notes, and their data."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kerasbatch.claims import (
    approach,
    counting,
    descent,
    draws,
    learning,
    line_costs,
    memory,
    noise,
    relation,
    speed,
    vectors,
)
from kerasbatch.claims.claim import Study
from kerasbatch.claims.claim_runner import ClaimRunner
from kerasbatch.data.builtin import is_available_offline
from kerasbatch.spec.data_schema import BuiltInName

PREFERRED: BuiltInName = "mnist"
OFFLINE: BuiltInName = "digits"
STUDIES: tuple[Study[Any], ...] = (
    *counting.STUDIES,
    *relation.STUDIES,
    *descent.STUDIES,
    *approach.STUDIES,
    *line_costs.STUDIES,
    *noise.STUDIES,
    *vectors.STUDIES,
    *memory.STUDIES,
    *draws.STUDIES,
    *speed.STUDIES,
    *learning.STUDIES,
)


def default_data() -> tuple[BuiltInName, str | None]:
    """Return the data for the claims, and a notice of the choice or None."""
    if is_available_offline(PREFERRED):
        return PREFERRED, None
    return OFFLINE, f"{PREFERRED} is not available here; the claims are tested on {OFFLINE}"


@contextlib.contextmanager
def claim_runner(data: BuiltInName, *, quick: bool) -> Iterator[ClaimRunner]:
    """Yield a runner for the studies; its runs are deleted at the end.

    Args:
        data: the name of the data for classifiers.
        quick: use fewer examples, sizes and seeds.
    """
    with tempfile.TemporaryDirectory(prefix="kerasbatch-claims-") as folder:
        yield ClaimRunner(data, Path(folder), quick)
