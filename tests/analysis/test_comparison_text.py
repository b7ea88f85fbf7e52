"""The answer of a comparison, in a sentence."""

from pathlib import Path

from result_support import make_run

import kerasbatch as kb
from kerasbatch.analysis.comparison_text import answer

TARGET = "val_accuracy>=0.9"


def test_three_questions_and_three_answers(tmp_path: Path) -> None:
    """By steps, by examples and by seconds; a row that wins twice is named once."""
    for seed in range(3):
        make_run(tmp_path, 0.5, 0.6, 0.95, batch_size=1, seed=seed)
        make_run(tmp_path, 0.95, batch_size=100, seed=seed)
    assert answer(kb.compare(tmp_path, target=TARGET)) == (
        "To reach val_accuracy >= 0.9, batch size 100 took the fewest steps (10) and the least "
        "time (0.10 s) and batch size 1 the fewest examples (30), in the median of 3 seeds."
    )


def test_one_row_is_no_comparison(tmp_path: Path) -> None:
    """It says what that row took, or where it ended."""
    make_run(tmp_path, 0.5, 0.95)
    assert answer(kb.compare(tmp_path, target=TARGET)) == (
        "Batch size 10 reached val_accuracy >= 0.9 after 20 steps, 200 examples and 0.20 s of "
        "training; there is no other to compare it with."
    )
    assert answer(kb.compare(tmp_path)) == (
        "Batch size 10 ended at a val_accuracy of 0.9500; there is no other to compare it with."
    )


def test_a_target_that_none_reached(tmp_path: Path) -> None:
    """It says which came nearest."""
    make_run(tmp_path, 0.5, 0.6, batch_size=4)
    make_run(tmp_path, 0.5, 0.7, batch_size=8)
    assert answer(kb.compare(tmp_path, target=TARGET)) == (
        "No batch size reached val_accuracy >= 0.9; batch size 8 came nearest, with 0.7000 at its "
        "end."
    )


def test_without_a_target_the_best_end(tmp_path: Path) -> None:
    """The highest accuracy, the lowest loss; seeds are counted, also where rows differ in them."""
    make_run(tmp_path, 0.5, 0.6, batch_size=4)
    for seed in (0, 1):
        make_run(tmp_path, 0.5, 0.7, batch_size=8, seed=seed)
    assert answer(kb.compare(tmp_path)) == (
        "Batch size 8 ended at the highest val_accuracy of 0.7000, in the median of 1 to 2 seeds."
    )


def test_nothing_evaluated_nothing_concluded(tmp_path: Path) -> None:
    """A run that failed at once."""
    nothing = dict.fromkeys(("val_accuracy", "val_loss"))
    make_run(tmp_path, 0.5, status="failed", row=nothing)
    assert answer(kb.compare(tmp_path)) == (
        "No run has come to an evaluation, so nothing can be concluded."
    )
