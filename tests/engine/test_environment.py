"""How the command line loads TensorFlow."""

import subprocess
import sys
from pathlib import Path

import pytest
from patience import limit
from small_specs import SMALL


@pytest.mark.parametrize("load_optional", [False, True])
@pytest.mark.slow
def test_packages_that_keras_alone_wants_are_not_loaded(load_optional: bool) -> None:
    """Unless somebody's own code may want them, too; afterwards they can be imported."""
    code = f"""
import sys
from kerasbatch.engine import environment
environment.load_keras(verbose=False, load_optional={load_optional})
import keras
print("sklearn" in sys.modules, "matplotlib" in sys.modules)
import sklearn.datasets, matplotlib
print(len(sklearn.datasets.load_digits().target))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=limit(60)
    )
    assert done.stdout.split() == [str(load_optional), str(load_optional), "1797"]


@pytest.mark.slow
@pytest.mark.parametrize("use", ["kb.fit", "kb.run(spec)", "kb.plan(10, batch_size=2, epochs=1)"])
def test_a_script_that_wants_no_log_gets_none(use: str, tmp_path: Path) -> None:
    """Also of the lines that TensorFlow writes before it reads the variable."""
    code = f"""
import os
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import kerasbatch as kb
spec = {SMALL!r}
{use}
import sys
print("tensorflow" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=limit(60),
    )
    assert (done.stdout, done.stderr) == (f"{'plan' not in use}\n", "")
