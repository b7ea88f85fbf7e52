"""The advice as a whole: what it refuses, what it measures, what it writes."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

import kerasbatch as kb
from kerasbatch.advice import measure, text
from kerasbatch.advice.cost_model import Costs, MeanNoise, NoiseAt, batch_size_costs
from kerasbatch.advice.grid import read_grid
from kerasbatch.advice.measure import Memory, Speeds
from kerasbatch.advice.noise_run import NoiseTraining, run_noise_training
from kerasbatch.advice.spec_variants import rate_at, spec_variant, without_rule
from kerasbatch.advice.verify import _edge_note, _neighbours, _verdict
from kerasbatch.cli import app
from kerasbatch.spec import reader

DIGITS: dict[str, Any] = {
    "data": "digits",
    "model": "mlp",
    "optimizer": "adam",
    "loss": "sparse_categorical_crossentropy",
    "metrics": ["accuracy"],
    "epochs": 5,
    "batch_size": 16,
}


@pytest.mark.parametrize(
    ("optimizer", "rate"),
    [({"name": "sgd", "learning_rate": 0.1}, 0.4), ({"name": "adam"}, 0.002)],
)
def test_the_rate_grows_with_the_batch_or_its_root(optimizer: Any, rate: float) -> None:
    """By the rule for the optimizer."""
    spec = reader.spec_from_dict(DIGITS | {"optimizer": optimizer}).spec
    assert rate_at(spec, 16, 64) == pytest.approx(rate)
    assert rate_at(spec, 64, 64) == pytest.approx(optimizer.get("learning_rate", 0.001))


def test_an_optimizer_without_a_rule_gets_no_rate() -> None:
    """Nor does a schedule."""
    assert rate_at(reader.spec_from_dict(DIGITS | {"optimizer": "lion"}).spec, 16, 64) is None
    decay = {"name": "PolynomialDecay", "initial_learning_rate": 0.1, "decay_steps": 9}
    scheduled = {"name": "sgd", "learning_rate": decay}
    assert rate_at(reader.spec_from_dict(DIGITS | {"optimizer": scheduled}).spec, 16, 64) is None


def test_what_a_rule_gives_is_written_out() -> None:
    """The base rate is right at the rule's base batch size, and not at the spec's own."""
    rule = {"rule": "linear", "base_batch_size": 32, "warmup": {"epochs": 1}}
    given = DIGITS | {"optimizer": {"name": "sgd", "learning_rate": 0.1}, "batch_size": 256}
    source = without_rule(reader.spec_from_dict(given | {"learning_rate_rule": rule}), 1437)
    assert source.spec.optimizer.arguments["learning_rate"] == pytest.approx(0.8)
    assert source.spec.learning_rate_rule.rule == "none"
    assert source.spec.learning_rate_rule.warmup is not None
    betas = {"rule": "sqrt", "base_batch_size": 8, "betas": True}
    adam = without_rule(reader.spec_from_dict(DIGITS | {"learning_rate_rule": betas}), 1437)
    assert adam.spec.optimizer.arguments["beta_1"] == pytest.approx(0.8)


def test_sizes_are_timed_from_the_middle_outward() -> None:
    """What there is no time for is at the ends."""
    assert measure.from_the_middle([1, 4, 16, 64, 256]) == [16, 4, 64, 1, 256]


def test_a_spec_that_names_files_is_written_beside_them(tmp_path: Path) -> None:
    """Its paths start at its folder."""
    (tmp_path / "inside").mkdir()
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "data: {csv: own.csv, target: y}\nmodel: mlp\noptimizer: sgd\nloss: mse\nepochs: 1\n"
        "batch_size: 4\n",
        encoding="utf-8",
    )
    command = ["advise", str(spec), "-o", str(tmp_path / "inside/advised.yaml")]
    with pytest.raises(kb.SpecError, match="-o: the spec names files beside it"):
        CliRunner().invoke(app.app, command, catch_exceptions=False)


def test_a_variant_has_one_budget_and_its_own_paths(tmp_path: Path) -> None:
    """None takes a key away; what is wrong is said."""
    (tmp_path / "s.yaml").write_text(
        "data: digits\nmodel: mlp\noptimizer: sgd\nloss: mse\nepochs: 3\nbatch_size: 4\n",
        encoding="utf-8",
    )
    source = reader.load_spec(tmp_path / "s.yaml")
    made = spec_variant(source, steps=7, batch_size=8)
    assert (made.spec.length.kind, made.spec.length.amount) == ("steps", 7)
    assert (made.spec.batch_size, made.folder) == (8, tmp_path)
    with pytest.raises(kb.SpecError, match="batch_size"):
        spec_variant(source, batch_size="many")


@pytest.mark.parametrize(
    ("spec", "options", "told"),
    [
        (DIGITS | {"sweep": {"model": ["mlp", "linear"]}}, {}, "leave model out"),
        (DIGITS, {"x": [1.0]}, "goes with a compiled model"),
        (DIGITS, {"target": "val_accuracy"}, "must be a metric and its value"),
        (DIGITS, {"target": "val_nothing>=1"}, "val_nothing"),
        (DIGITS, {"minutes": 0}, "must be minutes above 0"),
        (DIGITS, {"minutes": math.inf}, "must be minutes above 0"),
        (DIGITS, {"verify": True}, "needs a target"),
    ],
)
def test_what_it_refuses(spec: Any, options: dict[str, Any], told: str) -> None:
    """Before anything is measured."""
    with pytest.raises(kb.SpecError, match=told):
        kb.advise(spec, **options)


def made() -> tuple[Costs, MeanNoise, Speeds]:
    noise = MeanNoise(90, 80, 100, 90, 90, 1.0)
    engine = {1: [1.0], 10: [1.0], 100: [2.0], 1000: [20.0]}
    return (
        batch_size_costs(noise, engine),
        noise,
        Speeds(engine, {size: [30.0] for size in engine}, {}),
    )


def test_the_table_and_the_conclusion() -> None:
    """An empty cell was not measured; where nothing is told, no row is advised."""
    found, noise, speeds = made()
    memory = Memory({1: 500.0, 2000: 900.0}, 2000, "tried")
    table = text.advice_table(memory, speeds, found, {10: 2.5}, conclusive=True)
    assert list(table.columns) == list(text.COLUMNS)
    assert table["batch_size"].tolist() == [1, 10, 100, 1000, 2000]
    assert table["advice"].fillna("").tolist() == ["", "", "advised", "", ""]
    assert table["peak_memory_mb"].isna().tolist() == [False, True, True, True, False]
    assert table["steps_per_second"].tolist()[:4] == [1, 1, 0.5, 0.05]
    assert table["seconds_to_target"].dropna().tolist() == [2.5]
    nothing = text.advice_table(memory, speeds, found, {}, conclusive=False)
    assert set(nothing["advice"].dropna()) == {"cannot tell"}
    training = NoiseTraining((NoiseAt(0, 90, 80, 100), NoiseAt(50, 90, 80, 100)), 16, None)
    said = text.advice_message(found, noise, speeds, [1, 10, 100, 1000], 0.01, training)
    assert said.startswith("Batch size 100 is fastest here; within 10 % of its time: 100.")
    assert "The largest that needs hardly more examples than the fewest is 10." in said
    assert "The noise scale is 90 examples (80 to 100)" in said
    assert "With plain fit, where every step costs nearly the same, 1,000" in said
    assert "A learning rate to start from: 0.01; tune it." in said


def test_bfloat16_is_told_as_an_option() -> None:
    """The size that it makes the fastest, and by how much; nothing where it was not timed."""
    found, noise, speeds = made()
    half = Speeds(speeds.engine, speeds.plain, {100: [1.9], 1000: [2.0]})
    training = NoiseTraining((NoiseAt(0, 90, 80, 100), NoiseAt(50, 90, 80, 100)), 16, None)
    said = text.advice_message(found, noise, half, [1, 10, 100, 1000], 0.01, training)
    assert "1,000 would be fastest, and 1.7 times as fast." in said  # 3.8 / 2.18
    slow = Speeds(speeds.engine, speeds.plain, {100: [2.0], 1000: [40.0]})
    said = text.advice_message(found, noise, slow, [1, 10, 100, 1000], 0.01, training)
    assert "100 would be fastest, and no faster." in said
    said = text.advice_message(found, noise, speeds, [1, 10, 100, 1000], 0.01, training)
    assert "bfloat16" not in said
    assert text.bfloat16_table(half)["ratio"].tolist() == pytest.approx([2 / 1.9, 10])


def test_a_verdict_on_the_advice() -> None:
    """Held within 1.5 times the best; a size that did not arrive did not hold."""
    rates = {1: 0.1, 4: 0.1, 16: 0.2}
    predicted = {1: 2.0, 4: 1.0, 16: 1.5}
    held = _verdict(4, {1: 3.0, 4: 1.4, 16: 1.0}, predicted, rates)
    assert (held.held, held.message) == (
        True,
        "the advice held: batch size 4 took 1.40 times the best",
    )
    assert held.table["measured_seconds"].tolist() == [3.0, 1.4, 1.0]
    assert _verdict(4, {1: 3.0, 4: 1.6, 16: 1.0}, predicted, rates).held is False
    assert _verdict(4, {1: 3.0, 4: math.nan, 16: 1.0}, predicted, rates).held is False
    assert _verdict(4, dict.fromkeys(rates, math.nan), predicted, rates).held is None
    assert held.learning_rate == 0.1


def test_best_rates_at_the_edge_are_a_warning() -> None:
    """With the sizes; nothing is added where all lie inside."""
    assert _edge_note([]) == ""
    assert "; at 64, 1,024 the best learning rate lies at the edge" in _edge_note([64, 1024])


def test_neighbours_are_among_the_sizes_that_were_timed() -> None:
    """About a factor of 4 away; the sizes of a sweep are the only ones."""
    assert _neighbours(256, 60_000, measure.SIZES) == [64, 256, 1024]
    assert _neighbours(32, 1000, [8, 16, 32, 48]) == [8, 32, 48]
    assert _neighbours(16, 1000, [16]) == [4, 16, 64]


def test_seconds_to_the_target_follow_the_law() -> None:
    """90 steps at size 10 with a noise scale of 90 are S_min = 9 steps."""
    _, noise, speeds = made()
    training = NoiseTraining((), 10, None, 90)
    predicted = text.predicted_seconds(noise, speeds, training)
    assert predicted[10] == pytest.approx(90)
    assert predicted[100] == pytest.approx(9 * 1.9 * 2)
    assert text.predicted_seconds(noise, speeds, replace(training, steps_to_target=None)) == {}


def test_what_can_be_said_without_an_advice() -> None:
    """The sizes near the best; or the range that no noise leaves."""
    costs, noise, speeds = made()
    assert text.partial_answer(costs, noise, speeds) == (
        "By these measurements, batch size 100 is the fastest, 163% ahead of the next."
    )
    near = batch_size_costs(noise, {10: [1.0], 100: [5.2], 1000: [40.0]})
    assert text.partial_answer(near, noise, speeds) == (
        "By these measurements, 10 to 100 lie within 1%."
    )
    unknown = replace(noise, low=0.0, high=math.inf)
    assert text.partial_answer(None, unknown, speeds) == (
        "Whatever the noise, the fastest of these sizes lies between 1 and 100."
    )
    assert text.partial_answer(None, None, speeds) == ""


def test_a_sweep_gives_the_sizes_and_the_rates() -> None:
    """The single run is that of the middle size and rate."""
    rates = {"8": [0.1, 0.2, 0.3], "32": [0.2, 0.4, 0.8], "full": [1.0, 2.0]}
    sweep = {"batch_size": [8, 32, "full"], "optimizer.learning_rate": {"per_batch_size": rates}}
    grid = read_grid(DIGITS | {"optimizer": "sgd", "sweep": sweep}, (), "val_accuracy>=0.9")
    assert grid.sizes_for(1437) == (8, 32, 1437)
    assert grid.rates_for(1437) == {8: (0.1, 0.2, 0.3), 32: (0.2, 0.4, 0.8), 1437: (1.0, 2.0)}
    spec = grid.source.spec
    assert (spec.batch_size, spec.optimizer.arguments["learning_rate"]) == (32, 0.4)
    assert (spec.sweep, str(spec.target)) == (None, "val_accuracy >= 0.9")
    seeds = read_grid(DIGITS | {"sweep": {"seed": [3, 4]}}, (), None)
    assert (seeds.sizes, seeds.rates, seeds.source.spec.seed) == ((), {}, 3)


def test_memory_that_is_predicted_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the line through what was measured, up to all examples."""
    memory = lambda: type("Free", (), {"available": 1_000e6})  # noqa: E731  # 800 MB may be taken
    monkeypatch.setattr(measure.psutil, "virtual_memory", memory)
    tried: list[int] = []

    def peak(size: int) -> float | None:
        tried.append(size)
        return 100.0 + size if size < 600 else None

    fits = measure._largest({1: 101.0, 256: 356.0}, 500, peak)
    assert (fits.largest, tried) == (500, [500])
    fails = measure._largest({1: 101.0, 256: 356.0}, 5000, peak)
    assert (fails.largest, tried) == (256, [500, 700])
    assert "was predicted to fit into 800 MB, and did not" in fails.message
    assert measure._largest({1: 101.0}, 500, peak).largest is None


@pytest.mark.slow
def test_memory_is_measured_without_notes(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The sizes are experiments of their own, so none is called a rest of an earlier command."""
    source = reader.spec_from_dict(DIGITS)
    memory = measure.measure_memory(source, 1437, [1, 64], tmp_path, math.inf, trust=False)
    assert set(memory.peaks) >= {1, 64}
    assert "note" not in capfd.readouterr().err


@pytest.mark.slow
def test_a_training_that_learns_nothing_says_so(tmp_path: Path) -> None:
    """Or that does not reach its target."""
    lazy = {"name": "sgd", "learning_rate": 1e-30}
    source = reader.spec_from_dict(DIGITS | {"optimizer": lazy, "epochs": 1})
    found = run_noise_training(source, 1437, tmp_path, 120, trust=False)
    assert found.obstacle == "nothing was learned; another learning rate or model would decide"
    target = {"metric": "val_accuracy", "at_least": 1.1}
    far = run_noise_training(spec_variant(source, target=target), 1437, tmp_path, 120, trust=False)
    assert "the target was not reached in all steps that were planned" in str(far.obstacle)
    easy = {"metric": "val_accuracy", "at_least": 0.0}
    near = run_noise_training(spec_variant(source, target=easy), 1437, tmp_path, 120, trust=False)
    assert "a harder one would decide" in str(near.obstacle)
    assert far.rows[0].step == 0


@pytest.mark.slow
def test_advice_on_digits(tmp_path: Path) -> None:
    """Measured, concluded, put to the test and written, within its minutes."""
    spec, csv = tmp_path / "spec.yaml", tmp_path / "advice.csv"
    spec.write_text(
        "data: digits\nmodel: mlp\noptimizer: adam\nloss: sparse_categorical_crossentropy\n"
        "metrics: [accuracy]\nepochs: 5\nbatch_size: 16\n",
        encoding="utf-8",
    )
    asked = ["advise", str(spec), "--target", "val_accuracy>=0.9", "--minutes", "2.5", "--verify"]
    written = ["--csv", str(csv), "-o", str(tmp_path / "advised.yaml")]
    done = CliRunner().invoke(app.app, [*asked, *written], catch_exceptions=False)
    assert done.exit_code == 0
    table = pd.read_csv(csv)
    assert list(table.columns) == list(text.COLUMNS)
    timed = table[table["steps_per_second"].notna()]
    assert (timed[["steps_per_second", "plain_steps_per_second"]] > 0).all(axis=None)
    advised = table[table["advice"] == "advised"]["batch_size"].tolist()
    if advised:
        found = reader.load_spec(tmp_path / "advised.yaml").spec
        assert found.batch_size == advised[0]
        assert found.optimizer.arguments["learning_rate"] > 0
        assert "the best" in done.output or "did not reach" in done.output
    else:
        assert set(timed["advice"]) == {"cannot tell"}
        assert "would decide" in done.output


def test_the_spec_itself_is_not_written_over(tmp_path: Path) -> None:
    """Its comments would be lost, and its keys that stand at their defaults written out."""
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "data: digits\nmodel: mlp\noptimizer: adam\nloss: sparse_categorical_crossentropy\n"
        "epochs: 5\nbatch_size: 16\n",
        encoding="utf-8",
    )
    before = spec.read_bytes()
    with pytest.raises(kb.SpecError, match="is the spec itself, which would be lost"):
        CliRunner().invoke(app.app, ["advise", str(spec), "-o", str(spec)], catch_exceptions=False)
    assert spec.read_bytes() == before
