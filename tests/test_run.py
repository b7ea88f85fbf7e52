"""Runs from end to end: real Keras, real files."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import kerasbatch as kb
from kerasbatch.engine.feed import Feed
from kerasbatch.engine.fused import FusedTraining
from kerasbatch.engine.program import Program
from kerasbatch.records.files import RUN_COLUMNS


def run(spec: dict[str, Any], folder: Path, **options: Any) -> kb.Result:
    return kb.run(spec, results=folder, **options)


def numbers(result: kb.Result) -> pd.DataFrame:
    """The history without its clock."""
    return result.history.drop(columns="seconds")


def test_a_run_writes_what_it_promises(small: dict[str, Any], tmp_path: Path) -> None:
    """Files, columns, and totals that agree with each other."""
    result = run(small | {"name": "flowers"}, tmp_path)
    assert (result.status, result.row["step_check"]) == ("done", "ok")
    assert result.directory.parent == tmp_path / "flowers"
    assert sorted(p.name for p in result.directory.iterdir()) == [
        "history.csv",
        "record.json",
        "spec.yaml",
        "steps.csv",
    ]
    header = "epoch,step,examples,seconds,learning_rate,loss,accuracy,val_loss,val_accuracy"
    lines = (result.directory / "history.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == header
    assert lines[1].split(",")[:7] == ["0", "0", "0", "0.0", "0.1", "", ""]
    assert [line.split(",")[0] for line in lines[1:]] == ["0", "1", "2"]
    assert result.steps["observed_steps"].tolist() == [8, 8]
    runs = pd.read_csv(tmp_path / "flowers" / "runs.csv")
    assert runs.columns.tolist()[: len(RUN_COLUMNS)] == list(RUN_COLUMNS)
    (row,) = runs.to_dict("records")
    assert (row["planned_steps"], row["observed_steps"], row["document_steps"]) == (16, 16, 15.0)
    assert row["best_val_loss"] == result.history["val_loss"].min()
    assert row["best_val_accuracy"] == result.history["val_accuracy"].max()
    assert row["val_loss"] == result.history["val_loss"].iloc[-1]


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


def test_the_resolved_spec_runs_again(small: dict[str, Any], tmp_path: Path) -> None:
    """spec.yaml of a run gives the same run."""
    first = run(small, tmp_path)
    again = kb.run(first.directory / "spec.yaml", results=tmp_path / "other")
    assert again.directory.name == first.directory.name
    pd.testing.assert_frame_equal(numbers(first), numbers(again), check_exact=True)


LINE: dict[str, Any] = {
    "data": {"name": "line", "examples": 24, "standardise": False},
    "model": {"layers": [{"Dense": {"units": 1, "kernel_initializer": "zeros"}}]},
    "optimizer": {"name": "sgd", "learning_rate": 0.05},
    "loss": "half_mse",
    "validation": "none",
    "epochs": 3,
    "batch_size": 5,
    "evaluate_every": {"steps": 1},
    "record": ["weights", "steps"],
}


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
    from kerasbatch.workload import built_in_data

    arrays = built_in_data.load("line", examples=24)
    for epoch in (1, 2, 3):
        order = kb.example_order(24, seed=4, epoch=epoch, sampling=sampling)  # type: ignore[arg-type]
        for start in range(0, 24, size):
            chosen = order[start : start + size]
            yield arrays.x[chosen, 0].astype(float), arrays.y[chosen].astype(float)


def test_the_running_loss_is_not_disturbed_by_evaluations(
    small: dict[str, Any], tmp_path: Path
) -> None:
    """Evaluating after every step leaves the epoch's mean as it is without."""
    often = run(small | {"evaluate_every": {"steps": 1}}, tmp_path)
    seldom = run(small | {"name": "seldom"}, tmp_path)
    at_epochs = often.history[often.history["step"].isin([8, 16])]
    assert at_epochs["loss"].tolist() == seldom.history["loss"].tolist()[1:]
    assert len(often.history) == 17
    assert often.history["epoch"].iloc[1] == pytest.approx(16 / 120)


def test_without_validation_the_training_data_are_measured(
    small: dict[str, Any], tmp_path: Path
) -> None:
    """train_loss at fixed weights takes the place of val_loss."""
    result = run(small | {"validation": "none"}, tmp_path)
    assert "train_accuracy" in result.history
    assert not any(column.startswith("val_") for column in result.history)
    assert result.row["train_examples"] == 150


@pytest.mark.parametrize(
    ("budget", "steps", "last"), [({"steps": 11}, 11, 3), ({"examples": 121}, 9, 1)]
)
def test_budgets_that_end_inside_an_epoch(
    small: dict[str, Any], tmp_path: Path, budget: dict[str, int], steps: int, last: int
) -> None:
    """The run takes exactly the planned steps and is ok."""
    del small["epochs"]
    result = run(small | budget, tmp_path)
    assert (result.row["observed_steps"], result.row["step_check"]) == (steps, "ok")
    assert result.steps["check"].tolist() == ["ok", "ended_early: budget"]
    assert result.steps["observed_steps"].tolist() == [8, last]


def test_dropping_the_partial_batch(small: dict[str, Any], tmp_path: Path) -> None:
    """120 examples at 16: 7 steps, 112 examples."""
    result = run(small | {"partial_batch": "drop"}, tmp_path)
    assert result.row["step_check"] == "ok"
    assert result.steps["observed_examples"].tolist() == [112, 112]


def test_a_target_ends_the_run(small: dict[str, Any], tmp_path: Path) -> None:
    """At the first evaluation that passes it; the step check says why it is short."""
    target = {"metric": "val_accuracy", "at_least": 0.5, "stop": True}
    result = run(small | {"target": target, "epochs": 50}, tmp_path)
    assert result.status == "target"
    assert result.row["step_check"] == "ended_early: target_reached"
    assert result.history["val_accuracy"].iloc[-1] >= 0.5
    assert (result.history["val_accuracy"].iloc[:-1] < 0.5).all()


@pytest.mark.parametrize(
    ("rate", "epochs"), [(1e30, 3), (3.0, 40)], ids=["not finite", "far above the start"]
)
def test_divergence_is_a_status(tmp_path: Path, rate: float, epochs: int) -> None:
    """With epoch and step; the rows until then are kept, the last one shows it."""
    spec = LINE | {"epochs": epochs, "optimizer": {"name": "sgd", "learning_rate": rate}}
    result = run(spec | {"record": [], "evaluate_every": {"epochs": 1}}, tmp_path)
    assert result.status == "diverged"
    assert "in epoch" in result.message
    assert result.row["step_check"] == "ended_early: diverged"
    last = float(result.history["loss"].iloc[-1])
    assert not math.isfinite(last) or last > 1000 * result.history["train_loss"].iloc[0]


def _cheat_plain(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """Let the feed drop its second batch, or give the first one in its place."""
    honest = Feed.indices

    def indices(feed: Feed, first_epoch: int = 1) -> Iterator[Any]:
        first = None
        for number, chosen in enumerate(honest(feed, first_epoch)):
            first = chosen if first is None else first
            if number == 1 and how == "repeat":
                yield first
            elif number != 1 or how != "drop":
                yield chosen

    monkeypatch.setattr(Feed, "indices", indices)


def _cheat_fused(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """Let the program take its last batch in place of its first, or leave one out."""
    honest = Program.train

    def train(program: Program, arrays: Any, tags: Any, indices: Any, steps: int) -> Any:
        if how == "repeat" and steps > 1:
            indices[0] = indices[steps - 1]
        drop = 1 if how == "drop" and steps > 1 else 0
        return honest(program, arrays, tags, indices, steps - drop)

    monkeypatch.setattr(Program, "train", train)


@pytest.mark.filterwarnings("ignore:.*ran out of data:UserWarning")
@pytest.mark.parametrize(
    ("engine", "how", "check"),
    [
        ("keras", "drop", "wrong_examples"),
        ("keras", "repeat", "wrong_examples"),
        ("fused", "drop", "missing_batches"),
        ("fused", "repeat", "wrong_examples"),
    ],
)
def test_an_engine_that_cheats_is_caught(
    small: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    engine: str,
    how: str,
    check: str,
) -> None:
    """Also where the number of batches is right: the examples are told apart by their tags."""
    small |= {"batch_size": 2, "engine": engine}
    assert run(small, tmp_path).row["step_check"] == "ok"
    {"keras": _cheat_plain, "fused": _cheat_fused}[engine](monkeypatch, how)
    result = run(small, tmp_path, rerun=True)
    assert result.row["step_check"] == f"mismatch: {check}"
    assert result.steps["check"].iloc[0] == f"mismatch: {check}"


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


def test_a_sweep_that_changes_only_variables_compiles_once(
    small: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seeds and learning rates keep the program, and give the numbers of a fresh process."""
    grid = {"seed": [0, 1], "optimizer.learning_rate": [0.1, 0.01]}
    traced: list[str] = []
    honest = Program._block

    def block(program: Program, *arguments: Any) -> Any:
        traced.append("once")
        return honest(program, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Program, "_block", block)
        results = kb.run_all(small | {"sweep": grid}, results=tmp_path)
    assert len(traced) == 2  # for the full and the partial batch
    alone = small | {"seed": 1, "optimizer": {"name": "sgd", "learning_rate": 0.01}}
    fresh = run(alone, tmp_path / "alone")
    pd.testing.assert_frame_equal(numbers(results[-1]), numbers(fresh), check_exact=True)


def test_learning_rate_rules_reach_the_optimizer(small: dict[str, Any], tmp_path: Path) -> None:
    """Linear from base 32: half the rate at batch 16, in history and runs.csv."""
    result = run(small | {"learning_rate_rule": {"rule": "linear"}}, tmp_path)
    assert result.row["learning_rate"] == pytest.approx(0.05)
    assert result.row["base_learning_rate"] == 0.1
    assert result.history["learning_rate"].tolist() == pytest.approx([0.05] * 3)


def test_a_sweep_runs_one_after_the_other(small: dict[str, Any], tmp_path: Path) -> None:
    """A row each; the swept values are readable in the names."""
    results = kb.run_all(small | {"sweep": {"batch_size": [8, "full"]}}, results=tmp_path)
    assert [r.row["batch_size"] for r in results] == [8, 120]
    names = [r.directory.name.rsplit("-", 1)[0] for r in results]
    assert names == ["batch_size=8", "batch_size=full"]
    assert len(pd.read_csv(tmp_path / "experiment" / "runs.csv")) == 2
    with pytest.raises(kb.SpecError, match=r"makes 2 runs; call kerasbatch\.run_all"):
        run(small | {"sweep": {"batch_size": [8, "full"]}}, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_diverged_run_does_not_stop_a_sweep(tmp_path: Path) -> None:
    """It is an outcome, kept beside the others."""
    spec = LINE | {"record": [], "sweep": {"optimizer.learning_rate": [1e30, 0.05]}}
    results = kb.run_all(spec, results=tmp_path)
    assert [r.status for r in results] == ["diverged", "done"]


def test_faults_that_only_keras_sees_leave_no_directory(
    small: dict[str, Any], tmp_path: Path
) -> None:
    """Nothing is trained, no directory is made."""
    for wrong in (
        {"model": {"layers": [{"Dense": {"units": -1}}]}},
        {"model": "cnn"},
        {"batch_size": 121},
        {"model": "mlp", "record": ["weights"], "data": "digits"},
    ):
        with pytest.raises(kb.SpecError):
            run(small | wrong, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_run_keeps_its_rows_and_is_taken_up(
    small: dict[str, Any], tmp_path: Path
) -> None:
    """Ctrl-C ends in a status; the same command trains it again."""

    class Impatient(kb.Watcher):
        def progress(self, progress: Any) -> None:
            raise KeyboardInterrupt

    long = small | {"epochs": 3000}
    result = run(long, tmp_path, watcher=Impatient())
    assert result.status == "interrupted"
    assert result.row["step_check"] == "ended_early: interrupted"
    assert 0 < result.row["observed_steps"] < 24_000
    assert len(result.history) > 0
    assert not run(small | {"epochs": 1}, tmp_path).reused


def test_a_failing_training_is_a_status(
    small: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message is for people, the traceback is in the record."""
    from kerasbatch.engine.plain import KerasTraining

    def broken(*_: Any) -> None:
        raise RuntimeError("the cat sat on the keyboard")

    monkeypatch.setattr(KerasTraining, "fit", broken)
    result = run(small | {"engine": "keras"}, tmp_path)
    assert (result.status, result.message) == (
        "failed",
        "RuntimeError: the cat sat on the keyboard",
    )
    record = json.loads((result.directory / "record.json").read_text(encoding="utf-8"))
    assert "Traceback" in record["error"]
    assert record["row"]["train_seconds"] is None


def test_fused_where_it_cannot_work_says_why_and_what_to_use(
    small: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where `auto` would fall back, and say so."""
    monkeypatch.setattr("kerasbatch.engine.choice.MEMORY_SHARE", 0.0)
    failed = run(small | {"engine": "fused"}, tmp_path)
    assert failed.status == "failed"
    assert failed.message.startswith("the fused engine cannot work here: the data take 0.0 GB")
    assert failed.message.endswith("use engine auto or keras")
    fallen_back = run(small, tmp_path)
    assert (fallen_back.status, fallen_back.row["engine"]) == ("done", "keras")
    assert "the data take 0.0 GB, more than 0% of" in fallen_back.record["engine"]["why"]


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


def test_losses_that_an_interrupt_took_are_counted(
    small: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupt may fall between a block and the reading of its losses."""
    count, blocks = FusedTraining._count, iter(range(100))

    def interrupted(self: FusedTraining, done: Any) -> int:
        if next(blocks) == 2:
            raise KeyboardInterrupt
        return count(self, done)

    monkeypatch.setattr(FusedTraining, "_count", interrupted)
    result = run(small | {"batch_size": 1, "record": ["steps"]}, tmp_path)
    kept = len(pd.read_csv(result.directory / "steps_loss.csv"))
    lost = result.row["observed_steps"] - kept
    assert lost > 0
    assert result.message.endswith(f"; the losses of the last {lost} were not read in time")


def test_a_directory_in_use_is_named(small: dict[str, Any], tmp_path: Path) -> None:
    """One process at a time owns an experiment."""
    from kerasbatch.records.files import Experiment

    with (
        Experiment(tmp_path / "experiment").owned(),
        pytest.raises(kb.DirectoryInUse, match=r"in use by another process \(pid \d+\)"),
    ):
        run(small, tmp_path)


def test_results_that_cannot_be_written_are_said_before_training(
    small: dict[str, Any], tmp_path: Path
) -> None:
    """A file stands where the directory should be."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(kb.SpecError, match="cannot be written: Not a directory"):
        run(small, tmp_path / "file")


def test_a_target_that_the_untrained_model_meets(small: dict[str, Any], tmp_path: Path) -> None:
    """Training decides: the run ends at its first evaluation, which is recorded."""
    target = {"metric": "val_loss", "at_most": 1e9, "stop": True}
    result = run(small | {"target": target}, tmp_path)
    assert (result.status, result.row["observed_steps"]) == ("target", 8)
    assert result.history["step"].tolist() == [0, 8]


def test_a_loss_that_explodes_in_the_last_step(tmp_path: Path) -> None:
    """The running loss is from before the update; the evaluation after it shows the truth."""
    spec = LINE | {"epochs": 1, "batch_size": "full", "record": []}
    result = run(spec | {"optimizer": {"name": "sgd", "learning_rate": 1e25}}, tmp_path)
    assert result.status == "diverged"
    text = (result.directory / "record.json").read_text(encoding="utf-8")
    record = json.loads(text, parse_constant=lambda constant: pytest.fail(constant))
    assert record["row"]["train_loss"] == "inf"


def test_a_rerun_that_fails_keeps_the_old_result(
    small: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The finished one stays in its place until a new one is finished."""
    from kerasbatch.engine.plain import KerasTraining

    first = run(small, tmp_path)
    before = numbers(first)
    with monkeypatch.context() as patch:
        patch.setattr(KerasTraining, "fit", lambda *_: 1 / 0)
        failing = run(small | {"engine": "keras"}, tmp_path, rerun=True)
        assert failing.status == "failed"
    pd.testing.assert_frame_equal(numbers(first), before)
    assert run(small, tmp_path).reused
    assert not run(small, tmp_path, rerun=True).reused
    folders = [path.name for path in (tmp_path / "experiment").iterdir() if path.is_dir()]
    assert folders == [first.directory.name]


def test_a_torn_record_is_no_finished_run(small: dict[str, Any], tmp_path: Path) -> None:
    """It is trained again, and disturbs no other run."""
    first = run(small, tmp_path)
    (first.directory / "record.json").write_text('{"format": 1, "sta', encoding="utf-8")
    assert not run(small | {"seed": 2}, tmp_path).reused
    assert not run(small, tmp_path).reused


def test_the_test_part_is_measured_once_at_the_end(tmp_path: Path) -> None:
    """Where validation was taken from the training data and the data have a test part."""
    random = np.random.RandomState(0)
    x, y = random.normal(size=(40, 3)), random.randint(0, 3, 40)
    np.savez(tmp_path / "t.npz", x_train=x, y_train=y, x_test=x[:9], y_test=y[:9])
    (tmp_path / "s.yaml").write_text(
        "data: {npz: t.npz}\nmodel: mlp\noptimizer: {name: adamw, use_ema: true}\n"
        "loss: sparse_categorical_crossentropy\nmetrics: [accuracy]\nepochs: 2\nbatch_size: 8\n"
        "validation: {examples: 10}\n",
        encoding="utf-8",
    )
    result = kb.run(tmp_path / "s.yaml", results=tmp_path)
    assert result.row["train_examples"] == 30
    assert {"test_loss", "test_accuracy", "val_loss"} <= set(result.row)
    assert "test_loss" not in result.history
    with_test = (tmp_path / "s.yaml").read_text(encoding="utf-8").replace("{examples: 10}", "test")
    (tmp_path / "s.yaml").write_text(with_test, encoding="utf-8")
    assert "test_loss" not in kb.run(tmp_path / "s.yaml", results=tmp_path).row


def test_what_accumulates_is_said(small: dict[str, Any], tmp_path: Path) -> None:
    """A step is a batch there, and the weights change at every fourth."""

    class Listener(kb.Watcher):
        heard = ""

        def notice(self, message: str) -> None:
            self.heard += message

    optimizer = {"name": "sgd", "gradient_accumulation_steps": 4}
    listener = Listener()
    result = run(small | {"optimizer": optimizer}, tmp_path, watcher=listener)
    assert (result.row["observed_steps"], result.row["step_check"]) == (16, "ok")
    assert "changes the weights at every 4th" in listener.heard
