"""What the tests share: a small spec, a quiet TensorFlow, and a Ctrl-C that works."""

import copy
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from small_specs import SMALL

from kerasbatch.runs.executors import resources

# A job in the background of a shell ignores Ctrl-C, and so would the processes that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture(autouse=True, scope="session")
def _cache_of_tests(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the user's cache as it is; also the processes that tests start use another one."""
    os.environ["KERASBATCH_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True, scope="session")
def _made_data() -> None:
    """The data of the shipped experiments, which their script makes."""
    script = Path(__file__).parents[1] / "experiments" / "make_data.py"
    subprocess.run([sys.executable, str(script)], check=True)


@pytest.fixture(autouse=True)
def _one_worker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """By default, one worker trains the sweeps of a quick test: each takes seconds to start."""
    if request.node.get_closest_marker("slow") is None:
        monkeypatch.setattr(resources, "default_jobs", lambda: 1)


@pytest.fixture
def small() -> dict[str, Any]:
    """A spec that trains in a moment: 120 flowers, two epochs."""
    return copy.deepcopy(SMALL)
