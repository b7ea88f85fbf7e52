"""Going on where something has changed since the checkpoint, and with state of the user's code."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from going_on_support import FLOWERS, as_if_killed, assert_same, every_checkpoint_is_kept

import kerasbatch as kb
from kerasbatch.records.files import dump_yaml
from kerasbatch.records.run_directory import RunDirectory

__all__ = ["every_checkpoint_is_kept"]
SPEC = FLOWERS | {"save": [], "checkpoint": {"steps": 5}}
CODE = """
import keras
import tensorflow as tf

SHARED = [0.0]


class Drift(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.moved = tf.Variable(0.0)

    def call(self, x):
        self.moved.assign_add(0.01)
        return x + self.moved


class TwoOptimizers(keras.Model):
    def __init__(self, classes):
        super().__init__()
        self.hidden, self.drift = keras.layers.Dense(8, "relu"), Drift()
        self.last = keras.layers.Dense(classes, "softmax")
        self.second = keras.optimizers.Adam(0.05)

    def call(self, x):
        return self.last(self.drift(self.hidden(x)))

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            predicted = self(x, training=True)
            loss = self.compute_loss(x, y, predicted)
        first, second = self.hidden.trainable_variables, self.last.trainable_variables
        gradients = tape.gradient(loss, [*first, *second])
        self.optimizer.apply_gradients(zip(gradients[:2], first))
        self.second.apply_gradients(zip(gradients[2:], second))
        return self.compute_metrics(x, y, predicted)


def build(input_shape, classes):
    return TwoOptimizers(classes)


class Sum(keras.callbacks.Callback):
    def __init__(self, values, file):
        super().__init__()
        self.values, self.file = values, file

    def on_epoch_end(self, epoch, logs=None):
        self.values.append(float(logs["loss"]))
        self.model.optimizer.learning_rate = 0.1 / (1 + sum(self.values))


def make(run_directory):
    values = [0.0]
    return [Sum(values, str(run_directory)), Sum(values, str(run_directory))]
"""


def own_spec(folder: Path, **keys: Any) -> Path:
    (folder / "mine.py").write_text(CODE, encoding="utf-8")
    path = folder / "own.yaml"
    path.write_text(dump_yaml(SPEC | keys), encoding="utf-8")
    return path


def notes(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err


def test_variables_that_only_own_code_knows(tmp_path: Path) -> None:
    """A second optimizer, and a tf.Variable of a layer."""
    path = own_spec(tmp_path, model={"python": "mine.py:build"})
    whole = kb.run(path, results=tmp_path / "whole", trust=True)
    as_if_killed(whole, 20, tmp_path / "killed")
    result = kb.run(path, results=tmp_path / "killed", trust=True)
    assert result.record["resumed"][0]["step"] == 20
    assert_same(whole, result)


def test_callbacks_that_share_a_list(tmp_path: Path) -> None:
    """They share it afterwards, too; their file names are those of the new run."""
    path = own_spec(tmp_path, callbacks=[{"python": "mine.py:make"}])
    whole = kb.run(path, results=tmp_path / "whole", trust=True)
    as_if_killed(whole, 20, tmp_path / "killed")
    assert_same(whole, kb.run(path, results=tmp_path / "killed", trust=True))


def test_models_that_the_checkpoint_did_not_keep(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The best one cannot be known afterwards; the last one can."""
    whole = kb.run(SPEC, results=tmp_path / "whole")
    for save in (["best"], [{"every": {"epochs": 1}}], ["last"]):
        folder = tmp_path / str(save)[:12]
        as_if_killed(whole, 40, folder)
        result = kb.run(SPEC | {"save": save}, results=folder)
        assert ("resumed" in result.record) == (save == ["last"])
        assert ("without the models that save asks for" in notes(capsys)) == (save != ["last"])
        undisturbed = kb.run(SPEC | {"save": save}, results=folder / "whole")
        assert_same(undisturbed, result)


def test_a_finished_run_that_shall_keep_its_models(tmp_path: Path) -> None:
    """It is trained again once, and the finished result stays until then."""
    kb.run(SPEC, results=tmp_path)
    both = kb.run(SPEC | {"save": ["last", "best"]}, results=tmp_path)
    assert (both.directory / "best.keras").exists()
    assert not both.reused
    assert kb.run(SPEC | {"save": ["last", "best"]}, results=tmp_path).reused


@pytest.mark.parametrize(("first", "second"), [("fused", "keras"), ("keras", "fused")])
def test_another_engine_begins_anew(
    first: str, second: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With `auto`, the engine of the checkpoint goes on."""
    whole = kb.run(SPEC | {"engine": first}, results=tmp_path / "whole")
    step = {"fused": 5, "keras": 16}[first]
    as_if_killed(whole, step, tmp_path / "other")
    other = kb.run(SPEC | {"engine": second}, results=tmp_path / "other")
    assert f"is of the engine {first}, and engine is {second}" in notes(capsys)
    assert "resumed" not in other.record
    assert other.row["step_check"] == "ok"
    as_if_killed(whole, step, tmp_path / "auto")
    result = kb.run(SPEC, results=tmp_path / "auto")
    assert result.record["resumed"][0]["step"] == step
    assert result.record["engine"]["name"] == first
    assert_same(whole, result)


class Killed(BaseException):
    """Ends the process that writes, as far as a test can."""


def test_a_kept_result_that_is_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its record stays; its new training goes on from its own checkpoints."""
    kept = kb.run(SPEC | {"checkpoint": {"epochs": 9}}, results=tmp_path)
    shutil.rmtree(kept.directory / "checkpoints")
    finish = RunDirectory.finish

    def killed(*_: Any) -> None:
        raise Killed

    wider = SPEC | {"save": ["last"]}
    with monkeypatch.context() as patch:
        patch.setattr(RunDirectory, "finish", killed)
        with pytest.raises(Killed):
            kb.run(wider, results=tmp_path)
    assert RunDirectory.finish is finish
    assert RunDirectory(kept.directory).is_finished()
    for step in (45, 48):  # as if it was killed before the end
        shutil.rmtree(kept.directory / "checkpoints" / f"step-{step}")
    result = kb.run(wider, results=tmp_path)
    assert result.record["resumed"] == [{"step": 40, "differs": []}]
    assert (result.directory / "model.keras").exists()
    assert (result.directory / "checkpoints").exists()
    assert_same(kept, result)


def test_a_model_that_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The checkpoint before it is used."""
    spec = SPEC | {"save": [{"every": {"epochs": 1}, "keep": 9}]}
    whole = kb.run(spec, results=tmp_path / "whole")
    as_if_killed(whole, 40, tmp_path / "killed")
    place = tmp_path / "killed" / "experiment" / whole.directory.name
    for step in (20, 25):
        shutil.copytree(
            whole.directory / "checkpoints" / f"step-{step}", place / "checkpoints" / f"step-{step}"
        )
    (place / "checkpoint-32.keras").unlink()
    result = kb.run(spec, results=tmp_path / "killed")
    assert "step 40 belongs to checkpoint-32.keras, which is missing" in notes(capsys)
    assert result.record["resumed"] == [{"step": 25, "differs": []}]
    assert_same(whole, result)


def test_damaged_ones_push_out_no_others(tmp_path: Path) -> None:
    """They are deleted when the run goes on."""
    whole = kb.run(SPEC, results=tmp_path / "whole")
    as_if_killed(whole, 10, tmp_path / "killed")
    place = tmp_path / "killed" / "experiment" / whole.directory.name / "checkpoints"
    for step in (20, 30):
        shutil.copytree(whole.directory / "checkpoints" / f"step-{step}", place / f"step-{step}")
        (place / f"step-{step}" / "arrays.bin").write_bytes(b"")
    result = kb.run(SPEC, results=tmp_path / "killed")
    assert result.record["resumed"] == [{"step": 10, "differs": []}]
    sizes = {path.stat().st_size for path in place.glob("*/arrays.bin")}
    assert 0 not in sizes
    assert_same(whole, result)


def test_a_checkpoint_that_somebody_changed(tmp_path: Path) -> None:
    """A state with other variables ends the run with a sentence, and nothing else is lost."""
    whole = kb.run(SPEC, results=tmp_path / "whole")
    as_if_killed(whole, 10, tmp_path / "killed")
    place = tmp_path / "killed" / "experiment" / whole.directory.name / "checkpoints" / "step-10"
    other = kb.run(SPEC | {"data": "wine"}, results=tmp_path / "other")
    manifest = json.loads((place / "checkpoint.json").read_text())
    shutil.copytree(other.directory / "checkpoints" / "step-10", place, dirs_exist_ok=True)
    theirs = json.loads((place / "checkpoint.json").read_text())
    from kerasbatch.records.record import checksum_of

    content = {**manifest, "files": theirs["files"]}
    del content["checksum"]
    (place / "checkpoint.json").write_text(
        json.dumps({**content, "checksum": checksum_of(content)})
    )
    result = kb.run(SPEC, results=tmp_path / "killed")
    assert result.status == "failed"
    assert "the variables of this model are not those of its checkpoint; --rerun" in result.message
