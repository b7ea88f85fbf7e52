"""The step check finds an engine that cheats."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from run_support import run

from kerasbatch.engine.sources.example_stream import ExampleStream
from kerasbatch.engine.tensorflow.program import TensorFlowProgram


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
    honest = TensorFlowProgram.take

    def take(program: TensorFlowProgram, kind: Any, block: Any, start: Any, **options: Any) -> Any:
        steps = block.steps
        if how == "repeat" and steps > 1:
            block.indices[0] = block.indices[steps - 1]
        drop = 1 if how == "drop" and steps > 1 else 0
        done = honest(program, kind, block, start, **options | {"steps": steps - drop})
        return done._replace(steps=tf.constant(steps))

    monkeypatch.setattr(TensorFlowProgram, "take", take)


def test_many_epochs_in_one_call(
    small: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has a row of its own, and an epoch with wrong examples is found."""
    spec = small | {"epochs": 150, "evaluate_every": {"epochs": 60}}
    honest, calls = TensorFlowProgram.train_epochs, list[int]()

    def train(
        program: TensorFlowProgram, arrays: Any, tags: Any, orders: Any, *rest: Any, **more: Any
    ) -> Any:
        calls.append(rest[1])
        if calls[-1] > 1 and is_wrong:
            orders = tf.tensor_scatter_nd_update(
                orders, [[rest[0] + 1, 0]], [orders[rest[0] + 1, 1]]
            )
        return honest(program, arrays, tags, orders, *rest, **more)

    monkeypatch.setattr(TensorFlowProgram, "train_epochs", train)
    checks = []
    for is_wrong in (False, True):
        result = run(spec | {"seed": int(is_wrong)}, tmp_path)
        checks.append(Counter(row["check"] for row in result.steps.to_dict("records")))
        assert [row["step"] for row in result.history.to_dict("records")] == [0, 480, 960, 1200]
    assert max(calls) > 1
    assert checks[0] == {"ok": 150}
    assert checks[1]["mismatch: wrong_examples"] >= 1


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
