"""Everything that can happen to a sweep, made to happen; minutes, so run by .ci/run."""

import os
import resource
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
from patience import limit
from worker_support import DIGITS, evil, histories, start, wait_for, workers

import kerasbatch as kb

pytestmark = pytest.mark.slow
POISON = Path(__file__).parents[2] / "support/poison_model.py"
MODELS = ("numbers", "environment", "keras_itself")
ENDLESS = DIGITS | {"epochs": 100_000, "batch_size": 1, "sweep": {"seed": [0, 1, 2]}}
ENDS = {
    "segfault": ("crashed", "its process was ended by signal 11, SIGSEGV, after "),
    "abort": ("crashed", "its process was ended by signal 6, SIGABRT, after "),
    "leave": ("crashed", "its process ended itself with exit code 3, after "),
    "leave_quietly": ("crashed", "its process ended itself with exit code 0, after "),
    "leave_by_exception": ("failed", "SystemExit: 4"),
    "killed": ("crashed", "its process was ended by signal 9, SIGKILL, after "),
    "wrong": ("failed", "ValueError: the cat sat on the keyboard"),
    "loud": ("done", "took 4,000 of 4,000 planned steps"),
    "honest": ("done", "took 4,000 of 4,000 planned steps"),
}


def test_every_end_has_a_name(tmp_path: Path, capfd: Any) -> None:
    """The others go on; rows are kept; what is printed disturbs nobody."""
    seconds = round(limit(2))
    ends = {**ENDS, "hang": ("timeout", f"stopped after the {seconds:g} s of --timeout, after ")}
    results = kb.run_all(evil(*ends), results=tmp_path, trust=True, timeout=seconds)
    for result, (status, message) in zip(results, ends.values(), strict=True):
        assert result.status == status, result.message
        assert message in result.message
        assert str(tmp_path) not in (result.directory / "record.json").read_text(encoding="utf-8")
        assert len(result.history) > 2
    assert "xxx" not in "".join(capfd.readouterr())
    statuses = pd.read_csv(tmp_path / "experiment" / "runs.csv")["status"]
    assert sorted(statuses) == sorted(status for status, _ in ends.values())


def test_the_same_numbers_whoever_trains(tmp_path: Path) -> None:
    """One worker or two, fresh or reused, in another order of runs."""
    one = kb.run_all(DIGITS, results=tmp_path / "one", jobs=1)
    two = kb.run_all(DIGITS, results=tmp_path / "two", jobs=2)
    other = {"seed": [1, 0], "batch_size": ["full", 1, 32]}
    turned = kb.run_all(DIGITS | {"sweep": other}, results=tmp_path / "turned", jobs=2)
    expected = histories(one)
    assert len(expected) == 6 * 5
    pd.testing.assert_frame_equal(histories(two), expected, check_exact=True)
    names = {_swept(result): result.directory.name for result in one}
    renamed = histories(turned).rename({r.directory.name: names[_swept(r)] for r in turned})
    pd.testing.assert_frame_equal(renamed.sort_index(), expected, check_exact=True)


def _swept(result: kb.Result) -> tuple[Any, ...]:
    return result.swept["batch_size"], result.swept["seed"]


def test_the_parent_is_killed_and_the_sweep_goes_on_later(tmp_path: Path) -> None:
    """Its workers are gone; all runs are trained once, with the numbers of a sweep in peace."""
    process = start(DIGITS, tmp_path, "--jobs", "2")
    wait_for(lambda: list(tmp_path.glob("spec/*/record.json")))
    left = workers(process)
    process.kill()
    process.communicate(timeout=limit(10))
    wait_for(lambda: not any(map(psutil.pid_exists, (child.pid for child in left))))
    done = len(list(tmp_path.glob("spec/*/record.json")))
    assert 0 < done < 6
    again = start(DIGITS, tmp_path)
    out, err = again.communicate(timeout=limit(60))
    assert again.returncode == 0, err
    assert f"{done} of 6 finished earlier" in out
    peace = kb.run_all(DIGITS, results=tmp_path / "peace")
    for result in peace:
        found = pd.read_csv(tmp_path / "spec" / result.directory.name / "history.csv")
        expected = result.history.drop(columns="seconds")
        pd.testing.assert_frame_equal(found.drop(columns="seconds"), expected, check_exact=True)
    assert len(pd.read_csv(tmp_path / "spec" / "runs.csv")) == 6


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "sigterm"]
)
def test_a_signal_ends_a_sweep_at_the_next_block(tmp_path: Path, number: int, code: int) -> None:
    """Rows are kept, runs that were not begun are not there, and the workers are gone."""
    process = start(ENDLESS, tmp_path, "--jobs", "2")
    wait_for(lambda: len(list(tmp_path.glob("spec/*/history.csv"))) == 2)
    left = workers(process)
    for child in left:  # a terminal sends Ctrl-C to all, and a scheduler SIGTERM
        child.send_signal(number)
    process.send_signal(number)
    out, err = process.communicate(timeout=limit(60))
    assert process.returncode == code, err
    table = pd.read_csv(tmp_path / "spec" / "runs.csv")
    assert table["status"].tolist() == ["interrupted"] * 2
    assert (table["observed_steps"] > 0).all()
    assert "kerasbatch run" in out
    assert "Traceback" not in err
    assert not any(child.is_running() for child in left)


@pytest.mark.parametrize("options", [(), ("--grace", "2")], ids=["second-signal", "grace"])
def test_a_run_that_never_ends_its_block(options: tuple[str, ...], tmp_path: Path) -> None:
    """A second signal ends it at once, and so does the end of the grace."""
    process = start(evil("hang"), tmp_path, "--trust", *options)
    rows = lambda: list(tmp_path.glob("spec/*/history.csv"))  # noqa: E731  # one line
    wait_for(rows)
    left = workers(process)
    wait_for(lambda: all(child.status() == "sleeping" for child in left))
    process.send_signal(signal.SIGINT)
    wait_for(lambda: process.stderr and "to stop at once" in process.stderr.readline())
    if not options:
        process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=limit(30))
    assert process.returncode == 130, err
    (status,) = pd.read_csv(tmp_path / "spec" / "runs.csv")["status"]
    assert status == "interrupted"
    assert not any(child.is_running() for child in left)


def test_memory_that_runs_out_costs_one_run(tmp_path: Path) -> None:
    """With evidence: what the allocator said."""
    spec = {
        "data": {"name": "line", "examples": 400_000},
        "model": {"layers": [{"Dense": {"units": 4096}}, {"Dense": {"units": 1}}]},
        "optimizer": {"name": "sgd", "learning_rate": 1e-6},
        "loss": "mse",
        "steps": 2000,
        "evaluate_every": {"steps": 1000},
        "validation": {"examples": 100},
        "batch_size": 2,
        "sweep": {"batch_size": [2, "full", 4]},
    }
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (6 * 2**30, before[1]))
    try:
        process = start(spec, tmp_path, "--jobs", "1", "--timeout", "120")
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    _, err = process.communicate(timeout=limit(60))
    assert process.returncode == 1, err
    table = pd.read_csv(tmp_path / "spec" / "runs.csv")
    assert table["status"].tolist() == ["done", "done", "out_of_memory"]
    (record,) = tmp_path.glob("spec/batch_size=full*/record.json")
    assert "memory" in record.read_text(encoding="utf-8") or "OOM" in record.read_text()


def test_two_processes_want_one_directory(tmp_path: Path) -> None:
    """The second is told who has it."""
    first = start(ENDLESS, tmp_path, "--jobs", "1")
    wait_for(lambda: list(tmp_path.glob("spec/*/spec.yaml")))
    second = start(ENDLESS, tmp_path, "--jobs", "1")
    _, err = second.communicate(timeout=limit(60))
    assert second.returncode == 3
    assert f"in use by another process (pid {first.pid})" in err
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=limit(60))


def test_the_spec_is_edited_between_runs(tmp_path: Path) -> None:
    """What is still in the grid is kept; what is no more stays, and is named."""
    heard: list[str] = []

    class Listener(kb.Watcher):
        def notice(self, message: str) -> None:
            heard.append(message)

    kb.run_all(DIGITS | {"sweep": {"batch_size": [32, "full"]}}, results=tmp_path)
    edited = DIGITS | {"sweep": {"batch_size": ["full", 256]}}
    results = kb.run_all(edited, results=tmp_path, watcher=Listener())
    assert [result.reused for result in results] == [True, False]
    assert len(pd.read_csv(tmp_path / "experiment" / "runs.csv")) == 3
    (notice,) = heard
    assert notice.startswith("1 run of earlier commands stays")
    assert "batch_size=32-" in notice


def test_what_killed_processes_left_behind_is_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The data that its workers shared."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    process = start(ENDLESS, tmp_path, "--jobs", "1")
    folder = lambda: list(temporary.glob("kerasbatch-workers-*"))  # noqa: E731  # one line
    wait_for(lambda: folder() and list(tmp_path.glob("spec/*/history.csv")))
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=limit(10))
    assert folder()
    kb.run_all(DIGITS | {"sweep": {"batch_size": ["full"]}}, results=tmp_path / "other")
    assert not folder()


def test_own_code_changes_no_other_run(tmp_path: Path) -> None:
    """Neither numbers nor environment: bit for bit as in a sweep without it."""
    clean = DIGITS | {"batch_size": 32, "epochs": 2, "sweep": {"seed": [0, 1]}}
    expected = histories(kb.run_all(clean, results=tmp_path / "clean", jobs=2))
    own: list[Any] = [{"python": f"{POISON}:{name}"} for name in MODELS]
    grid = {"model": [*own, "mlp"], "seed": [0, 1]}
    results = kb.run_all(clean | {"sweep": grid}, results=tmp_path / "own", trust=True, jobs=2)
    plain = [result for result in results if result.swept["model"] == "mlp"]
    assert [result.status for result in plain] == ["done"] * 2
    pd.testing.assert_frame_equal(_by_seed(histories(plain)), _by_seed(expected), check_exact=True)


def test_closed_streams_and_another_folder_cost_nothing(tmp_path: Path) -> None:
    """A worker whose callback did both is replaced."""
    callbacks = [[], [{"python": f"{POISON}:Streams"}]]
    grid = {"callbacks": callbacks, "seed": [0, 1]}
    spec = DIGITS | {"batch_size": 32, "epochs": 1, "sweep": grid}
    results = kb.run_all(spec, results=tmp_path, trust=True, jobs=1)
    assert [result.status for result in results] == ["done"] * 4
    one, other = (histories(results[i : i + 2]) for i in (0, 2))
    pd.testing.assert_frame_equal(_by_seed(one), _by_seed(other), check_exact=True)


def test_a_closed_connection_costs_its_run_only(tmp_path: Path) -> None:
    """Nobody waits for a process that can say nothing more."""
    grid = {"callbacks": [[], [{"python": f"{POISON}:Connection"}]], "seed": [0, 1]}
    spec = DIGITS | {"batch_size": 32, "epochs": 1, "sweep": grid}
    results = kb.run_all(spec, results=tmp_path, trust=True, jobs=1)
    assert [result.status for result in results] == ["done", "done", "crashed", "crashed"]


def _by_seed(table: pd.DataFrame) -> pd.DataFrame:
    return table.rename(lambda name: name[name.index("seed=") :][:6], level=0).sort_index()


def test_a_directory_that_is_deleted_ends_its_run_only(tmp_path: Path) -> None:
    """It fails, with a record; the others go on."""
    process = start(DIGITS | {"epochs": 200}, tmp_path, "--jobs", "2")
    wait_for(lambda: len(list(tmp_path.glob("spec/*/history.csv"))) == 2)
    deleted = next(tmp_path.glob("spec/*/history.csv")).parent
    # Moved away first: new files would come into a directory that is deleted file by file.
    shutil.rmtree(deleted.rename(tmp_path / "deleted"))
    _, err = process.communicate(timeout=limit(60))
    assert process.returncode == 1, err
    table = pd.read_csv(tmp_path / "spec" / "runs.csv").set_index("run_id")
    assert table["status"].value_counts().to_dict() == {"done": 5, "failed": 1}
    assert table.loc[deleted.name, "status"] == "failed"
    assert "its directory was deleted" in (deleted / "record.json").read_text(encoding="utf-8")


def test_a_process_that_stops_in_a_message_is_subject_to_the_timeout(tmp_path: Path) -> None:
    """Nobody waits for the rest of the message."""
    spec = evil("stops_in_a_message", save="last", steps=2, evaluate_every={"steps": 2})
    seconds = round(limit(2))
    (result,) = kb.run_all(spec, results=tmp_path, trust=True, timeout=seconds)
    assert result.status == "timeout"


def test_a_single_run_whose_code_ends_the_process_leaves_a_record(tmp_path: Path) -> None:
    """On the command line: its code runs in a process of its own."""
    spec = evil("leave_quietly")
    spec["model"] = spec.pop("sweep")["model.python"][0]
    process = start(spec | {"model": {"python": spec["model"]}}, tmp_path, "--trust")
    _, err = process.communicate(timeout=limit(60))
    assert process.returncode == 1, err
    (status,) = pd.read_csv(tmp_path / "spec" / "runs.csv")["status"]
    assert status == "crashed"
