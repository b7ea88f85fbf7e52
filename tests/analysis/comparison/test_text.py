"""The answer of a comparison, in a sentence."""

from pathlib import Path

from result_support import make_run

import kerasbatch as kb
from kerasbatch.analysis.comparison.text.answer import answer_sentence

TARGET = "val_accuracy>=0.9"


def test_three_questions_and_three_answers(tmp_path: Path) -> None:
    """By steps, by examples and by seconds; a row that wins twice is named once."""
    for seed in range(3):
        make_run(tmp_path, 0.5, 0.6, 0.95, batch_size=1, seed=seed)
        make_run(tmp_path, 0.95, batch_size=100, seed=seed)
    assert answer_sentence(kb.compare(tmp_path, target=TARGET)) == (
        "To reach val_accuracy >= 0.9, batch size 100 took the fewest steps (10) and the least "
        "time (0.1 s) and batch size 1 the fewest examples (30; 100 may be as good), in the "
        "median of 3 seeds."
    )


def test_one_row_is_no_comparison(tmp_path: Path) -> None:
    """It says what that row took, or where it ended."""
    make_run(tmp_path, 0.5, 0.95)
    assert answer_sentence(kb.compare(tmp_path, target=TARGET)) == (
        "Batch size 10 reached val_accuracy >= 0.9 after 20 steps, 200 examples and 0.2 s of "
        "training; there is no other to compare it with."
    )
    assert answer_sentence(kb.compare(tmp_path)) == (
        "Batch size 10 ended at a val_accuracy of 0.95; there is no other to compare it with."
    )


def test_a_target_that_none_reached(tmp_path: Path) -> None:
    """It says which came nearest."""
    make_run(tmp_path, 0.5, 0.6, batch_size=4)
    make_run(tmp_path, 0.5, 0.7, batch_size=8)
    assert answer_sentence(kb.compare(tmp_path, target=TARGET)) == (
        "No batch size reached val_accuracy >= 0.9; batch size 8 came nearest, with 0.7 at its end."
    )


def test_without_a_target_the_best_end(tmp_path: Path) -> None:
    """The highest accuracy, the lowest loss; seeds are counted, also where rows differ in them."""
    make_run(tmp_path, 0.5, 0.6, batch_size=4)
    for seed in (0, 1):
        make_run(tmp_path, 0.5, 0.7, batch_size=8, seed=seed)
    assert answer_sentence(kb.compare(tmp_path)) == (
        "Batch size 8 ended at the highest val_accuracy of 0.7, in the median of 2 seeds."
    )


def test_nothing_evaluated_nothing_concluded(tmp_path: Path) -> None:
    """A run that failed at once."""
    nothing = dict.fromkeys(("val_accuracy", "val_loss"))
    make_run(tmp_path, 0.5, status="failed", row=nothing)
    only_failed = answer_sentence(kb.compare(tmp_path))
    assert only_failed == "No run has finished, so nothing can be concluded."


def test_equal_rows_win_together(tmp_path: Path) -> None:
    """By the target, and without one."""
    for size in (4, 8):
        make_run(tmp_path, 0.5, 0.95, batch_size=size)
    assert answer_sentence(kb.compare(tmp_path, target=TARGET)) == (
        "To reach val_accuracy >= 0.9, batch size 4 and batch size 8 took the fewest steps (20) "
        "and the least time (0.2 s) and batch size 4 the fewest examples (80), with one seed each."
    )
    assert answer_sentence(kb.compare(tmp_path)) == (
        "Batch size 4 and batch size 8 ended at the highest val_accuracy of 0.95, with one seed "
        "each."
    )


def test_seeds_that_did_not_reach_it_are_told(tmp_path: Path) -> None:
    """Of the rows that are named, and of no others."""
    for seed, last in enumerate((0.95, 0.5, 0.5)):
        make_run(tmp_path, 0.5, last, batch_size=4, seed=seed)
    assert answer_sentence(kb.compare(tmp_path, target=TARGET)).startswith(
        "Batch size 4 (in 1 of 3 seeds) reached val_accuracy >= 0.9 after 20 steps"
    )
    make_run(tmp_path, 0.5, batch_size=8, status="failed", row={"val_accuracy": None})
    assert answer_sentence(kb.compare(tmp_path, target=TARGET)).endswith(
        "batch size 4 (in 1 of 3 seeds) took the fewest steps (20), the fewest examples (80) and "
        "the least time (0.2 s), with one seed."
    )


def test_what_cut_off_runs_would_have_reached_is_unknown(tmp_path: Path) -> None:
    """Also where nothing of the chosen setting was ever measured."""
    make_run(tmp_path, 0.5, batch_size=4, status="interrupted")
    none = {"val_accuracy": None, "val_loss": None}
    make_run(tmp_path, status="diverged", batch_size=4, rate=0.4, row=none, spec={"steps": 9})
    said = answer_sentence(kb.compare(tmp_path, target=TARGET))
    assert said.startswith("No batch size has reached val_accuracy >= 0.9")
    assert said.endswith("; whether 1 row would reach it is unknown.")
    assert answer_sentence(kb.compare(tmp_path)) == (
        "No run has come to an evaluation, so nothing can be concluded."
    )


def test_names_and_truth_values_stay_as_they_are(tmp_path: Path) -> None:
    """No letter is made small."""
    for kind, last in (("CamelCase", 0.9), ("other", 0.5)):
        make_run(tmp_path / "k", 0.5, last, swept={"data.Kind": kind}, spec={"seed": len(kind)})
    assert answer_sentence(kb.compare(tmp_path / "k", "data.Kind")).startswith(
        "Kind CamelCase ended at"
    )
    for nesterov, last in ((True, 0.95), (False, 0.5)):
        optimizer = {"name": "sgd", "learning_rate": 0.1, "nesterov": nesterov}
        swept = {"optimizer.nesterov": nesterov}
        make_run(tmp_path / "n", 0.5, last, swept=swept, spec={"optimizer": optimizer})
    assert answer_sentence(kb.compare(tmp_path / "n", "optimizer.nesterov")).startswith(
        "Nesterov true ended"
    )


def test_where_none_reached_it_the_nearest_rate_is_shown(tmp_path: Path) -> None:
    """Not the smallest one."""
    for rate, last in ((0.1, 0.3), (0.2, 0.8), (0.4, 0.6)):
        make_run(tmp_path, 0.2, last, rate=rate)
    found = kb.compare(tmp_path, target=TARGET)
    assert found.table["learning_rate"].tolist() == [0.2]
    assert answer_sentence(found).endswith("batch size 10 came nearest, with 0.8 at its end.")
