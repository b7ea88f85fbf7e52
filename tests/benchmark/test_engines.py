"""Plain fit against the fused engine: that both do the same work, and what the table says."""

import csv
from functools import partial
from pathlib import Path
from typing import Any

import keras
import pytest
from typer.testing import CliRunner

from kerasbatch.benchmark import engines, timers
from kerasbatch.benchmark.engines import EngineSpeeds, measure_engines
from kerasbatch.benchmark.settings import BenchmarkSettings
from kerasbatch.benchmark.timers import Benchmark
from kerasbatch.cli import app
from kerasbatch.data.run_data import load_data
from kerasbatch.engine.training.choose import Choice
from kerasbatch.errors import SpecError
from kerasbatch.spec import reader
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.trust import Access

SHORT = BenchmarkSettings(rounds=2, round_seconds=0.02)


@pytest.fixture
def _short_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command take short rounds, too."""
    monkeypatch.setattr(timers, "Benchmark", partial(Benchmark, settings=SHORT))


def _spec(small: dict[str, Any], **changes: Any) -> Spec:
    return reader.spec_from_dict({**small, **changes}).spec


def _compared(spec: Spec, *sizes: Any) -> list[EngineSpeeds]:
    benchmark = Benchmark(spec, Access(Path(), False), SHORT)
    return [measure_engines(benchmark, size) for size in benchmark.numeric_sizes(sizes)]


@pytest.mark.slow
def test_every_batch_size_is_measured(small: dict[str, Any]) -> None:
    found = _compared(_spec(small), 7, "full")
    assert [each.batch_size for each in found] == [7, 120]
    for each in found:
        assert each.engine == "fused"
        assert each.why.startswith("blocks of steps")
        assert each.plain_examples_per_second == each.plain_steps_per_second * each.batch_size
        assert each.fused_examples_per_second == each.fused_steps_per_second * each.batch_size
        slow, fast = each.plain_steps_per_second, each.fused_steps_per_second
        # With two rounds, the median of the ratios lies within what the medians can say.
        assert 0 < each.ratio < 4 * fast / slow


def test_plain_fit_takes_the_steps_it_is_timed_for(
    small: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A speed is steps that were taken over seconds, whatever the epochs they make."""
    taken: list[int] = []
    fit = keras.Model.fit

    def counted(self: keras.Model, *args: Any, **kwargs: Any) -> Any:
        before = int(self.optimizer.iterations.numpy())
        history = fit(self, *args, **kwargs)
        taken.append(int(self.optimizer.iterations.numpy()) - before)
        return history

    spec = _spec(small)
    loaded = load_data(spec, Access(Path(), False))
    built = timers.build_for_batch_size(spec, Access(Path(), False), loaded, 16)
    plain = timers.PlainTimer(built, loaded.train, 16, SHORT)
    monkeypatch.setattr(keras.Model, "fit", counted)
    monkeypatch.setattr(timers.time, "perf_counter", iter([0.0, 2.0]).__next__)
    assert plain.steps_per_second(20) == taken[0] / 2.0
    assert taken[0] in (21, 14)  # whole epochs of at most seven full batches


def test_where_fused_cannot_work_the_table_says_so(
    small: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse = Choice(False, False, "plain model.fit, because of a test")
    monkeypatch.setattr("kerasbatch.engine.training.start.choose", lambda *_, **__: refuse)
    (found,) = _compared(_spec(small), 16)
    assert (found.engine, found.why) == ("keras", "plain model.fit, because of a test")


@pytest.mark.usefixtures("_short_rounds")
def test_the_command_prints_whole_numbers_and_writes_a_table(tmp_path: Path) -> None:
    table = tmp_path / "bench.csv"
    done = CliRunner().invoke(
        app.app,
        ["bench", "experiments/digits_b16.yaml", "--batch-size", "16,full", "--csv", str(table)],
        env={"COLUMNS": "40"},
        catch_exceptions=False,
    )
    assert done.exit_code == 0
    assert "…" not in done.output
    lines = done.output.splitlines()
    assert max(len(line) for line in lines if "blocks" not in line) <= 80
    with table.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["batch_size"] for row in rows] == ["16", "1437"]
    assert set(rows[0]) == set(EngineSpeeds.__dataclass_fields__)
    assert f"{float(rows[0]['fused_steps_per_second']):,.1f}" in done.output


@pytest.mark.usefixtures("_short_rounds")
def test_without_sizes_those_of_the_spec_are_compared(tmp_path: Path) -> None:
    """Those of its sweep, if it has one; what was measured before an interrupt is shown."""
    compared: list[int] = []

    def interrupted(benchmark: Benchmark, size: int) -> EngineSpeeds:
        compared.append(size)
        if len(compared) > 1:
            raise KeyboardInterrupt
        return measure_engines(benchmark, size)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engines, "measure_engines", interrupted)
        arguments = ["experiments/digits_b16.yaml", "--set", "sweep={batch_size: [64, full]}"]
        done = CliRunner().invoke(app.app, ["bench", *arguments])
    assert compared == [64, 1437]
    assert done.exit_code == 130
    assert "compiled with XLA" in done.output or "without XLA" in done.output


def test_a_table_that_cannot_be_written_is_refused_first(tmp_path: Path) -> None:
    missing = tmp_path / "nowhere" / "table.csv"
    with pytest.raises(SpecError, match="there is no folder"):
        CliRunner().invoke(
            app.app,
            ["bench", "experiments/digits_b16.yaml", "--csv", str(missing)],
            catch_exceptions=False,
        )


@pytest.mark.parametrize("sizes", ["0", "16,-1", "sixteen", "99999", "3.5", "16,,1"])
def test_wrong_batch_sizes_are_refused(sizes: str) -> None:
    arguments = ["bench", "experiments/digits_b16.yaml", "--batch-size", sizes]
    with pytest.raises(SpecError, match=r"must be|more than"):
        CliRunner().invoke(app.app, arguments, catch_exceptions=False)
