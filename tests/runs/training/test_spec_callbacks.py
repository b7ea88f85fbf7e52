"""Callbacks in a spec: they hear of evaluations as of Keras' own validation."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from run_support import run

import kerasbatch as kb
from kerasbatch.data import run_data as spec_data
from kerasbatch.records.files import dump_yaml
from kerasbatch.spec import reader
from kerasbatch.spec.trust import Access

DIGITS: dict[str, Any] = {
    "data": {"name": "digits", "train_examples": 400},
    "model": {"layers": ["Flatten", {"Dense": {"units": 10, "activation": "softmax"}}]},
    "optimizer": {"name": "sgd", "learning_rate": 0.5},
    "loss": "sparse_categorical_crossentropy",
    "metrics": ["accuracy"],
    "epochs": 60,
    "batch_size": 16,
}
STOPPING = {"EarlyStopping": {"monitor": "val_accuracy", "patience": 3}}


@pytest.mark.parametrize("engine", ["fused", "keras"])
def test_early_stopping_ends_a_run(tmp_path: Path, engine: str) -> None:
    """Three evaluations without a better one; the step check says why, and nothing failed."""
    result = run(DIGITS | {"callbacks": [STOPPING], "engine": engine}, tmp_path)
    values = result.history["val_accuracy"][1:].tolist()
    best = int(np.argmax(values))
    assert len(values) == best + 4 < 60
    assert result.status == "done"
    assert result.row["step_check"] == "ended_early: early_stop"
    assert set(result.steps["check"]) == {"ok"}
    assert result.message.endswith("planned steps: stopped by EarlyStopping")


def test_the_engines_stop_at_the_same_step(tmp_path: Path) -> None:
    """The batches are the same, so are the numbers."""
    spec = DIGITS | {"callbacks": [STOPPING]}
    fused = run(spec | {"engine": "fused"}, tmp_path / "a")
    plain = run(spec | {"engine": "keras"}, tmp_path / "b")
    assert fused.row["observed_steps"] == plain.row["observed_steps"]


def test_early_stopping_decides_as_in_keras_own_fit(tmp_path: Path) -> None:
    """Keras' EarlyStopping in Keras' own fit, fed with the values of our history."""
    result = run(DIGITS | {"callbacks": [STOPPING]}, tmp_path)
    values = result.history["val_accuracy"][1:].tolist()
    stopping = keras.callbacks.EarlyStopping(monitor="val_accuracy", patience=3, mode="max")
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    stopping.set_model(model)
    model.stop_training = False
    stopping.on_train_begin()
    for epoch, value in enumerate(values):
        assert not model.stop_training
        stopping.on_epoch_end(epoch, {"val_accuracy": value})
    assert model.stop_training


def test_the_best_weights_are_restored_and_kept(tmp_path: Path) -> None:
    """The last model then is the best one."""
    given = STOPPING["EarlyStopping"] | {"restore_best_weights": True}
    spec = DIGITS | {"callbacks": [{"EarlyStopping": given}], "save": ["last", "best"]}
    spec |= {"target": {"metric": "val_accuracy", "at_least": 2}}
    result = run(spec, tmp_path)
    last, best = result.model("last"), result.model("best")
    assert "the weights at the end are those of epoch" in result.message
    for one, other in zip(last.get_weights(), best.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_plateau_lowers_the_rate_of_the_history(tmp_path: Path) -> None:
    """From the next evaluation on; and the next run of the same program begins with its own."""
    plateau = {"ReduceLROnPlateau": {"monitor": "val_loss", "patience": 1, "factor": 0.5}}
    spec = DIGITS | {"callbacks": [plateau], "epochs": 40, "sweep": {"seed": [0, 1]}}
    first, second = kb.run_all(spec, results=tmp_path, jobs=1)
    rates = first.history["learning_rate"].tolist()
    assert rates[0] == second.history["learning_rate"][0] == 0.5
    assert min(rates) < 0.5
    assert rates == sorted(rates, reverse=True)


def test_a_metric_that_is_better_higher_is_known_as_such(tmp_path: Path) -> None:
    """Keras' own guess takes every name without acc for a loss."""
    plateau = {"ReduceLROnPlateau": {"monitor": "val_SparseTopKCategoricalAccuracy"}}
    made = _make(DIGITS | {"metrics": ["SparseTopKCategoricalAccuracy"], "callbacks": [plateau]})
    assert made[0].mode == "max"
    assert _make(DIGITS | {"callbacks": ["EarlyStopping"]})[0].mode == "min"


def _make(spec: dict[str, Any]) -> list[Any]:
    from kerasbatch.models import callbacks

    return callbacks.make_callbacks(reader.spec_from_dict(spec).spec, Access(Path()), Path())


def test_evaluations_further_apart_are_what_patience_counts(tmp_path: Path) -> None:
    """Every second epoch: no warning of a value that is not there."""
    spec = DIGITS | {"callbacks": [STOPPING], "evaluate_every": {"epochs": 2}}
    result = run(spec, tmp_path)
    values = result.history["val_accuracy"][1:].tolist()
    assert len(values) == int(np.argmax(values)) + 4


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"callbacks": ["EarlyStoping"]}, r"callbacks\[0\]: unknown callback .* EarlyStopping\?"),
        ({"callbacks": ["ModelCheckpoint"]}, "it writes files; write save: best"),
        ({"callbacks": [{"EarlyStopping": {"patiense": 3}}]}, "did you mean patience"),
        (
            {"callbacks": [{"EarlyStopping": {"monitor": "val_acuracy"}}]},
            r"EarlyStopping.monitor: EarlyStopping watches val_acuracy, .* mean val_accuracy\?",
        ),
        (
            {"callbacks": ["EarlyStopping"], "validation": "none"},
            "watches val_loss, which this spec does not measure; .* train_loss",
        ),
        (
            {"callbacks": ["EarlyStopping"], "evaluate_every": {"growth": 1.1}},
            "the evaluations are not at the ends of epochs, where Keras calls callbacks",
        ),
        ({"callbacks": ["EarlyStopping"], "evaluate_every": {}}, "found none of them"),
        (
            {
                "callbacks": ["ReduceLROnPlateau"],
                "optimizer": {
                    "name": "sgd",
                    "learning_rate": {
                        "name": "ExponentialDecay",
                        "initial_learning_rate": 0.1,
                        "decay_steps": 10,
                        "decay_rate": 0.9,
                    },
                },
            },
            "cannot set the rate beside a schedule",
        ),
        ({"callbacks": "EarlyStopping"}, "must be a list of callbacks"),
        ({"callbacks": [{"python": "own.py"}]}, "must be a file and a function in it"),
    ],
)
def test_callbacks_that_mean_nothing(changed: dict[str, Any], words: str) -> None:
    """Told before anything is loaded."""
    with pytest.raises(kb.SpecError, match=words):
        reader.spec_from_dict(DIGITS | changed)


def test_a_wrong_value_is_named_by_its_line(tmp_path: Path) -> None:
    """Before a directory is made."""
    text = dump_yaml(DIGITS | {"callbacks": [{"ReduceLROnPlateau": {"factor": 1.5}}]})
    (tmp_path / "s.yaml").write_text(text, encoding="utf-8")
    line = text.splitlines().index("- ReduceLROnPlateau:") + 2
    with pytest.raises(kb.SpecError, match=rf"s.yaml:{line}:.*factor: found 1.5; must be"):
        kb.run(tmp_path / "s.yaml", results=tmp_path / "r")
    assert not (tmp_path / "r").exists()


OWN = """
import keras

class Heard(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        with open({file!r}, "a") as stream:
            print(epoch, sorted(logs), file=stream)
        self.model.stop_training = epoch == 1

def make():
    return Heard()

def nothing():
    return None
"""


def test_callbacks_of_ones_own_need_trust_and_hear_everything(tmp_path: Path) -> None:
    """Logs hold training and evaluation; their code is part of the run's identity."""
    heard = tmp_path / "heard.txt"
    (tmp_path / "own.py").write_text(OWN.format(file=str(heard)), encoding="utf-8")
    spec = DIGITS | {"callbacks": [{"python": "own.py:make"}]}
    (tmp_path / "s.yaml").write_text(dump_yaml(spec), encoding="utf-8")
    with pytest.raises(kb.SpecError, match="runs Python code; add --trust"):
        kb.run(tmp_path / "s.yaml", results=tmp_path / "r")
    result = kb.run(tmp_path / "s.yaml", results=tmp_path / "r", trust=True)
    names = ["accuracy", "loss", "val_accuracy", "val_loss"]
    assert heard.read_text().splitlines() == [f"0 {names}", f"1 {names}"]
    assert result.message.endswith("stopped by Heard")
    assert kb.run(result.directory / "spec.yaml", results=tmp_path / "q", trust=True).status
    (tmp_path / "own.py").write_text(OWN.format(file=str(heard)) + "# new", encoding="utf-8")
    changed = kb.run(tmp_path / "s.yaml", results=tmp_path / "r", trust=True)
    assert changed.directory != result.directory
    spec["callbacks"] = [{"python": "own.py:nothing"}]
    (tmp_path / "s.yaml").write_text(dump_yaml(spec), encoding="utf-8")
    with pytest.raises(kb.SpecError, match=r"own.py:nothing returned NoneType; must return"):
        kb.run(tmp_path / "s.yaml", results=tmp_path / "r", trust=True)


def test_weighted_training_is_that_of_keras(tmp_path: Path) -> None:
    """The weights after a run with class_weight are those of a plain fit with sample weights."""
    spec = DIGITS | {"class_weight": {"0": 5, "1": 0}, "epochs": 1, "save": "last"}
    spec |= {"sampling": "sequential"}
    result = run(spec, tmp_path)
    loaded = spec_data.load_data(reader.spec_from_dict(spec).spec, Access(tmp_path))
    from kerasbatch.benchmark.timers import build_for_batch_size

    model = build_for_batch_size(reader.spec_from_dict(spec).spec, Access(tmp_path), loaded, 16)
    x = loaded.x_train.astype(np.float32) / 16
    weight = dict.fromkeys(range(10), 1.0) | {0: 5.0, 1: 0.0}
    model.fit(x, loaded.y_train, batch_size=16, class_weight=weight, shuffle=False, verbose=0)
    for ours, theirs in zip(result.model().get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert result.row["step_check"] == "ok"


def test_the_numbers_of_a_run_are_those_of_the_restored_weights(tmp_path: Path) -> None:
    """Keras restores them also where the budget ends first."""
    given = {"monitor": "val_loss", "patience": 50, "restore_best_weights": True}
    spec = DIGITS | {"callbacks": [{"EarlyStopping": given}], "epochs": 8, "save": "last"}
    result = run(spec | {"optimizer": {"name": "sgd", "learning_rate": 8.0}}, tmp_path)
    losses = result.history["val_loss"][1:].tolist()
    best = int(np.argmin(losses))
    assert best < 7
    assert result.row["val_loss"] == pytest.approx(losses[best], rel=1e-5)
    assert result.message.endswith(f"the weights at the end are those of epoch {best + 1}")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"patience": "abc"}, "found 'abc'; must be a whole number, 0 or more"),
        ({"patience": -1}, "found -1; must be a whole number"),
        ({"mode": "maximum"}, "found 'maximum'; must be one of auto, min, max"),
        ({"baseline": "x"}, "found 'x'; must be a number"),
        ({"restore_best_weights": 3}, "found 3; must be true or false"),
        ({"monitor": 3}, "found 3; must be the name of what is measured"),
    ],
)
def test_values_that_keras_would_take_without_a_word(arguments: dict[str, Any], words: str) -> None:
    """They would fail in the middle of a run, or never stop it."""
    with pytest.raises(kb.SpecError, match=words):
        reader.spec_from_dict(DIGITS | {"callbacks": [{"EarlyStopping": arguments}]})
