"""The same sweeps on a Ray cluster; needs Ray and minutes, so run by .ci/run."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
import yaml
from patience import limit
from typer.testing import CliRunner
from worker_support import DIGITS, evil, histories, start, wait_for

import kerasbatch as kb
from kerasbatch.cli import app
from kerasbatch.runs.executors.ray import cluster as ray_cluster
from kerasbatch.runs.executors.ray.cluster import RayOptions

HAS_RAY = importlib.util.find_spec("ray") is not None
pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(not HAS_RAY, reason="pip install 'kerasbatch[ray]'"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
LONG = DIGITS | {"epochs": 60, "sweep": {"batch_size": [1, 4], "seed": [0, 1, 2]}}
ENDLESS = DIGITS | {"epochs": 100_000, "batch_size": 1, "sweep": {"seed": [0, 1, 2]}}


def on_ray(spec: Any, folder: Path, **options: Any) -> list[kb.Result]:
    return kb.run_all(spec, results=folder, **{"ray": "local"} | options)


def ray_workers() -> list[psutil.Process]:
    """The processes of Ray's that train."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if "ray::kerasbatch" in " ".join(process.info["cmdline"] or ()):
            found.append(process)
    return found


class Killer(kb.Watcher):
    """Kills one worker in mid-epoch, once."""

    def __init__(self) -> None:
        self.killed = 0

    def progress(self, running: kb.RunInfo, progress: Any) -> None:
        if not self.killed:
            os.kill(ray_workers()[0].pid, 9)
            self.killed += 1


@pytest.fixture
def cluster() -> Iterator[Any]:
    """Two nodes on this machine, the first of them with no room for runs."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    yield made
    made.shutdown()


def test_the_same_numbers_as_on_the_local_pool(tmp_path: Path) -> None:
    """And all files."""
    here = kb.run_all(DIGITS, results=tmp_path / "here", jobs=2)
    there = on_ray(DIGITS, tmp_path / "there")
    assert [result.status for result in there] == ["done"] * 6
    pd.testing.assert_frame_equal(histories(there), histories(here), check_exact=True)
    again = on_ray(DIGITS, tmp_path / "there")
    assert all(result.reused for result in again)


def test_ends_have_the_same_names(tmp_path: Path) -> None:
    """Own code travels with the spec's folder; what is printed is kept as last words."""
    code = Path(evil("honest")["model"]["python"].rpartition(":")[0])
    (tmp_path / "evil_model.py").write_text(code.read_text(encoding="utf-8"), encoding="utf-8")
    kinds = ("segfault", "hang", "wrong", "loud", "honest")
    spec = evil(*kinds) | {"sweep": {"model.python": [f"evil_model.py:{kind}" for kind in kinds]}}
    spec["model"] = {"python": "evil_model.py:honest"}
    file = tmp_path / "spec.yaml"
    file.write_text(yaml.safe_dump(spec), encoding="utf-8")
    seconds = round(limit(6))
    results = on_ray(file, tmp_path, trust=True, timeout=seconds)
    statuses = [result.status for result in results]
    assert statuses == ["crashed", "timeout", "failed", "done", "done"]
    assert results[1].message.startswith(f"stopped after the {seconds} s of --timeout, after ")
    assert "the cat sat on the keyboard" in results[2].message
    assert all(len(result.history) > 2 for result in results)


def test_a_killed_worker_costs_its_run_only(tmp_path: Path) -> None:
    """A new worker takes its place; the same command trains what is missing."""
    killer = Killer()
    results = on_ray(LONG, tmp_path, watcher=killer)
    assert sorted(result.status for result in results) == ["crashed"] + ["done"] * 5
    again = on_ray(LONG, tmp_path)
    assert [result.status for result in again] == ["done"] * 6
    assert sum(result.reused for result in again) == 5


class NodeKiller(kb.Watcher):
    """Kills a node when half of the runs have ended."""

    def __init__(self, cluster: Any, node: Any) -> None:
        self.cluster, self.node, self.ended = cluster, node, 0
        self.notices: list[str] = []

    def finish(self, result: kb.Result) -> None:
        self.ended += 1

    def progress(self, running: kb.RunInfo, progress: Any) -> None:
        if self.ended >= 2 and self.node is not None:
            self.cluster.remove_node(self.node, allow_graceful=False)
            self.node = None

    def notice(self, message: str) -> None:
        self.notices.append(message)


def test_a_killed_node_loses_nothing(cluster: Any, tmp_path: Path) -> None:
    """Its runs are trained anew elsewhere; all are done once, with the same numbers."""
    node = cluster.add_node(num_cpus=1)
    killer = NodeKiller(cluster, node)
    results = on_ray(LONG, tmp_path / "ray", ray=cluster.address, watcher=killer)
    assert killer.node is None
    assert [result.status for result in results] == ["done"] * 6
    assert any("its node is gone; it is trained again" in each for each in killer.notices)
    table = pd.read_csv(tmp_path / "ray" / "experiment" / "runs.csv")
    assert len(table) == 6
    here = kb.run_all(LONG, results=tmp_path / "here")
    pd.testing.assert_frame_equal(histories(results), histories(here), check_exact=True)


def test_the_driver_is_killed_and_the_sweep_goes_on_later(tmp_path: Path) -> None:
    """Its cluster ends with it; the same command trains what is missing."""
    process = start(LONG, tmp_path, "--ray", "local")
    wait_for(lambda: list(tmp_path.glob("spec/*/record.json")))
    process.kill()
    process.communicate(timeout=limit(10))
    wait_for(lambda: not ray_workers())
    done = len(list(tmp_path.glob("spec/*/record.json")))
    assert 0 < done < 6
    again = start(LONG, tmp_path, "--ray", "local")
    out, err = again.communicate(timeout=limit(60))
    assert again.returncode == 0, err
    assert f"{done} of 6 finished earlier" in out


def test_ctrl_c_keeps_the_rows(tmp_path: Path) -> None:
    """Runs stop at their next block."""
    process = start(ENDLESS, tmp_path, "--ray", "local")
    wait_for(lambda: len(list(tmp_path.glob("spec/*/history.csv"))) == 2)
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=limit(60))
    assert process.returncode == 130, err
    table = pd.read_csv(tmp_path / "spec" / "runs.csv")
    assert table["status"].tolist() == ["interrupted"] * 2
    assert (table["observed_steps"] > 0).all()
    assert "Traceback" not in err
    wait_for(lambda: not ray_workers())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--ray", "127.0.0.1:1"], "no Ray cluster answers at 127.0.0.1:1"),
        (["--ray", "auto"], "no Ray cluster answers at auto"),
        (["--ray", "ray://somewhere:10001"], "must be local, auto or HOST:PORT"),
        (["--ray", "local", "--jobs", "2"], "found both --jobs and --ray"),
        (["--cpus-per-run", "2"], "--cpus-per-run: goes with --ray ADDRESS"),
        (["--ray", "local", "--cpus-per-run", "0"], "must be above 0"),
        (["--ray", "local", "--cpus-per-run", "1000"], "no node of the cluster has 1000 CPUs"),
    ],
)
def test_bad_input(tmp_path: Path, arguments: list[str], words: str) -> None:
    """Exit code 2; nothing is trained, and no directory is made."""
    results = tmp_path / "results"
    program = [sys.executable, "-m", "kerasbatch", "run", "experiments/digits_batch_sizes.yaml"]
    whole = [*program, "--results", str(results), *arguments]
    done = subprocess.run(whole, capture_output=True, text=True, check=False, timeout=limit(60))
    assert done.returncode == 2, done.stderr
    assert words in done.stderr.replace("\n", " ")
    assert not results.exists()


def test_other_versions_on_a_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named before anything is trained."""
    there = ray_cluster.versions() | {"keras": "3.0.0", "kerasbatch": "0.0.1"}
    monkeypatch.setattr(ray_cluster, "versions", lambda: there)
    found = ray_cluster._differences("10.0.0.2", there, {**there, "keras": "3.15.1"})
    assert [str(fault) for fault in found] == [
        "--ray: node 10.0.0.2 has keras 3.0.0, this machine 3.15.1; numbers would differ, so "
        "install the same there"
    ]


def test_without_ray_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line that installs it."""
    monkeypatch.setattr(ray_cluster, "find_spec", lambda name: None)
    with pytest.raises(kb.SpecError, match=r"pip install 'kerasbatch\[ray\]'"):
        kb.run_all(DIGITS, ray=RayOptions("local"))
    spec = ["run", "experiments/digits_b16.yaml", "--ray", "local"]
    done = CliRunner().invoke(app.app, spec)
    assert done.exit_code


class CheckpointNodeKiller(kb.Watcher):
    """Kills a node when both runs have a checkpoint, and have trained on."""

    def __init__(self, cluster: Any, node: Any, folder: Path) -> None:
        self.cluster, self.node, self.folder = cluster, node, folder
        self.notices: list[str] = []

    def progress(self, running: kb.RunInfo, progress: Any) -> None:
        written = {path.parent for path in self.folder.glob("*/*/checkpoints/step-*")}
        if len(written) == 2 and self.node is not None:
            self.cluster.remove_node(self.node, allow_graceful=False)
            self.node = None

    def notice(self, message: str) -> None:
        self.notices.append(message)


def test_a_killed_node_costs_no_more_than_since_the_checkpoint(
    cluster: Any, tmp_path: Path
) -> None:
    """The driver has the checkpoint; another node goes on from it, to the same bits."""
    spec = DIGITS | {
        "model": {
            "layers": [
                "Flatten",
                {"Dropout": {"rate": 0.3}},
                {"Dense": {"units": 10, "activation": "softmax"}},
            ]
        },
        "optimizer": "adam",
        "record": ["noise"],
        "epochs": 60,
        "batch_size": 1,
        "checkpoint": {"epochs": 5},
        "sweep": {"seed": [0, 1]},
    }
    whole = kb.run_all(spec, results=tmp_path / "here")
    killer = CheckpointNodeKiller(cluster, cluster.add_node(num_cpus=1), tmp_path / "ray")
    results = on_ray(spec, tmp_path / "ray", ray=cluster.address, watcher=killer)
    assert killer.node is None
    assert [result.status for result in results] == ["done", "done"]
    (resumed,) = [result for result in results if "resumed" in result.record]
    (entry,) = resumed.record["resumed"]
    assert entry["step"] > 0
    assert entry["differs"] == []
    assert any("its node is gone; it is trained again" in each for each in killer.notices)
    assert any("goes on after step" in each for each in killer.notices)
    pd.testing.assert_frame_equal(histories(results), histories(whole), check_exact=True)
    for on_node, alone in zip(results, whole, strict=True):
        steps = sorted(path.name for path in (on_node.directory / "checkpoints").iterdir())
        assert len(steps) == 1
        ours, theirs = (each.directory / "noise.csv" for each in (on_node, alone))
        assert ours.read_text() == theirs.read_text()
