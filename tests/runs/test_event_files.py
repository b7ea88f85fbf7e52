"""TensorBoard event files that grow while runs train: `export: [tensorboard]`, `--tensorboard`."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from going_on_support import as_if_killed, every_checkpoint_is_kept  # noqa: F401  # a fixture

import kerasbatch as kb
from kerasbatch.analysis.exporters.export import export
from kerasbatch.records.event_file import FILE, EventFile
from kerasbatch.runs import event_folder

SPEC: dict[str, Any] = {
    "data": "iris",
    "model": "linear",
    "optimizer": "sgd",
    "loss": "mse",
    "epochs": 4,
    "batch_size": 16,
    "record": ["noise", "steps"],
    "export": ["tensorboard"],
}


def scalars(file: Path) -> dict[str, dict[int, float]]:
    """The values in an event file, by name and step; each only once."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(file))
    events.Reload()
    values = {name: events.Scalars(name) for name in events.Tags()["scalars"]}
    for name, points in values.items():
        assert len({point.step for point in points}) == len(points), name
    return {name: {point.step: point.value for point in values[name]} for name in values}


def assert_is_history(result: kb.Result, file: Path) -> None:
    """Every measured value of the tables is in the event file, as a float32."""
    history = result.history.set_index("step")
    table = scalars(file)
    names = {*history.columns} - {"epoch", "examples", "seconds"}
    assert set(table) == names | {"noise_scale"}
    for name in names:
        assert table[name] == pytest.approx(history[name].dropna().to_dict(), rel=1e-6)


class Reader(kb.Watcher):
    """Reads the event file while the run trains, and stops it when the file has grown."""

    def __init__(self, file: Path) -> None:
        self.file, self.counts = file, set[int]()

    def progress(self, running: kb.RunInfo, progress: Any) -> None:
        (path,) = self.file.parent.glob(f"*/tensorboard/{FILE}")
        self.counts.add(len(scalars(path).get("loss", {})))
        if len(self.counts) > 2:
            raise KeyboardInterrupt


@pytest.mark.exports
def test_it_grows_while_the_run_trains(tmp_path: Path) -> None:
    """In the directory of the run, and in a log directory beside others."""
    reader = Reader(tmp_path / "experiment" / "any")
    result = kb.run(
        SPEC | {"epochs": 1_000_000, "evaluate_every": {"epochs": 50}, "batch_size": 1},
        results=tmp_path,
        watcher=reader,
        tensorboard=tmp_path / "logs",
    )
    assert result.status == "interrupted"
    assert len(reader.counts) > 2
    own = result.directory / "tensorboard" / FILE
    assert_is_history(result, own)
    log = tmp_path / "logs" / "experiment" / result.directory.name / FILE
    assert log.read_bytes() == own.read_bytes()


@pytest.mark.exports
def test_every_run_of_a_sweep_has_one(tmp_path: Path) -> None:
    """An export into the same directory completes them, and doubles nothing."""
    keys = {key: value for key, value in SPEC.items() if key != "export"}
    logs = tmp_path / "logs"
    results = kb.sweep(keys, seed=[0, 1], results=tmp_path, tensorboard=logs)
    for result in results:
        assert_is_history(result, logs / "experiment" / result.directory.name / FILE)
        assert not (result.directory / "tensorboard").exists()
    export(kb.load(tmp_path / "experiment"), "tensorboard", str(logs))
    for result in results:
        values = scalars(logs / "experiment" / result.directory.name / FILE)
        assert len(values["step_loss"]) == result.row["observed_steps"]
        assert "result/train_seconds" in values


@pytest.mark.exports
def test_a_run_that_goes_on(tmp_path: Path) -> None:
    """The values before the kill are there once."""
    spec = SPEC | {"checkpoint": {"epochs": 1}}
    whole = kb.run(spec, results=tmp_path / "whole")
    as_if_killed(whole, 16, tmp_path / "moved")
    again = kb.run(spec, results=tmp_path / "moved")
    assert "resumed" in again.record
    assert_is_history(again, again.directory / "tensorboard" / FILE)


@pytest.mark.exports
@pytest.mark.parametrize("name", ["tensorboard", f"tensorboard/{FILE}"])
def test_links_are_not_followed(name: str, tmp_path: Path) -> None:
    """Nothing outside of the run's directory is written."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / FILE).write_text("mine")
    first = kb.run(SPEC | {"export": []}, results=tmp_path)
    link = first.directory / name
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(outside if name == "tensorboard" else outside / FILE)
    (first.directory / "record.json").unlink()
    assert_is_history(kb.run(SPEC, results=tmp_path), first.directory / "tensorboard" / FILE)
    assert (outside / FILE).read_text() == "mine"


@pytest.mark.exports
def test_a_full_disk_costs_the_events_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(EventFile, "_event_of", full)
    assert kb.run(SPEC, results=tmp_path).status == "done"
    notes = capsys.readouterr().err
    assert notes.count("is not written (No space left on device)") == 1


def test_without_tensorboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_folder, "find_spec", lambda name: None)
    message = r"export: TensorBoard is not installed; pip install 'kerasbatch\[tensorboard\]'"
    with pytest.raises(kb.SpecError, match=message):
        kb.run(SPEC, results=tmp_path)
    assert not (tmp_path / "experiment").exists()


@pytest.mark.skipif(
    importlib.util.find_spec("tensorboard") is None, reason="pip install 'kerasbatch[tensorboard]'"
)
def test_a_file_is_no_log_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(kb.SpecError, match=r"--tensorboard: the folder .*file cannot be written"):
        kb.run(SPEC, results=tmp_path, tensorboard=tmp_path / "file")
