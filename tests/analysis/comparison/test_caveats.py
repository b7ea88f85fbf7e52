"""What keeps a comparison from concluding: each reason, alone, where it holds and where not."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from result_support import make_run
from scipy import stats

import kerasbatch as kb
from kerasbatch.analysis.comparison.caveats.find import FINDERS
from kerasbatch.analysis.comparison.caveats.seed_spread import difference

TARGET = "val_accuracy>=0.9"
RATES = (0.1, 0.2, 0.4)


def sound(folder: Path, **changes: Any) -> None:
    """Write a sweep that nothing can be said against: sizes 10 and 100, three rates, five seeds."""
    for seed in range(5):
        late = 12 + seed % 2
        for rate in RATES:
            slower = 0 if rate == 0.2 else 3
            for size, steps in ((10, late + slower), (100, 4 + slower)):
                climb = [0.5] * (steps - 1) + [0.95, 0.96]
                given = {key: value for key, value in changes.items() if key != "only"}
                here = given if changes.get("only", size) == size else {}
                keys = {"spec": {"steps": 200} | here.get("spec", {})}
                make_run(folder, *climb, batch_size=size, seed=seed, rate=rate, **(here | keys))


def codes(folder: Path, target: str | None = TARGET) -> dict[str, list[int]]:
    """The caveats, and the sizes of the rows that they are about."""
    found = kb.compare(folder, target=target)
    sizes = found.table["batch_size"]
    told: dict[str, list[int]] = {}
    for each in found.caveats:
        assert each.runs
        rows = {*told.get(each.code, ()), *(int(sizes[row]) for row in each.rows)}
        told[each.code] = sorted(rows)
    for row, text in zip(found.table.index, found.table["caveats"], strict=True):
        here = {code for code, rows in told.items() if int(sizes[row]) in rows}
        assert set(filter(None, text.split(";"))) == here
    return told


def test_nothing_is_said_of_a_sound_sweep(tmp_path: Path) -> None:
    """With and without a target."""
    sound(tmp_path)
    assert codes(tmp_path) == {}
    names = {finder.__name__ for finder in FINDERS}
    assert len(names) == len(FINDERS)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"record": {"versions": {"keras": "2"}}, "only": 10}, {"mixed": [10, 100]}),
        ({"record": {"machine": {"cores": 64}}, "only": 10}, {"mixed": [10, 100]}),
        ({"used": "iris", "only": 100}, {"fallback": [100]}),
        ({"row": {"step_check": "mismatch: skipped_updates"}, "only": 10}, {"step_check": [10]}),
        ({"row": {"engine": "keras"}, "only": 10}, {"engines": [10, 100]}),
        ({"spec": {"validation": "test"}}, {"test_target": [10, 100]}),
    ],
)
def test_what_is_wrong_with_the_runs(
    tmp_path: Path, changes: dict[str, Any], expected: dict[str, list[int]]
) -> None:
    """And the rows that it is about."""
    sound(tmp_path, **changes)
    assert codes(tmp_path) == expected


def test_the_own_test_part_of_mnist_is_its_default_validation(tmp_path: Path) -> None:
    """Without a word in the spec."""
    data = {"name": "mnist"}
    make_run(tmp_path, 0.5, 0.9, spec={"data": data, "validation": None}, used="mnist")
    assert "test_target" in codes(tmp_path)
    other = tmp_path / "other"
    make_run(other, 0.5, 0.9, spec={"data": data}, used="mnist")
    assert "test_target" not in codes(other)


@pytest.mark.parametrize("best", [0.1, 0.4])
def test_a_best_rate_at_the_edge(tmp_path: Path, best: float) -> None:
    """At either end, also where none reached the target; or alone. A rate inside is none."""
    for seed in (0, 1, 2):
        for rate in RATES:
            make_run(tmp_path, 0.9 if rate == best else 0.5, 0.9, rate=rate, seed=seed)
            make_run(tmp_path, 0.5, 0.5, batch_size=100, rate=rate, seed=seed)
        make_run(tmp_path, 0.5, 0.9, batch_size=200, rate=0.3, seed=seed)
    found = kb.compare(tmp_path, target=TARGET)
    told = [each.message for each in found.caveats if each.code == "grid_edge"]
    assert [text.partition(":")[0] for text in told] == ["batch_size 10, 100", "batch_size 200"]
    assert "edge of its grid" in told[0]
    assert "only one learning rate" in told[1]


def test_one_seed(tmp_path: Path) -> None:
    """Of the chosen rate."""
    for rate in RATES:
        make_run(tmp_path, 0.5, 0.9, rate=rate)
        for seed in (0, 1):
            make_run(tmp_path, 0.9, 0.9, batch_size=100, rate=rate, seed=seed)
    assert codes(tmp_path)["one_seed"] == [10]


def test_differences_are_paired_over_seeds(tmp_path: Path) -> None:
    """A fifth more in every seed is a difference; the same with a spread of its own is none."""
    steady, noisy = tmp_path / "steady", tmp_path / "noisy"
    for seed in range(3):
        for folder, other in ((steady, 2 * (seed + 1)), (noisy, (5, -4, 1)[seed])):
            start = 10 * (seed + 1)
            for size, steps in ((10, start), (20, start + other)):
                climb, budget = [*([0.5] * (steps - 1)), 0.9], {"steps": 50}
                make_run(folder, *climb, batch_size=size, seed=seed, every=1, spec=budget)
    assert _about(steady, "steps_to_target") == []
    assert len(_about(noisy, "steps_to_target")) == 1


def _about(folder: Path, column: str) -> list[str]:
    found = kb.compare(folder, target=TARGET).caveats
    texts = [c.message for c in found if c.code == "within_spread" and f"in {column}" in c.message]
    return [text.partition(":")[0] for text in texts]


def test_the_interval_is_that_of_student() -> None:
    """Of 2, 3 and 4 logarithms' worth: t(0.975, 2) = 4.303 standard errors around the mean."""
    logs = pd.Series([2.0, 3.0, 4.0])
    error = 1 / 3**0.5
    for mean, equal in ((4.303 * error - 0.01, True), (4.303 * error + 0.01, False)):
        measured = difference(logs - 3.0 + mean, logs * 0)
        assert measured is not None
        assert measured.may_be_zero() is equal
        assert (measured.seeds, measured.is_paired) == (3, True)
    same = pd.Series([1.0, 2.0, 4.0])
    assert same_rows(same, same)
    assert difference(pd.Series([1.0]), pd.Series([0.0])) is None


def same_rows(one: "pd.Series[float]", other: "pd.Series[float]") -> bool:
    measured = difference(one, other)
    assert measured is not None
    return measured.may_be_zero()


def test_seeds_without_pairs_are_independent_samples() -> None:
    """Welch's t: the same values under other seeds may well be equal, distant ones not."""
    one = pd.Series([1.0, 1.1, 1.2], index=[0, 1, 2])
    other = pd.Series([1.0, 1.4, 1.3, 1.6], index=[3, 4, 5, 6])
    measured = difference(one, other)
    welch = stats.ttest_ind(one, other, equal_var=False)
    assert measured is not None
    assert measured.mean / measured.error == pytest.approx(welch.statistic)
    assert measured.freedom == pytest.approx(welch.df)
    assert (measured.seeds, measured.is_paired) == (3, False)
    assert same_rows(one, one.set_axis([3, 4, 5]))
    assert not same_rows(one, one.set_axis([3, 4, 5]) + 9)


def test_the_number_of_seeds_that_would_show_a_difference() -> None:
    """By the same interval, if the spread stays; None beyond the limit."""
    measured = difference(pd.Series([1.0, 0.0]), pd.Series([0.0, 0.0]))
    assert measured is not None
    needed = measured.needed_seeds(30)
    deviation = 0.5**0.5
    widths = {n: stats.t.ppf(0.975, n - 1) * deviation / n**0.5 for n in range(2, 31)}
    assert needed == min(n for n, width in widths.items() if width < 0.5)
    assert measured.needed_seeds(needed - 1) is None


def test_targets_that_were_missed(tmp_path: Path) -> None:
    """By some seeds, by all, or nobody knows."""
    for seed in range(3):
        make_run(tmp_path, 0.9 if seed else 0.5, seed=seed)
        make_run(tmp_path, 0.5, batch_size=100, seed=seed)
        make_run(tmp_path, 0.5, batch_size=200, seed=seed, status="timeout")
    found = kb.compare(tmp_path, target=TARGET)
    told = [each.message for each in found.caveats if each.code == "not_reached"]
    assert told[:2] == [
        "batch_size 10: 1 of 3 seeds did not reach the target",
        "batch_size 100: 3 of 3 seeds did not reach the target",
    ]
    assert told[2].startswith("batch_size 200: cut off, or stopped at an easier target")


def test_evaluations_that_are_too_coarse(tmp_path: Path) -> None:
    """Spans of steps that overlap say nothing of who was first."""
    for seed in range(3):
        make_run(tmp_path, 0.5, 0.9, batch_size=10, every=50, seed=seed)  # between 50 and 100
        make_run(tmp_path, 0.5, 0.9, batch_size=11, every=45, seed=seed)  # between 45 and 90
        make_run(tmp_path, *([0.5] * 12), 0.9, batch_size=12, every=10, seed=seed)  # 120 and 130
    found = kb.compare(tmp_path, target=TARGET)
    told = [e.message for e in found.caveats if e.code == "coarse" and "the steps" in e.message]
    assert [text.partition(":")[0] for text in told] == ["batch_size 10"]
    assert "batch_size 11 (45 to 90)" in told[0]


def test_budgets_that_differ(tmp_path: Path) -> None:
    """Equal steps and equal examples are budgets; anything else flatters somebody."""
    equal_steps, equal_examples, neither = (tmp_path / name for name in ("steps", "seen", "none"))
    for seed in (0, 1):
        for folder, counts in (
            (equal_steps, {10: 20, 100: 20}),
            (equal_examples, {10: 200, 100: 20}),
            (neither, {10: 200, 100: 40}),
        ):
            for size, count in counts.items():
                make_run(folder, *([0.5] * count), batch_size=size, seed=seed, every=10)
    assert "budgets" not in codes(equal_steps, None)
    assert "budgets" not in codes(equal_examples, None)
    assert codes(neither, None)["budgets"] == [10, 100]
    assert "budgets" not in codes(neither)


def test_a_full_batch_of_more_epochs_has_another_budget(tmp_path: Path) -> None:
    """Neither steps nor examples are equal."""
    for seed in range(2):
        make_run(tmp_path, *[0.5] * 30, every=100, seed=seed)
        make_run(tmp_path, *[0.5] * 300, batch_size=1000, every=1, seed=seed)
    assert "budgets" in codes(tmp_path, None)


def test_by_learning_rate_nothing_is_chosen(tmp_path: Path) -> None:
    """So no rate is at the edge of its grid."""
    sound(tmp_path)
    found = kb.compare(tmp_path, "learning_rate", TARGET)
    assert not [each for each in found.caveats if each.code == "grid_edge"]
