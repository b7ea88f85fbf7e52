"""Claims about speed, memory and learning rates on a classifier: statements 1, 8, 9 and 12."""

import math
import statistics
from collections.abc import Iterator

import numpy as np
import pandas as pd

from kerasbatch.analysis.comparison.compare import compare
from kerasbatch.analysis.loading.load import load
from kerasbatch.claims.claim import Claim, by_error, by_ratio
from kerasbatch.claims.claim_runner import ClaimRunner
from kerasbatch.sampling import example_order
from kerasbatch.types import BatchSize

SEPARATE = 600.0
"""A time limit in seconds; a run with a limit is trained in its own process."""
TARGET = {"metric": "val_accuracy", "at_least": 0.9, "stop": True}
RATES = {1: [0.001, 0.004, 0.016], 32: [0.03, 0.12, 0.5], "full": [0.1, 0.4, 1.6]}
EPOCHS = {1: 5, 32: 10, "full": 200}


def vectorised(runner: ClaimRunner) -> Iterator[Claim]:
    """Statements 1 and 8: many examples at once; the advantage that batch size 1 gives up."""
    sizes: tuple[BatchSize, ...] = (1, 16, 128, "full")
    rounds = runner.speeds(runner.classifier(), sizes)
    speeds = {
        size: statistics.median(round_speeds[size] for round_speeds in rounds) for size in rounds[0]
    }
    shown = ", ".join(f"b = {size:,}: {speed:,.0f}" for size, speed in speeds.items())
    ratio = max(speeds.values()) / speeds[1]
    for number, statement, korean in (
        ("1", "Data are vectorised and processed in parallel", "데이터를 벡터화하여 병렬 처리"),
        ("8", "At batch size 1 the advantage of vectorisation is lost", "벡터화의 이점을 잃음"),
    ):
        yield Claim(
            f"{number}. {statement}",
            korean,
            f"examples per second, {runner.data}, mlp: {shown}",
            by_ratio(ratio, 3.0, 1.2),
            f"the best size does {ratio:.1f} times what batch size 1 does; holds from 3 times on, "
            "roughly from 1.2",
        )


def memory(runner: ClaimRunner) -> Iterator[Claim]:
    """Statement 1: with too many examples at once there is not enough memory."""
    spec = runner.classifier(engine="keras", model="cnn", validation="none")
    n = len(runner.arrays(spec)[1].x_train)
    candidates = (16, 2048) if runner.quick else (16, 512, 2048)
    sizes = sorted({min(size, n) for size in candidates})
    peaks = {}
    for size in sizes:
        run_spec = {**spec, "batch_size": size, "steps": 2}
        del run_spec["epochs"]
        peaks[size] = runner.run(run_spec, timeout=SEPARATE).row["peak_memory_mb"]
    if None in peaks.values():
        return  # the system does not report peak memory
    slope, base = np.polyfit(list(peaks), list(peaks.values()), 1)
    growth = peaks[sizes[-1]] / peaks[sizes[0]] - 1
    shown = ", ".join(f"b = {size:,}: {peak:,.0f} MB" for size, peak in peaks.items())
    limit = _memory_limit_note(float(slope), float(base), growth)
    yield Claim(
        "1. With too many examples there is not enough memory; so they are divided",
        "데이터가 너무 많으면 메모리가 부족",
        f"peak memory in fresh processes, {runner.data}, cnn, plain fit: {shown}{limit}",
        by_ratio(1 + growth, 1.2, 1.02),
        f"the largest batch takes {growth:.0%} more than the smallest; holds from 20 % on, roughly "
        "from 2 %: what the program itself takes hides small batches",
    )


def _memory_limit_note(slope: float, base: float, growth: float) -> str:
    if growth < 0.02 or slope <= 0:
        return ""
    return f"; by the line through them 16 GB are passed at b = {(16_000 - base) / slope:,.0f}"


def drawn_at_random(runner: ClaimRunner) -> Iterator[Claim]:
    """Statement 8: one example at random, possibly the same one again."""
    n = 10_000
    seen = len(np.unique(example_order(n, seed=0, epoch=1, sampling="replacement")))
    passes = len(np.unique(example_order(n, seed=0, epoch=1)))
    expected = 1 - (1 - 1 / n) ** n
    yield Claim(
        "8. Stochastic: one example drawn at random, the same one may be drawn again",
        "무작위로 하나 선택 (중복 가능)",
        f"{n:,} draws of {n:,} meet {seen / n:.1%} of the examples (expected {expected:.1%}); "
        f"Keras, and sampling: shuffle here, meet {passes / n:.0%}",
        by_error(seen / n - expected, 0.01, 0.05) if passes == seen else "holds roughly",
        "as the notes say with sampling: replacement; what Keras calls shuffling draws every "
        "example once an epoch",
    )


def learning(runner: ClaimRunner) -> Iterator[Claim]:
    """Statements 8, 9 and 12, from one sweep with three learning rates for every size."""
    spec = runner.classifier(evaluate_every={"growth": 1.1}, target=TARGET)
    del spec["epochs"]
    sweep = {
        "batch_size": list(RATES),
        "epochs": {"per_batch_size": EPOCHS},
        "optimizer.learning_rate": {"per_batch_size": RATES},
        "seed": [0] if runner.quick else [0, 1, 2],
    }
    runner.sweep({**spec, "epochs": 1, "sweep": sweep}, "learning")
    loaded = load(runner.folder / "learning")
    table = compare(loaded, target="val_accuracy>=0.9").table.set_index("batch_size")
    full = int(table.index.max())
    yield from _first_epoch_claims(loaded.history, table, full)
    yield from _target_claims(table, full)
    yield _best_rates_claim(table, full)


def _first_epoch_claims(history: pd.DataFrame, table: pd.DataFrame, full: int) -> Iterator[Claim]:
    accuracies = {}
    for size in table.index:
        rows = history[history["batch_size"].isin([size, "full" if size == full else size])]
        rows = rows[(rows["learning_rate"] == table["learning_rate"][size]) & (rows["epoch"] <= 1)]
        accuracies[size] = float(rows.groupby("seed")["val_accuracy"].last().median())
    shown = ", ".join(f"b = {size:,}: {value:.3f}" for size, value in accuracies.items())
    gain = (accuracies[1] + 0.001) / (accuracies[full] + 0.001)
    yield Claim(
        "8. Weights are updated often, so learning progresses quickly",
        "가중치를 자주 업데이트하여 학습이 빠름",
        f"validation accuracy after one epoch, at each size's best learning rate: {shown}",
        by_ratio(gain, 1.5, 1.05),
        f"by epochs batch size 1 stands at {gain:.1f} times the accuracy of the full batch; holds "
        "from 1.5 times on",
    )


def _target_claims(table: pd.DataFrame, full: int) -> Iterator[Claim]:
    seconds, examples = table["seconds_to_target"], table["examples_to_target"]
    shown = ", ".join(f"b = {size:,}: {seconds[size]:.3g} s" for size in table.index)
    ratio = _speedup(seconds[32], seconds[1])
    yield Claim(
        "8. ... and per second, too? (the notes do not say)",
        "초당으로는?",
        f"seconds of training to val_accuracy 0.9: {shown}",
        by_ratio(ratio, 1.0, 0.5),
        f"batch size 1 is {_show_factor(ratio)} times as fast as 32; holds from 1 on, roughly "
        "from 0.5",
    )
    passes = examples / full
    shown = ", ".join(f"b = {size:,}: {passes[size]:.2f}" for size in table.index)
    ratio = _speedup(passes[full], passes[1])
    yield Claim(
        "8. Relatively few epochs are used",
        "상대적으로 적은 에폭을 사용",
        f"epochs to val_accuracy 0.9: {shown}",
        by_ratio(ratio, 3.0, 1.1),
        f"full batch needs {_show_factor(ratio)} times the epochs of batch size 1; holds from 3 "
        "times on",
    )
    ratio = _speedup(seconds[full], seconds[32])
    yield Claim(
        "9. Mini-batch finds the optimum faster than full batch",
        "미니배치: 배치 경사하강법보다 빠르게 최적값을 찾음",
        f"seconds to val_accuracy 0.9: b = 32 {seconds[32]:.3g}, full {seconds[full]:.3g}; "
        f"examples {examples[32]:,.0f} and {examples[full]:,.0f}",
        by_ratio(ratio, 1.5, 1.0),
        f"{_show_factor(ratio)} times as fast; holds from 1.5 times on",
    )


def _best_rates_claim(table: pd.DataFrame, full: int) -> Claim:
    rates = table["learning_rate"]
    shown = ", ".join(f"b = {size:,}: {rates[size]:g}" for size in table.index)
    growth = rates[32] / rates[1]
    return Claim(
        "12. How does learning (the learning rate) change with the batch size?",
        "배치 크기에 따라 학습률은 어떻게 변하는가?",
        f"best of three learning rates for each size: {shown}",
        by_ratio(growth, 4.0, 1.1),
        f"the notes ask; measured: from 1 to 32 it grows {growth:g} times (the linear rule: 32), "
        f"from 32 to all {_show_factor(rates[full] / rates[32])} times: it cannot grow beyond what "
        "the curvature allows; holds where it grows 4 times and more",
    )


def _show_factor(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.2g}"


def _speedup(slow: float, fast: float) -> float:
    """Return the speedup; NaN, a target that was not reached, counts as infinitely slow."""
    if math.isnan(fast):
        return 0.0
    return math.inf if math.isnan(slow) else slow / fast


def powers_of_two(runner: ClaimRunner) -> Iterator[Claim]:
    """Statement 9: the batch size is usually a power of two."""
    rounds = runner.speeds(runner.classifier(), (63, 64, 65))
    gains = sorted(speeds[64] / max(speeds[63], speeds[65]) for speeds in rounds)
    shown = ", ".join(
        f"b = {size}: {statistics.median(speeds[size] for speeds in rounds):,.0f}"
        for size in rounds[0]
    )
    yield Claim(
        "9. The batch size is usually a power of two",
        "배치 크기는 보통 2의 거듭제곱",
        f"examples per second: {shown}",
        by_ratio(gains[0], 1.1, 1.03),
        f"a custom; in {len(gains)} rounds 64 did {gains[0] - 1:+.1%} to {gains[-1] - 1:+.1%} "
        "against the better of its neighbours; holds from +10 % on in the worst of them, roughly "
        "from +3 %",
    )


CLAIMS = (vectorised, memory, drawn_at_random, learning, powers_of_two)
