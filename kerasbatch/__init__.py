"""kerasbatch: a Keras experiment runner about batch size.

    import kerasbatch as kb
    result = kb.run("experiments/digits_b16.yaml")
    result.history, result.steps        # pandas DataFrames

Importing this package loads neither TensorFlow nor pandas; both are loaded at their first use.
Type checkers and editors read the names from __init__.pyi; a test compares the two.
"""

import sys
from importlib import import_module
from typing import Any

from kerasbatch.version import VERSION

_PUBLIC_NAMES = {
    "advice.advise": ("advise",),
    "advice.result": ("Advice",),
    "analysis.comparison.compare": ("compare",),
    "analysis.comparison.result": ("Comparison",),
    "analysis.loading.load": ("Loaded", "load"),
    "analysis.plots.plot": ("plot",),
    "analysis.report.page": ("report",),
    "callbacks.noise_scale": ("NoiseScale",),
    "callbacks.recorder": ("Recorder",),
    "callbacks.step_counter": ("StepCounter",),
    "engine.noise.estimate": ("GradientNoise",),
    "engine.noise.meter": ("gradient_noise",),
    "errors": (
        "DataUnavailableError",
        "DirectoryInUseError",
        "EngineError",
        "Fault",
        "KerasbatchError",
        "SpecError",
        "StepMismatchError",
        "WorkerError",
    ),
    "inference.saved_model": ("load_model",),
    "runs.executors.ray.cluster": ("RayOptions",),
    "runs.progress": ("RunInfo", "SweepProgress", "Watcher"),
    "runs.fitting.fit": ("fit",),
    "runs.result": ("Result", "load_run"),
    "runs.runner": ("run", "run_all", "sweep"),
    "sampling": ("example_order",),
    "planning": ("plan",),
    "steps": ("Budget", "Plan"),
}
"""The public names by module; each module is imported at the first use of a name."""
_MODULE_OF = {name: module for module, names in _PUBLIC_NAMES.items() for name in names}

__version__ = VERSION
__all__ = sorted([*_MODULE_OF, "__version__"])


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'kerasbatch' has no attribute {name!r}")
    module = f"kerasbatch.{_MODULE_OF[name]}"
    if module in sys.modules:
        return getattr(import_module(module), name)
    with import_module("kerasbatch.engine.environment").first_log_lines_hidden():
        return getattr(import_module(module), name)
