"""The parts of a whole command: `kerasbatch run SPEC`, in a fresh process.

    python benchmarks/startup.py experiments/mnist_b16.yaml [KEY=VALUE ...]

Each line is the time at which a part had ended, and its duration. The training is cut
to 20 steps.
"""

import argparse
import subprocess
import sys
import tempfile

MAIN = """
import sys, time
begin = time.perf_counter()
marks = []

def mark(name):
    marks.append((name, time.perf_counter() - begin))

def timed(owner, attribute, name):
    honest = getattr(owner, attribute)
    def watched(*arguments, **options):
        result = honest(*arguments, **options)
        if name not in dict(marks):
            mark(name)
        return result
    setattr(owner, attribute, watched)

from kerasbatch.cli import app, preflight
mark("the command line is imported")
timed(preflight, "check_before_loading", "the spec is read and planned")
from kerasbatch.cli import run
run.check_before_loading = preflight.check_before_loading
from kerasbatch.engine import environment
timed(environment, "load_tensorflow", "TensorFlow is loaded")

def after_loading(*arguments, honest=environment.load_keras, **options):
    honest(*arguments, **options)
    from kerasbatch.runs.executors import in_process
    from kerasbatch.runs.prepare import checks, data_loader
    from kerasbatch.runs.training import session, trainer
    from kerasbatch.engine.training import fused, fit_loop
    mark("the rest of the package is imported")
    timed(data_loader, "prepare_data", "the data are loaded")
    timed(in_process.InProcessExecutor, "check", "a model is built and compared with the data")
    timed(trainer.ModelCache, "get", "the model is built")
    timed(fused.FusedTraining, "compile", "the program is compiled")
    timed(fit_loop.FitLoop, "run", "20 steps are taken")

environment.load_keras = after_loading
sys.argv = ["kerasbatch", "run", *sys.argv[1:], "--quiet"]
try:
    app.main()
finally:
    mark("all files are written, and the result is shown")
    before = 0.0
    for name, seconds in marks:
        print(f"{seconds:7.2f} s  {seconds - before:6.2f} s  {name}", file=sys.stderr)
        before = seconds
"""


def main() -> int:
    """Run the command, and print its parts."""
    parser = argparse.ArgumentParser()
    parser.add_argument("spec")
    parser.add_argument("overrides", nargs="*")
    arguments = parser.parse_args()
    overrides = [part for each in arguments.overrides for part in ("--set", each)]
    with tempfile.TemporaryDirectory() as folder:
        command = [arguments.spec, "--results", folder, "--set", "steps=20", *overrides]
        ended = subprocess.run(
            [sys.executable, "-c", MAIN, *command], capture_output=True, text=True
        )
    print("\n".join(line for line in ended.stderr.splitlines() if " s  " in line) or ended.stderr)
    return ended.returncode


if __name__ == "__main__":
    sys.exit(main())
