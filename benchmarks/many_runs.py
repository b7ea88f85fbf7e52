"""Sweeps of many short runs: training them, asking again, planning and comparing them.

    python benchmarks/many_runs.py [--all]

Every run takes 20 steps on digits, in two workers. With --all, 10,000 of them are trained, which
takes minutes, and compared.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SPEC = """\
data: digits
model: mlp
optimizer: adam
loss: sparse_categorical_crossentropy
metrics: [accuracy]
steps: 20
evaluate_every: {steps: 20}
sweep: {seed: %s, batch_size: [16, 128]}
"""


def command(folder: Path, *arguments: str) -> float:
    """Run a command of kerasbatch; return its seconds."""
    begin = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "kerasbatch", *arguments],
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - begin


def write(folder: Path, runs: int) -> str:
    """Write the spec of a sweep of some runs; return its name."""
    name = f"runs{runs}.yaml"
    (folder / name).write_text(SPEC % list(range(runs // 2)))
    return name


def main() -> None:
    """Print the seconds of the commands."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--all", action="store_true")
    trained = [40, 280, *([10_000] if parser.parse_args().all else [])]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for runs in trained:
            spec = write(folder, runs)
            seconds = command(folder, "run", spec, "--jobs", "2", "--quiet")
            print(f"{runs:6,} runs are trained          {seconds:7.1f} s", flush=True)
            seconds = command(folder, "run", spec, "--jobs", "2", "--quiet")
            print(f"{runs:6,} runs are finished already {seconds:7.1f} s", flush=True)
            seconds = command(folder, "compare", f"results/runs{runs}")
            print(f"{runs:6,} runs are compared         {seconds:7.1f} s", flush=True)
        seconds = command(folder, "plan", write(folder, 10_000))
        print(f"10,000 runs are planned          {seconds:7.1f} s")


if __name__ == "__main__":
    main()
