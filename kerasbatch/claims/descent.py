"""Claims about gradient descent on the example of the notes, a line: statements 6, 9 and 10."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from kerasbatch.benchmark.timers import build_for_batch_size
from kerasbatch.claims.claim import Claim, by_error, by_ratio
from kerasbatch.claims.claim_runner import ClaimRunner
from kerasbatch.claims.gradient_variance import Gradients, variance_law
from kerasbatch.records.run_status import RunStatus
from kerasbatch.runs.result import Result
from kerasbatch.spec.trust import Access
from kerasbatch.types import Sampling

EXAMPLES, ALPHA = 200, 0.05
LINE: dict[str, Any] = {
    "data": {"name": "line", "examples": EXAMPLES, "standardize": False},
    "model": {
        "layers": [
            {
                "Dense": {
                    "units": 1,
                    "kernel_initializer": {"name": "Constant", "value": -1.0},
                    "bias_initializer": {"name": "Constant", "value": 4.0},
                }
            }
        ]
    },
    "optimizer": {"name": "sgd", "learning_rate": ALPHA},
    "loss": "half_mse",
    "validation": "none",
    "epochs": 100,
    "batch_size": 32,
    "evaluate_every": {"steps": 1},
    "record": ["weights"],
}
METHODS: dict[str, Any] = {
    "batch_size": [1, 32, "full"],
    "epochs": {"per_batch_size": {1: 3, 32: 20, "full": 100}},
}
SIZES = (1, 4, 32)
BATCHES = 400


def derivatives(runner: ClaimRunner) -> Iterator[Claim]:
    """Statement 6: the derivatives of J, compared with the gradient that Keras computes."""
    model, gradients = _line_gradients(runner)
    x, y = gradients.x[:, 0].astype(np.float64), gradients.y.astype(np.float64)
    errors = []
    for theta in ((0.0, 0.0), (4.0, -1.0), (-2.0, 3.0)):
        model.set_weights([np.array([[theta[1]]]), np.array([theta[0]])])
        slope, intercept = gradients.of(np.arange(len(x)))
        residuals = theta[0] + theta[1] * x - y
        errors += [abs(intercept - residuals.mean()), abs(slope - (residuals * x).mean())]
    yield Claim(
        "6. dJ/dtheta0 = 1/m sum (h(x_i) - y_i), dJ/dtheta1 = 1/m sum (h(x_i) - y_i) x_i",
        "목적 함수 J의 편미분",
        f"Keras' gradient of half_mse at 3 thetas, m = {EXAMPLES}: at most {max(errors):.1e} away",
        by_error(max(errors), 1e-5, 1e-3),
        "tolerance 1e-5, for float32; Keras' own mse has no 1/2, its gradient is twice as large",
    )


def _line_gradients(runner: ClaimRunner) -> tuple[keras.Model, Gradients]:
    spec, data = runner.arrays({**LINE, "name": "claim"})
    model = build_for_batch_size(spec, Access(runner.folder), data, 1)
    return model, Gradients(model, data.x_train, data.y_train)


def closed_form(runner: ClaimRunner) -> Iterator[Claim]:
    """Statement 6: both thetas are updated at once, and alpha decides whether that converges."""
    result = runner.run({**LINE, "name": "claim", "epochs": 50, "batch_size": "full"})
    objective = result.record["objective"]
    optimum, hessian = np.array(objective["optimum"]), np.array(objective["hessian"])
    thetas = _thetas(result)
    step = np.eye(2) - ALPHA * hessian
    offset = thetas[0] - optimum
    expected = [optimum + np.linalg.matrix_power(step, t) @ offset for t in range(len(thetas))]
    error = float(np.abs(thetas - expected).max())
    yield Claim(
        "6. theta_j := theta_j - alpha dJ/dtheta_j, both at once",
        "θ를 동시에 업데이트하는 경사하강법",
        f"50 steps of full-batch descent lie at most {error:.1e} from the closed form "
        "(I - alpha H)^t",
        by_error(error, 1e-5, 1e-3),
        "tolerance 1e-5, for float32",
    )
    limit = 2 / float(np.linalg.eigvalsh(hessian).max())
    ends = {
        share: runner.run(
            {
                **LINE,
                "name": "claim",
                "epochs": 300,
                "batch_size": "full",
                "evaluate_every": {"epochs": 100},
                "optimizer": {"name": "sgd", "learning_rate": share * limit},
            }
        ).status
        for share in (0.98, 1.02)
    }
    right = ends == {0.98: RunStatus.DONE, 1.02: RunStatus.DIVERGED}
    yield Claim(
        "6. J is minimised by gradient descent",
        "J를 최소화",
        f"alpha at 0.98 of 2 / lambda_max = {limit:.4f}: {ends[0.98]}; at 1.02 of it: {ends[1.02]}",
        "holds" if right else "does not hold here",
        "only where alpha lies below 2 / lambda_max; the notes do not say so",
    )


def _thetas(result: Result) -> Any:
    return result.weights[result.record["objective"]["weights"]].to_numpy()


def table_of_methods(runner: ClaimRunner) -> Iterator[Claim]:
    """Statement 10: data per update, approach to the optimum, noise; and 9: less noise."""
    results = runner.sweep({**LINE, "sweep": METHODS}, "methods")
    per_step = [int(r.row["examples"] / r.row["observed_steps"]) for r in results]
    yield Claim(
        "10. Data per update: all of them, or one drawn at random",
        "업데이트에 사용하는 데이터: 전체 / 무작위 1개",
        f"examples per step, b = 1, 32, full: {', '.join(map(str, per_step))}",
        "holds" if (per_step[0], per_step[-1]) == (1, EXAMPLES) else "does not hold here",
        "counted; at 32 the last batch of an epoch is smaller",
    )
    yield _approach_claim(results)
    yield from _line_noise_claims(runner)


def _approach_claim(results: list[Result]) -> Claim:
    descriptions, ends, starts = [], [], []
    for result in results:
        distance = np.linalg.norm(
            _thetas(result) - np.array(result.record["objective"]["optimum"]), axis=1
        )
        last = distance[len(distance) * 3 // 4 :]
        starts.append(distance[0])
        ends.append(float(np.sqrt((last**2).mean())))
        descriptions.append(f"b = {result.row['batch_size']}: {distance[0]:.2f} to {ends[-1]:.3f}")
    share = max(end / start for end, start in zip(ends, starts, strict=True))
    return Claim(
        "10. Both approach the optimum as they repeat",
        "반복할수록 둘 다 최적값에 가까워짐",
        f"distance to the optimum, at the start and over the last quarter of the steps: "
        f"{'; '.join(descriptions)}",
        by_error(share, 0.03, 0.2),
        "holds where all come within 3 % of where they began, roughly within 20 %: at a constant "
        "learning rate the single example hovers around the optimum instead of reaching it",
    )


def _line_noise_claims(runner: ClaimRunner) -> Iterator[Claim]:
    _, gradients = _line_gradients(runner)
    batches = BATCHES // 4 if runner.quick else BATCHES
    yield from noise_claims("the line", gradients, SIZES, batches)


def noise_of_classifier(runner: ClaimRunner) -> Iterator[Claim]:
    """Statements 9 and 10 without a closed form."""
    spec, data = runner.arrays(runner.classifier())
    model = build_for_batch_size(spec, Access(runner.folder), data, 32)
    subset = slice(0, 300 if runner.quick else 1000)
    x = data.x_train[subset].astype(np.float32) * (data.scale or 1.0)
    gradients = Gradients(model, x, data.y_train[subset])
    batches = BATCHES // 4 if runner.quick else BATCHES
    name = f"{runner.data}, {len(x):,} examples, the untrained mlp"
    yield from noise_claims(name, gradients, SIZES, batches)


def noise_claims(
    name: str, gradients: Gradients, sizes: tuple[int, ...], batches: int
) -> Iterator[Claim]:
    """Yield claims about the variance of batch gradients, compared with the exact law."""
    m, trace = len(gradients.x), gradients.trace()
    samplings: tuple[Sampling, ...] = ("shuffle", "replacement")
    variances = {
        (size, sampling): gradients.variance(size, sampling, max(batches, m if size == 1 else 0))
        for size in sizes
        for sampling in samplings
    }
    deviation = max(
        abs(value / variance_law(trace, size, m, sampling) - 1)
        for (size, sampling), value in variances.items()
    )
    shown = "; ".join(
        f"b = {size}: {variances[size, 'shuffle']:.3g} by passes (law "
        f"{variance_law(trace, size, m, 'shuffle'):.3g}), {variances[size, 'replacement']:.3g} "
        f"drawn with replacement (law {variance_law(trace, size, m, 'replacement'):.3g})"
        for size in sizes
    )
    yield Claim(
        "10. Noise: almost none (all data), comparatively severe (one example)",
        "노이즈: 거의 없음 / 비교적 심함",
        f"{name}, variance of the batch gradient: {shown}; all {m:,} examples: 0",
        by_error(deviation, 0.3, 1.0),
        f"the law is tr(Sigma) / b, times (m - b) / (m - 1) in passes; at most {deviation:.0%} "
        "off, tolerance 30 %, for so few batches",
    )
    first, last = sizes[0], sizes[-1]
    ratio = variances[first, "shuffle"] / variances[last, "shuffle"]
    yield Claim(
        "9. Mini-batch reduces SGD's noise",
        "미니배치: 확률적 경사하강법의 노이즈를 줄임",
        f"{name}: the variance at b = {first} is {ratio:.1f} times that at b = {last}",
        by_ratio(ratio, last / 2, 1.5),
        f"holds from {last / 2:g} times on; the law says {last} with replacement, more in passes",
    )


def noise_of_training(runner: ClaimRunner) -> Iterator[Claim]:
    """Statement 10 during the training of a classifier: noise and signal, by `record: [noise]`."""
    interval = {"growth": 4}
    result = runner.run(runner.classifier(record=["noise"], evaluate_every=interval))
    noise = result.noise.dropna(subset=["noise_scale"])
    n = int(result.row["train_examples"])
    shown = "; ".join(
        f"step {row.step:,}: {row.noise_scale:,.0f} ({row.low:,.0f} to {row.high:,.0f})"
        for row in noise.itertuples()
    )
    lowest, highest = noise["noise_scale"].min(), noise["noise_scale"].max()
    verdict = by_ratio(lowest, 10, 1)
    yield Claim(
        "10. Noise: almost none (all data), comparatively severe (one example)",
        "노이즈: 거의 없음 / 비교적 심함",
        f"{runner.data}, one epoch at b = {result.row['batch_size']}: noise scale B, with its "
        f"95 % interval, at {shown}; so the variance of one example's gradient is {lowest:,.0f} "
        f"to {highest:,.0f} times the squared gradient, that of all {n:,} drawn anew at most "
        f"{highest / n:.2g} times",
        verdict if highest < n else "does not hold here",
        "B / b is variance over squared gradient at batch size b; holds from B = 10 on, while "
        "B stays below n",
    )


CLAIMS = (derivatives, closed_form, table_of_methods, noise_of_classifier, noise_of_training)
