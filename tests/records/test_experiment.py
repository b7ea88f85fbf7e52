"""The table of an experiment's runs."""

from pathlib import Path

from result_support import make_run

from kerasbatch.records.experiment import Experiment
from kerasbatch.records.runs_csv import RunsCsv


def test_runs_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    """batch_size=2 comes before batch_size=16."""
    experiment = Experiment(tmp_path)
    for size in (128, 16, 2):
        make_run(experiment.path, 0.5, batch_size=size, swept={"batch_size": size})
    RunsCsv(experiment).write()
    lines = (tmp_path / "runs.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert [line.split("-")[0] for line in lines] == [
        "batch_size=2",
        "batch_size=16",
        "batch_size=128",
    ]
