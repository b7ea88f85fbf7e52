"""The search for learning rates against a grid by brute force, and what giving up settings saves.

    python benchmarks/rate_search.py

Digits at six batch sizes, three seeds. The grid has 13 rates a size, a factor of 2 apart around the
start of the search; it is trained whole (`cap: false`), and again with settings given up. The
search is made twice: with the budget of the grid at every size, and with `budget: auto`, as in
experiments/digits_batch_sizes.yaml. The table shows the median steps to the target at the best rate
of each size, then the training seconds.
"""

import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

import kerasbatch as kb

SIZES: list[int | str] = [1, 8, 32, 128, 512, "full"]
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
    """Print the comparisons."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        grid = {"per_batch_size": {str(size): rates_of(size) for size in SIZES}}
        whole, all_runs = train("whole", folder, grid, cap=False)
        capped, fewer = train("capped", folder, grid)
        found, searched = train("searched", folder, "auto")
        short, shipped = train("shipped", folder, "auto", budget="auto")
    best = whole["steps_to_target"]
    answers = {"grid": whole, "search": found, "budget: auto": short}
    columns = ["learning_rate", "steps_to_target"]
    print(pd.concat({name: table[columns] for name, table in answers.items()}, axis=1).to_string())
    for name in ("search", "budget: auto"):
        ratios = (answers[name]["steps_to_target"] / best).round(2)
        print(f"steps of {name} over those of the grid:", *ratios)
    legs = {"grid": all_runs, "capped": fewer, "search": searched, "search, budget: auto": shipped}
    for label, results in legs.items():
        times = seconds(all_runs) / seconds(results)
        print(
            f"{label:20} {len(results):4} runs, {seconds(results):6.1f} s: {times:.1f} times faster"
        )
    columns = [*columns, "reached"]
    print("same answer with caps:", whole[columns].equals(capped[columns]))


if __name__ == "__main__":
    main()
