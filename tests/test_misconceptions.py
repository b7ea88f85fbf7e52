"""The page of misconceptions: its blocks run in their order, and print what stands below them."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PAGE = Path(__file__).parents[1] / "experiments/misconceptions.md"
BLOCKS = re.findall(
    r"^```py\n(.*?)^```\n\n```text\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.M
)

NUMBER = re.compile(r"\d+(?:\.\d+)?")
"""Accuracies differ a little between processors; whole numbers do not."""


@pytest.mark.slow
def test_every_block_prints_what_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one namespace, as a reader would paste them."""
    monkeypatch.chdir(tmp_path)
    assert len(BLOCKS) == PAGE.read_text(encoding="utf-8").count("```py\n") >= 7
    names: dict[str, Any] = {"__name__": "__main__"}
    for code, output in BLOCKS:
        capsys.readouterr()
        exec(code, names)  # noqa: S102
        printed = capsys.readouterr().out
        assert NUMBER.sub("", printed) == NUMBER.sub("", output), code
        numbers, shown = (list(map(float, NUMBER.findall(text))) for text in (printed, output))
        np.testing.assert_allclose(numbers, shown, atol=0.02, err_msg=code)
