"""With use_ema, history, target, recorded weights and kept models are those of the averages."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from run_support import numbers, run
from small_specs import LINE

import kerasbatch as kb

MOMENTUM = 0.8
EMA = {"name": "sgd", "learning_rate": 0.05, "use_ema": True, "ema_momentum": MOMENTUM}
OWN = """\
import keras


def swap():
    return keras.callbacks.SwapEMAWeights(swap_on_epoch=True)
"""


def weights_of(result: kb.Result) -> pd.DataFrame:
    return pd.read_csv(result.directory / "weights.csv", index_col="step")


def averages(weights: pd.DataFrame) -> np.ndarray:
    """Return the moving averages of weights; the untrained ones are no part of them."""
    rows = weights.to_numpy()
    average, values = rows[1], [rows[0], rows[1]]
    for row in rows[2:]:
        average = MOMENTUM * average + (1 - MOMENTUM) * row
        values.append(average)
    return np.array(values)


@pytest.mark.parametrize("engine", [pytest.param("keras", marks=pytest.mark.slow), "fused"])
def test_every_row_is_that_of_the_averages(tmp_path: Path, engine: str) -> None:
    """The averages of the weights of the same training without them; the steps are the same."""
    target = {"metric": "train_loss", "at_most": 2.5}
    spec = LINE | {"optimizer": EMA, "target": target, "engine": engine, "save": ["last", "best"]}
    plain = run(LINE | {"engine": engine, "name": "plain"}, tmp_path)
    result = run(spec, tmp_path)
    expected = averages(weights_of(plain))
    np.testing.assert_allclose(weights_of(result).to_numpy(), expected, rtol=2e-5, atol=1e-6)
    losses = result.history.set_index("step")["train_loss"]
    assert losses[1:].tolist() != plain.history["train_loss"][1:].tolist()
    (first, *_) = losses.index[(losses <= 2.5) & (losses.index > 0)]
    assert result.row["steps_to_target"] == first
    last = [w.ravel() for w in result.model("last").get_weights()]
    np.testing.assert_allclose(np.concatenate(last), expected[-1], rtol=2e-5)
    best = [w.ravel() for w in result.model("best").get_weights()]
    at = int(np.argmin(losses.to_numpy()[1:])) + 1
    np.testing.assert_allclose(np.concatenate(best), expected[at], rtol=2e-5)


def test_early_stopping_restores_what_was_measured(tmp_path: Path) -> None:
    """The averages of its best epoch."""
    stopping = {"EarlyStopping": {"monitor": "train_loss", "restore_best_weights": True}}
    changes: dict[str, Any] = {"optimizer": EMA | {"learning_rate": 0.3}, "callbacks": [stopping]}
    changes |= {"evaluate_every": {"epochs": 1}, "epochs": 12, "save": "last"}
    result = run(LINE | changes, tmp_path)
    weights = weights_of(result)
    best = result.history.set_index("step")["train_loss"].iloc[1:].idxmin()
    last = np.concatenate([w.ravel() for w in result.model("last").get_weights()])
    np.testing.assert_allclose(last, weights.loc[best].to_numpy(), rtol=2e-5)
    assert result.row["train_loss"] == pytest.approx(result.row["best_train_loss"])


def test_a_callback_that_swaps_the_weights_itself(tmp_path: Path) -> None:
    """SwapEMAWeights changes neither the training nor what is measured."""
    (tmp_path / "own.py").write_text(OWN, encoding="utf-8")
    spec = LINE | {"optimizer": EMA, "evaluate_every": {"epochs": 1}, "save": "last"}
    alone = run(spec, tmp_path)
    own = {"callbacks": [{"python": str(tmp_path / "own.py:swap")}], "name": "own"}
    swapped = run(spec | own, tmp_path, trust=True)
    pd.testing.assert_frame_equal(numbers(alone), numbers(swapped), rtol=1e-5)
    for one, other in zip(
        alone.model("last").get_weights(),
        swapped.model("last", trust=True).get_weights(),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, rtol=1e-5)
