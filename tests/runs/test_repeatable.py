"""Same seed, same numbers; finished runs; runs again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from run_support import numbers, run
from small_specs import LINE

import kerasbatch as kb


def test_the_same_seed_gives_the_same_numbers(small: dict[str, Any], tmp_path: Path) -> None:
    """And another seed another order and other numbers."""
    first = numbers(run(small, tmp_path))
    again = numbers(run(small, tmp_path, rerun=True))
    other = numbers(run(small | {"seed": 1}, tmp_path))
    pd.testing.assert_frame_equal(first, again, check_exact=True)
    assert (first["loss"].iloc[1:] != other["loss"].iloc[1:]).all()


def test_a_finished_run_is_not_trained_again(small: dict[str, Any], tmp_path: Path) -> None:
    """What does not change its numbers does not change its name; `--rerun` trains again."""
    first = run(small | {"name": "x"}, tmp_path)
    second = run(small | {"name": "x", "question": "why?", "engine": "keras"}, tmp_path)
    assert (first.reused, second.reused) == (False, True)
    assert first.directory == second.directory
    assert not run(small | {"name": "x"}, tmp_path, rerun=True).reused
    assert not run(small | {"name": "x", "seed": 5}, tmp_path).reused


@pytest.mark.parametrize("sampling", ["shuffle", "replacement", "sequential"])
@pytest.mark.parametrize("size", [1, 5, "full"])
def test_every_weight_of_the_path_is_that_of_the_formulas(
    tmp_path: Path, sampling: str, size: int | str
) -> None:
    """The notes' updates by hand over our order give Keras' path: its own order is not in it."""
    result = run(LINE | {"sampling": sampling, "batch_size": size, "seed": 4}, tmp_path)
    recorded = pd.read_csv(result.directory / "weights.csv")
    losses = pd.read_csv(result.directory / "steps_loss.csv")["loss"]
    theta, path, loss_path = np.zeros(2), [np.zeros(2)], []
    for x, y in _batches(sampling, 24 if size == "full" else int(size)):
        error = theta[0] + theta[1] * x - y
        loss_path.append((error**2).mean() / 2)
        theta = theta - 0.05 * np.array([error.mean(), (error * x).mean()])
        path.append(theta)
    assert np.allclose(
        recorded.filter(like="bias").to_numpy()[:, 0], [t[0] for t in path], atol=1e-5
    )
    assert np.allclose(
        recorded.filter(like="kernel").to_numpy()[:, 0], [t[1] for t in path], atol=1e-5
    )
    assert np.allclose(losses, loss_path, rtol=1e-4)
    assert recorded["step"].tolist() == list(range(len(path)))


def _batches(sampling: str, size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    from kerasbatch.data import builtin

    arrays = builtin.load_builtin("line", examples=24)
    for epoch in (1, 2, 3):
        order = kb.example_order(24, seed=4, epoch=epoch, sampling=sampling)  # type: ignore[arg-type]
        for start in range(0, 24, size):
            chosen = order[start : start + size]
            yield arrays.x[chosen, 0].astype(float), arrays.y[chosen].astype(float)


@pytest.mark.parametrize("keys", [{}, {"partial_batch": "drop"}, {"sampling": "replacement"}])
def test_both_engines_give_the_same_numbers(
    small: dict[str, Any], tmp_path: Path, keys: dict[str, Any]
) -> None:
    """Same seed, same batches, same history up to rounding; also where no compiling would pay."""
    spec = small | {"batch_size": 7, "evaluate_every": {"steps": 5}, "record": ["steps"]} | keys
    fused = run(spec | {"engine": "fused"}, tmp_path / "fused")
    plain = run(spec | {"engine": "keras"}, tmp_path / "plain")
    assert (fused.row["engine"], plain.row["engine"]) == ("fused", "keras")
    pd.testing.assert_frame_equal(numbers(fused), numbers(plain), rtol=1e-4, atol=1e-6)
    pd.testing.assert_frame_equal(fused.steps, plain.steps)
    mine, theirs = (pd.read_csv(r.directory / "steps_loss.csv") for r in (fused, plain))
    pd.testing.assert_frame_equal(mine, theirs, rtol=1e-4, atol=1e-6)


def test_a_result_of_another_engine_is_named(small: dict[str, Any], tmp_path: Path) -> None:
    """The engine is no part of a run's identity, so the old result stands; nobody is misled."""
    heard: list[str] = []

    class Listener(kb.Watcher):
        def notice(self, message: str) -> None:
            heard.append(message)

    run(small | {"engine": "keras"}, tmp_path)
    again = run(small | {"engine": "fused"}, tmp_path, watcher=Listener())
    assert again.reused
    assert heard == [
        f"{again.directory.name} was trained earlier by engine keras; --rerun trains it by fused"
    ]
    heard.clear()
    run(small, tmp_path, watcher=Listener())
    assert heard == []


def test_a_rerun_that_fails_keeps_the_old_result(
    small: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The finished one stays in its place until a new one is finished."""
    from kerasbatch.engine.training.plain import PlainTraining

    first = run(small, tmp_path)
    before = numbers(first)
    with monkeypatch.context() as patch:
        patch.setattr(PlainTraining, "fit", lambda *_: 1 / 0)
        failing = run(small | {"engine": "keras"}, tmp_path, rerun=True)
        assert failing.status == "failed"
    pd.testing.assert_frame_equal(numbers(first), before)
    assert run(small, tmp_path).reused
    assert not run(small, tmp_path, rerun=True).reused
    folders = [path.name for path in (tmp_path / "experiment").iterdir() if path.is_dir()]
    assert folders == [first.directory.name]
