"""What type checkers and editors see of the public names, in an editable install."""

import subprocess
import sys
from pathlib import Path

import pytest
from patience import limit

pytestmark = pytest.mark.tools
BIN = Path(sys.executable).parent
RIGHT = """\
import kerasbatch as kb

made = kb.plan(60_000, batch_size=16, epochs=5)
steps: int = made.total_steps
result = kb.run("experiments/digits_b16.yaml", results="here", rerun=True)
status: str = result.status
swept = kb.sweep(data=([1], [2]), model="mlp", batch_size=[8, 64], learning_rate=[0.1, 1.0])
many: list[kb.Result] = kb.run_all("x.yaml", overrides=["seed=1"])
order = kb.example_order(10, seed=0, epoch=1)
counter = kb.StepCounter(train_examples=10, batch_size=5)
check: str = counter.check()
"""
WRONG = ["kb.pln(1)", 'kb.run("x", resutls=1)', "kb.plan(10, batch_size=2, epoch=1)"]


def _complaints(checker: str, code: str, folder: Path) -> str:
    (folder / "script.py").write_text(code, encoding="utf-8")
    command = {
        "mypy": [BIN / "mypy", "--strict", "script.py"],
        "pyright": [BIN / "pyright", "--pythonpath", sys.executable, "script.py"],
    }[checker]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=limit(60)
    )
    return "" if done.returncode == 0 else done.stdout


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_right_uses_pass_and_wrong_ones_do_not(checker: str, tmp_path: Path) -> None:
    """Ten lines that are right; a misspelt name and misspelt arguments."""
    assert _complaints(checker, RIGHT, tmp_path) == ""
    for wrong in WRONG:
        assert "error" in _complaints(checker, f"import kerasbatch as kb\n\n{wrong}\n", tmp_path)
