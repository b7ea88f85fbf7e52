"""How the command line loads TensorFlow."""

import subprocess
import sys

import pytest
from patience import limit


@pytest.mark.parametrize("load_optional", [False, True])
@pytest.mark.slow
def test_packages_that_keras_alone_wants_are_not_loaded(load_optional: bool) -> None:
    """Unless somebody's own code may want them, too; afterwards they can be imported."""
    code = f"""
import sys
from kerasbatch.engine import environment
environment.load_tensorflow(verbose=False, load_optional={load_optional})
import keras
print("sklearn" in sys.modules, "matplotlib" in sys.modules)
import sklearn.datasets, matplotlib
print(len(sklearn.datasets.load_digits().target))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=limit(60)
    )
    assert done.stdout.split() == [str(load_optional), str(load_optional), "1797"]
