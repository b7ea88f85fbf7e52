"""The studies of all statements of the notes, and their data."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from kerasbatch.claims import counting, descent, speed
from kerasbatch.claims.claim import Claim
from kerasbatch.claims.claim_runner import ClaimRunner
from kerasbatch.data.builtin import is_available_offline
from kerasbatch.spec.data_schema import BuiltInName

PREFERRED: BuiltInName = "mnist"
OFFLINE: BuiltInName = "digits"
Study = Callable[[ClaimRunner], Iterator[Claim]]
STUDIES: tuple[Study, ...] = (
    *counting.CLAIMS,
    *descent.CLAIMS,
    *speed.CLAIMS,
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


def title(study: Study) -> str:
    """Return the title of a study."""
    return (study.__doc__ or "").splitlines()[0].rstrip(".")
