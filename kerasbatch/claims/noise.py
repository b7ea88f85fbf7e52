"""Claims about gradient noise: statements 9 and 10."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kerasbatch.benchmark.timers import build_for_batch_size
from kerasbatch.claims.claim import Claim, Study
from kerasbatch.claims.claim_runner import ClaimRunner
from kerasbatch.claims.descent import line_gradients
from kerasbatch.claims.gradient_variance import Gradients, Variance, variance_law
from kerasbatch.claims.verdict import Verdict, above, all_of, at_most
from kerasbatch.spec.trust import Access
from kerasbatch.types import Sampling

SIZES = (1, 4, 32)
SAMPLINGS: tuple[Sampling, ...] = ("shuffle", "replacement")
PRECISE = 0.5
"""Three standard errors, as a part of the law, up to which a measurement can decide."""
NONE = 1e-6
"""The part of the variance at batch size 1 that counts as no noise, in float32."""


@dataclass(frozen=True)
class Noise:
    """The variance of batch gradients at fixed weights.

    Args:
        name: the data and the model.
        m: the number of examples.
        trace: the mean of |g_i - G|^2 over all examples.
        variances: batch size and sampling to the variance; the size m stands for all examples.
    """

    name: str
    m: int
    trace: float
    variances: Mapping[tuple[int, Sampling], Variance]


def measure_line(runner: ClaimRunner) -> Noise:
    """Measure the gradients of the line."""
    _, gradients = line_gradients(runner)
    return _measure("line", gradients, quick=runner.quick)


def measure_classifier(runner: ClaimRunner) -> Noise:
    """Measure the gradients of an untrained classifier, which have no closed form."""
    spec, data = runner.arrays(runner.classifier())
    model = build_for_batch_size(spec, Access(runner.folder), data, 32)
    subset = slice(0, 300 if runner.quick else 1000)
    x = np.asarray(data.x_train)[subset].astype(np.float32) * (data.scale or 1.0)
    y = np.asarray(data.y_train)[subset]
    return _measure(runner.data, Gradients(model, x, y), quick=runner.quick)


def _measure(name: str, gradients: Gradients, *, quick: bool) -> Noise:
    m, batches = len(gradients.x), 200 if quick else 400
    variances: dict[tuple[int, Sampling], Variance] = {
        (size, sampling): gradients.variance(size, sampling, max(batches, m if size == 1 else 0))
        for size in SIZES
        for sampling in SAMPLINGS
    }
    variances[m, "shuffle"] = gradients.variance(m, "shuffle", 5)
    return Noise(name, m, gradients.trace(), variances)


def judge_noise(measured: Noise) -> list[Claim]:
    """Statement 10: the noise by batch size; statement 9: a mini-batch has less."""
    first, *_, last = SIZES
    single, batch = measured.variances[first, "shuffle"], measured.variances[last, "shuffle"]
    gain = (_quotient(single.low, batch.high), _quotient(single.high, batch.low))
    rest = measured.variances[measured.m, "shuffle"].mean
    facts = {"name": measured.name, "m": measured.m}
    laws = {"rest": rest, "single": single.mean}
    shown = {sampling: _shown(measured, sampling) for sampling in SAMPLINGS}
    less = {"size": last, "low": gain[0], "high": gain[1], "least": last / 2}
    return [
        Claim("noise_law", _agrees(measured), facts | shown),
        Claim("noise_of_all", at_most([_quotient(rest, single.mean)], NONE), facts | laws),
        Claim("noise_less", above(gain, last / 2), facts | less),
    ]


def _quotient(one: float, other: float) -> float:
    if other == 0:
        return np.nan if one == 0 else np.inf
    return one / other


def _agrees(measured: Noise) -> Verdict:
    """Return whether all variances but that of everything are those of the exact law."""
    return all_of(
        _agrees_with(variance, variance_law(measured.trace, size, measured.m, sampling))
        for (size, sampling), variance in measured.variances.items()
        if size < measured.m
    )


def _agrees_with(variance: Variance, law: float) -> Verdict:
    if not variance.low <= law * (1 + 1e-6) or not law * (1 - 1e-6) <= variance.high:
        return "does not hold here"
    return "holds" if 3 * variance.error <= PRECISE * law else "cannot be told here"


def _shown(measured: Noise, sampling: Sampling) -> str:
    parts = []
    for size in SIZES:
        law = variance_law(measured.trace, size, measured.m, sampling)
        parts.append(f"b = {size}: {measured.variances[size, sampling].mean:.3g} ({law:.3g})")
    return ", ".join(parts)


@dataclass(frozen=True)
class TrainingNoise:
    """The noise scale B during a training.

    Args:
        data: the name of the data.
        n: the training examples.
        batch_size: the batch size of the training.
        scales: step, B, and the ends of its 95 % interval.
    """

    data: str
    n: int
    batch_size: int
    scales: Sequence[tuple[int, float, float, float]]


def measure_training(runner: ClaimRunner) -> TrainingNoise:
    """Train one epoch with `record: [noise]`."""
    result = runner.run(runner.classifier(record=["noise"], evaluate_every={"growth": 4}))
    rows = result.noise.dropna(subset=["noise_scale"])
    columns = [rows[name].astype(float).tolist() for name in ("noise_scale", "low", "high")]
    scales = list(zip(rows["step"].astype(int).tolist(), *columns, strict=True))
    return TrainingNoise(
        runner.data, int(result.row["train_examples"]), int(result.row["batch_size"]), scales
    )


def judge_training(measured: TrainingNoise) -> list[Claim]:
    """Statement 10: one example is noise (B above 1), all examples are signal (B below n)."""
    shown = "; ".join(
        f"{step:,}: {scale:,.0f} ({low:,.0f} - {high:,.0f})"
        for step, scale, low, high in measured.scales
    )
    numbers = {"data": measured.data, "b": measured.batch_size, "n": measured.n, "shown": shown}
    severe = [above((low, high), SEVERE) for _, _, low, high in measured.scales]
    none = [at_most((low, high), measured.n / SEVERE) for _, _, low, high in measured.scales]
    verdict = all_of([*severe, *none]) if measured.scales else "cannot be told here"
    return [Claim("noise_of_training", verdict, numbers | {"least": SEVERE})]


SEVERE = 10.0
"""The variance by the squared gradient above which noise is severe; below its inverse is none."""


STUDIES = (
    Study("Statements 9 and 10: noise on the line", measure_line, judge_noise),
    Study("Statements 9 and 10: noise of a classifier", measure_classifier, judge_noise),
    Study("Statement 10: noise during a training", measure_training, judge_training),
)
