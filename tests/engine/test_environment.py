"""How the command line loads TensorFlow."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("whole", [False, True])
def test_packages_that_keras_alone_wants_are_not_loaded(whole: bool) -> None:
    """Unless somebody's own code may want them, too; afterwards they can be imported."""
    code = f"""
import sys
from kerasbatch.engine import environment
environment.load_tensorflow(verbose=False, whole={whole})
import keras
print("sklearn" in sys.modules, "matplotlib" in sys.modules)
import sklearn.datasets, matplotlib
print(len(sklearn.datasets.load_digits().target))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(whole), str(whole), "1797"]
