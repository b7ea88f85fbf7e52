"""The temporary folder of a pool of workers."""

import errno
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from patience import limit

import kerasbatch as kb
from kerasbatch.data import run_data, shared_data
from kerasbatch.runs.executors import worker_process
from kerasbatch.runs.executors.worker_folder import WorkerFolder
from kerasbatch.spec import reader
from kerasbatch.spec.trust import Access


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_folder_in_use_stays_whatever_its_process_is(temporary: Path) -> None:
    """A lock is held, though no process of that number may be seen from another container."""
    first = WorkerFolder()
    second = WorkerFolder()
    assert sorted(temporary.glob("kerasbatch-*")) == sorted([first.path, second.path])
    first.close()
    second.close()
    assert list(temporary.iterdir()) == []


def test_the_folder_of_a_killed_process_is_deleted(temporary: Path) -> None:
    """The kernel has released its lock."""
    code = (
        "import os, sys, tempfile\ntempfile.tempdir = sys.argv[1]\n"
        "from kerasbatch.runs.executors.worker_folder import WorkerFolder\n"
        "folder = WorkerFolder()\nos.kill(os.getpid(), 9)\n"
    )
    command = [sys.executable, "-c", code, str(temporary)]
    subprocess.run(command, check=False, timeout=limit(20))
    (abandoned,) = temporary.glob("kerasbatch-workers-*")
    folder = WorkerFolder()
    assert not abandoned.exists()
    folder.close()


def test_links_in_the_temporary_folder_are_left_alone(temporary: Path) -> None:
    """Anybody can write there."""
    victim = temporary / "victim"
    victim.mkdir()
    (temporary / "kerasbatch-workers-evil").symlink_to(victim)
    WorkerFolder().close()
    assert list(victim.iterdir()) == []


def test_a_full_temporary_folder_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the variable that names another one."""

    def full(*_: Any, **__: Any) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "mkdtemp", full)
    with pytest.raises(kb.WorkerError, match=r"No space left.*; its disk may be full: .*TMPDIR"):
        WorkerFolder()


def test_data_without_room_are_named(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, small: dict[str, Any]
) -> None:
    """NumPy would say that it wrote fewer bytes."""
    usage = shutil.disk_usage(temporary)._replace(free=100)
    monkeypatch.setattr(shared_data.shutil, "disk_usage", lambda _: usage)
    data = run_data.load_data(reader.spec_from_dict(small).spec, Access(temporary))
    with pytest.raises(kb.WorkerError, match=r"has 0 MB free, and the data need 0 MB.*TMPDIR"):
        shared_data.DataFolder(temporary / "data").get("key", lambda: data)


def test_output_that_vanished_fails_nothing(temporary: Path) -> None:
    """It explains a crash; there is none to explain."""
    assert worker_process.read_output(temporary / "gone.txt") == ""
