"""What holds across the whole project."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import kerasbatch
from kerasbatch import data, specfile, steps, sweep
from kerasbatch.access import Access

HERE = Path(__file__).parent.parent
PACKAGE = HERE / "kerasbatch"
EXPERIMENTS = sorted((HERE / "experiments").glob("*.yaml"))
# From the bottom up; a module imports only what stands before it.
LAYERS = [
    ["version", "errors"],
    ["steps", "stepcheck", "order", "yamltree", "access", "quiet"],
    ["names", "spec", "rules", "specfile", "schema", "sweep", "learning_rate", "datasets"],
    [
        "own_data",
        "records",
        "provenance",
        "data",
        "model",
        "step_counter",
        "recorder",
        "watching",
        "tables",
        "feed",
        "labels",
        "model_state",
    ],
    ["program", "plain", "fused", "choice", "engine", "inputs", "fitting", "training"],
    ["result", "prepare", "runner", "bench"],
    ["draw", "progress"],
    ["terminal", "cli"],
]
ORDER = [module for layer in LAYERS for module in layer]
APART = {"__init__", "__main__", "keras_names"}  # doors into the package, and a generator


def imported(module: str) -> set[str]:
    """Return the kerasbatch modules that a module imports, wherever in its text."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "kerasbatch":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("kerasbatch."):
            found.add(str(node.module).split(".")[1])
    return found


def test_every_module_has_a_place() -> None:
    """Nothing lies beside the layers."""
    assert {path.stem for path in PACKAGE.glob("*.py")} == set(ORDER) | APART


@pytest.mark.parametrize("module", ORDER)
def test_imports_go_downward(module: str) -> None:
    """Imports for type checking count too."""
    assert imported(module) <= set(ORDER[: ORDER.index(module)])


@pytest.mark.parametrize("module", ORDER)
def test_only_the_command_line_prints_or_exits(module: str) -> None:
    """A library returns or raises."""
    text = (PACKAGE / f"{module}.py").read_text(encoding="utf-8")
    if module not in ("terminal", "cli", "progress"):
        assert not re.search(r"\bprint\(|sys\.exit|console\.", text)


def test_the_public_api_is_the_documented_one() -> None:
    """Every public name is there, has a docstring, and stands in the README."""
    readme = (HERE / "README.md").read_text(encoding="utf-8")
    assert kerasbatch.__all__ == sorted(kerasbatch.__all__)
    for name in kerasbatch.__all__:
        assert getattr(kerasbatch, name).__doc__
        assert f"`{name}`" in readme or f"kb.{name}" in readme or name == "__version__", name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = kerasbatch.nothing


def test_importing_the_package_is_cheap() -> None:
    """Neither TensorFlow nor pandas nor pydantic is loaded by the import alone."""
    code = "import kerasbatch, sys; print({'tensorflow','pandas','pydantic'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("file", EXPERIMENTS, ids=lambda file: file.stem)
def test_shipped_experiments_parse_and_plan(file: Path) -> None:
    """Each asks a question, is short, and its runs have plans."""
    source = specfile.load(file)
    assert source.spec.question
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 40
    assert source.spec.name == file.stem
    for single in sweep.expand(source):
        spec = single.spec
        n = data.sizes(spec, Access(source.folder, trusted=True)).train_examples
        assert steps.plan(n, spec.batch_size, spec.budget, spec.partial_batch).total_steps > 0


def test_the_map_in_the_readme_names_every_module() -> None:
    """A reader finds any behaviour by the file names."""
    readme = (HERE / "README.md").read_text(encoding="utf-8")
    for module in ORDER:
        assert f"`{module}`" in readme, module
