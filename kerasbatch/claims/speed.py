"""Claims about speed by batch size: statements 8 and 9."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kerasbatch.claims.claim import Claim, Study, by_size
from kerasbatch.claims.claim_runner import ClaimRunner
from kerasbatch.claims.verdict import above
from kerasbatch.types import BatchSize

CLEAR = 2.0
"""The ratio of speeds from which on the advantage of vectorisation is lost."""


@dataclass(frozen=True)
class Speeds:
    """Examples per second by batch size.

    Args:
        data: the name of the data.
        plain: of plain `fit`, one mapping for every round.
        fused: of the fused engine, the same.
    """

    data: str
    plain: Sequence[Mapping[int, float]]
    fused: Sequence[Mapping[int, float]]


def measure_speeds(runner: ClaimRunner) -> Speeds:
    """Time plain `fit` and the fused engine at several batch sizes."""
    sizes: tuple[BatchSize, ...] = (1, 16, 128, 1024)
    spec = runner.classifier()
    return Speeds(runner.data, runner.plain_speeds(spec, sizes), runner.fused_speeds(spec, sizes))


def judge_speeds(measured: Speeds) -> list[Claim]:
    """Statement 8: at batch size 1 the advantage of vectorisation is lost."""
    claims = []
    for engine, rounds in (("plain", measured.plain), ("fused", measured.fused)):
        gains = [max(speeds.values()) / speeds[1] for speeds in rounds]
        numbers = {
            "data": measured.data,
            "shown": by_size(_medians(rounds)),
            "low": min(gains),
            "high": max(gains),
            "least": CLEAR,
        }
        claims.append(Claim(f"vectorisation_lost_{engine}", above(gains, CLEAR), numbers))
    return claims


def _medians(rounds: Sequence[Mapping[int, float]]) -> dict[int, float]:
    return {size: statistics.median(speeds[size] for speeds in rounds) for size in rounds[0]}


def measure_powers(runner: ClaimRunner) -> Speeds:
    """Time batch size 64 and its neighbours."""
    spec, sizes = runner.classifier(), (63, 64, 65)
    return Speeds(runner.data, runner.plain_speeds(spec, sizes), runner.fused_speeds(spec, sizes))


def judge_powers(measured: Speeds) -> list[Claim]:
    """Statement 9: the batch size is usually a power of two, a custom."""
    numbers: dict[str, object] = {"data": measured.data}
    for engine, rounds in (("plain", measured.plain), ("fused", measured.fused)):
        gains = [speeds[64] / max(speeds[63], speeds[65]) - 1 for speeds in rounds]
        numbers |= {engine: by_size(_medians(rounds))}
        numbers |= {f"{engine}_low": min(gains), f"{engine}_high": max(gains)}
    return [Claim("power_of_two", "custom", numbers)]


STUDIES = (
    Study("Statement 8: vectorisation lost", measure_speeds, judge_speeds),
    Study("Statement 9: powers of two", measure_powers, judge_powers),
)
