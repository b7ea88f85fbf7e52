"""Every statement of the notes, put to the test on this machine."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from kerasbatch.spec.data_keys import BuiltInName
from kerasbatch.studies import counting_claims, descent_claims, speed_claims
from kerasbatch.studies.claim import Claim
from kerasbatch.studies.laboratory import Laboratory
from kerasbatch.workload.built_in_data import is_at_hand

PREFERRED: BuiltInName = "mnist"
OFFLINE: BuiltInName = "digits"
Study = Callable[[Laboratory], Iterator[Claim]]
STUDIES: tuple[Study, ...] = (
    *counting_claims.CLAIMS,
    *descent_claims.CLAIMS,
    *speed_claims.CLAIMS,
)


def default_data() -> tuple[BuiltInName, str | None]:
    """Return the data to test on, and what a person must know of the choice."""
    if is_at_hand(PREFERRED):
        return PREFERRED, None
    return OFFLINE, f"{PREFERRED} is not at hand; the claims are put to the test on {OFFLINE}"


@contextlib.contextmanager
def laboratory(data: BuiltInName, *, quick: bool) -> Iterator[Laboratory]:
    """Yield where the studies are made; its runs are deleted in the end.

    Args:
        data: the data that classifiers learn.
        quick: take fewer examples, sizes and seeds.
    """
    with tempfile.TemporaryDirectory(prefix="kerasbatch-claims-") as folder:
        yield Laboratory(data, Path(folder), quick)


def title(study: Study) -> str:
    """Return what a study is about."""
    return (study.__doc__ or "").splitlines()[0].rstrip(".")
