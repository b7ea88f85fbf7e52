"""kerasbatch: a Keras experiment runner about batch size.

    import kerasbatch as kb
    result = kb.run("experiments/digits_b16.yaml")
    result.history, result.steps        # pandas DataFrames

Importing this package loads neither TensorFlow nor pandas; they are loaded where they are used.
"""

from typing import TYPE_CHECKING, Any

from kerasbatch.errors import (
    DataUnavailableError,
    DirectoryInUseError,
    EngineError,
    Fault,
    KerasbatchError,
    SpecError,
    StepMismatchError,
    WorkerError,
)
from kerasbatch.version import VERSION

if TYPE_CHECKING:
    from kerasbatch.analysis.compare import Comparison, compare
    from kerasbatch.analysis.loaded import Loaded, load
    from kerasbatch.analysis.plot import plot
    from kerasbatch.analysis.report import report
    from kerasbatch.callbacks.noise_scale import NoiseScale
    from kerasbatch.callbacks.recorder import Recorder
    from kerasbatch.callbacks.step_counter import StepCounter
    from kerasbatch.engine.fit import fit
    from kerasbatch.engine.noise import gradient_noise
    from kerasbatch.engine.noise_estimate import GradientNoise
    from kerasbatch.order import example_order
    from kerasbatch.runs.ray_cluster import RayOptions
    from kerasbatch.runs.result import Result
    from kerasbatch.runs.runner import run, run_all
    from kerasbatch.runs.saved_model import load_model
    from kerasbatch.runs.watcher import Running, Standing, Watcher
    from kerasbatch.steps import Budget, Plan, plan
    from kerasbatch.studies.advise import Advice, advise

__version__ = VERSION

__all__ = [
    "Advice",
    "Budget",
    "Comparison",
    "DataUnavailableError",
    "DirectoryInUseError",
    "EngineError",
    "Fault",
    "GradientNoise",
    "KerasbatchError",
    "Loaded",
    "NoiseScale",
    "Plan",
    "RayOptions",
    "Recorder",
    "Result",
    "Running",
    "SpecError",
    "Standing",
    "StepCounter",
    "StepMismatchError",
    "Watcher",
    "WorkerError",
    "__version__",
    "advise",
    "compare",
    "example_order",
    "fit",
    "gradient_noise",
    "load",
    "load_model",
    "plan",
    "plot",
    "report",
    "run",
    "run_all",
]

# Where the names live that are loaded at their first use.
_LAZY = {
    "Advice": "studies.advise",
    "advise": "studies.advise",
    "Budget": "steps",
    "Comparison": "analysis.compare",
    "GradientNoise": "engine.noise_estimate",
    "Loaded": "analysis.loaded",
    "NoiseScale": "callbacks.noise_scale",
    "Plan": "steps",
    "Recorder": "callbacks.recorder",
    "RayOptions": "runs.ray_cluster",
    "Result": "runs.result",
    "StepCounter": "callbacks.step_counter",
    "Running": "runs.watcher",
    "Standing": "runs.watcher",
    "Watcher": "runs.watcher",
    "example_order": "order",
    "compare": "analysis.compare",
    "fit": "engine.fit",
    "gradient_noise": "engine.noise",
    "load": "analysis.loaded",
    "load_model": "runs.saved_model",
    "plan": "steps",
    "plot": "analysis.plot",
    "report": "analysis.report",
    "run": "runs.runner",
    "run_all": "runs.runner",
}


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:  # type checkers and editors know the names from above, and no others

    def __getattr__(name: str) -> Any:
        if name not in _LAZY:
            raise AttributeError(f"module 'kerasbatch' has no attribute {name!r}")
        from importlib import import_module

        return getattr(import_module(f"kerasbatch.{_LAZY[name]}"), name)
