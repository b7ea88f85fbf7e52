"""Every statement of the notes, put to the test on this machine."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from kerasbatch.claims import counting, descent, speed
from kerasbatch.claims.claim import Claim
from kerasbatch.claims.claim_runner import ClaimRunner
from kerasbatch.data.builtin import is_at_hand
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
    """Return the data to test on, and what a person must know of the choice."""
    if is_at_hand(PREFERRED):
        return PREFERRED, None
    return OFFLINE, f"{PREFERRED} is not at hand; the claims are put to the test on {OFFLINE}"


@contextlib.contextmanager
def claim_runner(data: BuiltInName, *, quick: bool) -> Iterator[ClaimRunner]:
    """Yield where the studies are made; its runs are deleted in the end.

    Args:
        data: the data that classifiers learn.
        quick: take fewer examples, sizes and seeds.
    """
    with tempfile.TemporaryDirectory(prefix="kerasbatch-claims-") as folder:
        yield ClaimRunner(data, Path(folder), quick)


def title(study: Study) -> str:
    """Return what a study is about."""
    return (study.__doc__ or "").splitlines()[0].rstrip(".")
