"""The search for learning rates against a grid by brute force, and what giving up settings saves.

    python benchmarks/rate_search.py

Digits at six batch sizes, three seeds. The grid has 13 rates a size, a factor of 2 apart around the
start of the search; it is trained whole (`cap: false`), and again with settings given up. The table
shows the median steps to the target at the best rate of each size, and the training seconds.
"""

import tempfile
from pathlib import Path
from typing import Any

import kerasbatch as kb

SIZES = [1, 8, 32, 128, 512, "full"]
TRAIN_EXAMPLES = 1437
START, OWN_SIZE = 0.1, 32
SPEC: dict[str, Any] = {
    "data": "digits",
    "model": "mlp",
    "optimizer": {"name": "sgd", "momentum": 0.9, "learning_rate": START},
    "loss": "sparse_categorical_crossentropy",
    "metrics": ["accuracy"],
    "steps": 3000,
    "batch_size": OWN_SIZE,
    "evaluate_every": {"growth": 1.1},
    "target": {"metric": "val_accuracy", "at_least": 0.95, "stop": True},
}
RATE = "optimizer.learning_rate"


def rates_of(size: int | str) -> list[float]:
    """Return the rates of the grid at a batch size."""
    number = TRAIN_EXAMPLES if size == "full" else int(size)
    start = START * number / OWN_SIZE
    return [float(f"{start * 2.0**i:.4g}") for i in range(-6, 7)]


def train(name: str, folder: Path, rates: Any, **keys: Any) -> tuple[Any, list[kb.Result]]:
    """Train a sweep, and return its comparison by batch size and its results."""
    sweep = {"batch_size": SIZES, RATE: rates, "seed": [0, 1, 2]}
    results = kb.run_all({**SPEC, "name": name, "sweep": sweep, **keys}, results=folder)
    return kb.compare(folder / name).table.set_index("batch_size"), results


def seconds(results: list[kb.Result]) -> float:
    """Return the seconds of all trainings."""
    return sum(result.row["train_seconds"] or 0.0 for result in results)


def main() -> None:
    """Print both comparisons."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        grid = {"per_batch_size": {str(size): rates_of(size) for size in SIZES}}
        whole, all_runs = train("whole", folder, grid, cap=False)
        capped, fewer = train("capped", folder, grid)
        found, searched = train("searched", folder, "auto")
    print("batch size   grid: rate  steps   search: rate  steps   ratio")
    for size in whole.index:
        steps = [float(table["steps_to_target"][size]) for table in (whole, found)]
        rates = [float(table["learning_rate"][size]) for table in (whole, found)]
        line = f"{rates[0]:10.4g} {steps[0]:6,.0f}   {rates[1]:12.4g} {steps[1]:6,.0f}"
        print(f"{size:10,} {line}   {steps[1] / steps[0]:5.2f}")
    for label, results in (("grid", all_runs), ("capped", fewer), ("search", searched)):
        times = seconds(all_runs) / seconds(results)
        print(
            f"{label:8} {len(results):4} runs, {seconds(results):6.1f} s: {times:.1f} times faster"
        )
    columns = ["learning_rate", "steps_to_target", "reached"]
    print("same answer with caps:", whole[columns].equals(capped[columns]))


if __name__ == "__main__":
    main()
