# The public names for type checkers and editors; tests/test_public_names.py compares them
# with the mapping in __init__.py.
from kerasbatch.advice.advise import advise as advise
from kerasbatch.advice.result import Advice as Advice
from kerasbatch.analysis.comparison.compare import compare as compare
from kerasbatch.analysis.comparison.result import Comparison as Comparison
from kerasbatch.analysis.loading.load import Loaded as Loaded
from kerasbatch.analysis.loading.load import load as load
from kerasbatch.analysis.plots.plot import plot as plot
from kerasbatch.analysis.report.page import report as report
from kerasbatch.callbacks.noise_scale import NoiseScale as NoiseScale
from kerasbatch.callbacks.recorder import Recorder as Recorder
from kerasbatch.callbacks.step_counter import StepCounter as StepCounter
from kerasbatch.engine.fit.api import fit as fit
from kerasbatch.engine.noise.estimate import GradientNoise as GradientNoise
from kerasbatch.engine.noise.meter import gradient_noise as gradient_noise
from kerasbatch.errors import DataUnavailableError as DataUnavailableError
from kerasbatch.errors import DirectoryInUseError as DirectoryInUseError
from kerasbatch.errors import EngineError as EngineError
from kerasbatch.errors import Fault as Fault
from kerasbatch.errors import KerasbatchError as KerasbatchError
from kerasbatch.errors import SpecError as SpecError
from kerasbatch.errors import StepMismatchError as StepMismatchError
from kerasbatch.errors import WorkerError as WorkerError
from kerasbatch.inference.saved_model import load_model as load_model
from kerasbatch.planning import plan as plan
from kerasbatch.runs.executors.ray.cluster import RayOptions as RayOptions
from kerasbatch.runs.progress import RunInfo as RunInfo
from kerasbatch.runs.progress import SweepProgress as SweepProgress
from kerasbatch.runs.progress import Watcher as Watcher
from kerasbatch.runs.result import Result as Result
from kerasbatch.runs.runner import run as run
from kerasbatch.runs.runner import run_all as run_all
from kerasbatch.sampling import example_order as example_order
from kerasbatch.steps import Budget as Budget
from kerasbatch.steps import Plan as Plan

__version__: str
