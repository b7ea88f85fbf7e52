"""A statement of the notes with its verdict, and the study that reaches it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from kerasbatch.claims.verdict import Verdict

if TYPE_CHECKING:
    from kerasbatch.claims.claim_runner import ClaimRunner

M = TypeVar("M")


@dataclass(frozen=True)
class Claim:
    """One row of the table of claims.

    Args:
        key: its key in the texts of every language.
        verdict: the verdict.
        numbers: the values of the placeholders in its texts.
        caveats: the codes of the caveats of `compare` on the same runs.
    """

    key: str
    verdict: Verdict
    numbers: Mapping[str, Any]
    caveats: tuple[str, ...] = ()


@dataclass(frozen=True)
class Study(Generic[M]):
    """A small experiment about some statements.

    Args:
        title: its title, for the display.
        measure: takes the measurement.
        judge: returns the claims with their verdicts from the measurement alone.
    """

    title: str
    measure: Callable[["ClaimRunner"], M]
    judge: Callable[[M], Sequence[Claim]]

    def claims(self, runner: "ClaimRunner") -> Sequence[Claim]:
        """Measure and judge."""
        return self.judge(self.measure(runner))


def by_size(values: Mapping[int, float], form: str = ",.0f") -> str:
    """Return one number per batch size as text, the same in every language."""
    return ", ".join(f"b = {size:,}: {value:{form}}" for size, value in values.items())
