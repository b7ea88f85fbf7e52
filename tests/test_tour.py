"""The notebooks: their outputs are committed, and they run from top to bottom."""

import re
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
from patience import limit

EXPERIMENTS = Path(__file__).parent.parent / "experiments"


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def kinds(cell: Any) -> list[str]:
    """The kinds of a cell's outputs; what is said on the side is not counted."""
    return [each.output_type for each in cell.outputs if each.get("name") != "stderr"]


PICTURES = {"tour": 3, "dataframe": 0}
"""The notebooks, and the number of their pictures."""


@pytest.mark.parametrize("name", PICTURES)
def test_its_outputs_are_committed(name: str) -> None:
    """Every cell but the first says something or defines something; no error, no place."""
    notebook = nbformat.read(EXPERIMENTS / f"{name}.ipynb", as_version=4)
    nbformat.validate(notebook)
    for cell in code_cells(notebook)[1:]:
        assert kinds(cell) or cell.source.startswith("def ")
        assert "error" not in kinds(cell)
    text = (EXPERIMENTS / f"{name}.ipynb").read_text(encoding="utf-8")
    assert not re.search(r"/(home|root|tmp|work|Users)/", text)
    assert text.count("image/png") == PICTURES[name]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # those of Jupyter's own packages
@pytest.mark.parametrize("name", PICTURES)
def test_it_runs(tmp_path: Path, name: str) -> None:
    """Offline, in a copy of its folder; with the same kinds of outputs as the committed ones."""
    from nbclient import NotebookClient

    folder = tmp_path / "experiments"
    shutil.copytree(EXPERIMENTS, folder)
    notebook = nbformat.read(folder / f"{name}.ipynb", as_version=4)
    committed = [kinds(cell) for cell in code_cells(notebook)]
    NotebookClient(
        notebook, timeout=round(limit(60)), resources={"metadata": {"path": str(folder)}}
    ).execute()
    executed = [kinds(cell) for cell in code_cells(notebook)]
    assert [sorted(set(each)) for each in executed] == [sorted(set(each)) for each in committed]
    logged = [
        output.text
        for cell in code_cells(notebook)
        for output in cell.outputs
        if output.get("name") == "stderr"
    ]
    assert not [text for text in logged if re.search(r"absl|\.cc:\d|tensorflow", text)]
