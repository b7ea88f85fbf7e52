"""A command whose runs are all finished loads nothing."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import kerasbatch as kb

COMMAND = """\
import sys
from kerasbatch.cli.app import main
try:
    main()
finally:
    print("tensorflow" in sys.modules, "kerasbatch.runs.executors.local" in sys.modules)
"""


def command(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", COMMAND, "run", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "sweep", [None, pytest.param({"seed": [0, 1], "batch_size": [8, 16]}, marks=pytest.mark.slow)]
)
def test_nothing_is_loaded(small: dict[str, Any], tmp_path: Path, sweep: Any) -> None:
    spec = small | ({"sweep": sweep} if sweep else {})
    if sweep:
        del spec["batch_size"]
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(spec))
    first = command("s.yaml", "--jobs", "1", "--quiet", folder=tmp_path)
    assert (first.returncode, first.stdout.split()[-2]) == (0, "False" if sweep else "True")
    again = command("s.yaml", "--quiet", folder=tmp_path)
    assert again.returncode == 0
    assert again.stdout.split()[-2:] == ["False", "False"]
    assert "finished earlier" in again.stdout
    record = next(tmp_path.glob("results/s/*/record.json"))
    record.write_text(record.read_text().replace('"done"', '"dome"'))
    damaged = command("s.yaml", "--quiet", folder=tmp_path)
    assert damaged.returncode == 0
    assert "it is trained again" in damaged.stderr
    assert "True" in damaged.stdout.split()[-2:]


@pytest.mark.slow
def test_another_spec_beside_finished_runs(small: dict[str, Any], tmp_path: Path) -> None:
    results = [
        kb.sweep(small | {"name": "s", "sweep": {"seed": seeds}}, results=tmp_path)
        for seeds in ([0, 1], [0, 1], [0, 2])
    ]
    assert [[result.reused for result in each] for each in results] == [
        [False, False],
        [True, True],
        [True, False],
    ]
