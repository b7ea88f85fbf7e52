"""The step check finds an engine that cheats."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from run_support import run

from kerasbatch.engine.sources.example_stream import ExampleStream
from kerasbatch.engine.training.program import Program


def _cheat_plain(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """Let the stream drop its second batch, or give the first one in its place."""
    honest = ExampleStream.indices

    def indices(stream: ExampleStream, number_of_pass: int) -> Iterator[Any]:
        first = None
        for number, chosen in enumerate(honest(stream, number_of_pass)):
            first = chosen if first is None else first
            if number == 1 and how == "repeat":
                yield first
            elif number != 1 or how != "drop":
                yield chosen

    monkeypatch.setattr(ExampleStream, "indices", indices)


def _cheat_fused(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """Let the program take its last batch for its first, or claim a step that it left out."""
    honest = Program.train_without_xla  # so few steps go without XLA

    def train(
        program: Program, arrays: Any, tags: Any, indices: Any, steps: int, watched: Any
    ) -> Any:
        if how == "repeat" and steps > 1:
            indices[0] = indices[steps - 1]
        drop = 1 if how == "drop" and steps > 1 else 0
        done = honest(program, arrays, tags, indices, steps - drop, watched)
        return done._replace(steps=tf.constant(steps))

    monkeypatch.setattr(Program, "train_without_xla", train)


@pytest.mark.filterwarnings("ignore:.*ran out of data")
@pytest.mark.parametrize(
    ("engine", "how", "check"),
    [
        ("keras", "drop", "ended_early: failed"),  # TensorFlow counts batches too
        ("keras", "repeat", "mismatch: wrong_examples"),
        ("fused", "drop", "mismatch: skipped_updates"),
        ("fused", "repeat", "mismatch: wrong_examples"),
    ],
)
def test_an_engine_that_cheats_is_caught(
    small: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    engine: str,
    how: str,
    check: str,
) -> None:
    """Also where the number of batches is right: the examples are told apart by their tags."""
    small |= {"batch_size": 2, "engine": engine}
    assert run(small, tmp_path).row["step_check"] == "ok"
    {"keras": _cheat_plain, "fused": _cheat_fused}[engine](monkeypatch, how)
    result = run(small, tmp_path, rerun=True)
    assert result.row["step_check"] == check
    assert result.steps["check"].iloc[0] == check
