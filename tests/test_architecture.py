"""What holds across the whole project."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from patience import limit

import kerasbatch
from kerasbatch.runs.prepare.plans import plan_runs
from kerasbatch.spec import reader
from kerasbatch.spec.trust import Access

HERE = Path(__file__).parent.parent
PACKAGE = HERE / "kerasbatch"
EXPERIMENTS = sorted((HERE / "experiments").glob("*.yaml"))
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def test_imports_run_downward() -> None:
    """The contracts of pyproject.toml: between the packages, inside them, and to the outside."""
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [lint, "--no-cache"], cwd=HERE, capture_output=True, text=True, timeout=limit(60)
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_only_the_command_line_prints_or_exits(module: Path) -> None:
    """A library returns or raises."""
    text = (PACKAGE / module).read_text(encoding="utf-8")
    if module.parts[0] != "cli":
        assert not re.search(r"\bprint\(|sys\.exit|console\.", text)


@pytest.mark.parametrize("package", sorted(p.parent for p in PACKAGE.glob("*/__init__.py")))
def test_packages_hold_a_docstring_and_nothing_else(package: Path) -> None:
    """The public names are those of kerasbatch itself."""
    (only,) = ast.parse((package / "__init__.py").read_text(encoding="utf-8")).body
    assert isinstance(only, ast.Expr)


def test_the_public_api_is_the_documented_one() -> None:
    """Every public name is there, has a docstring, and stands in the page about Python."""
    page = (HERE / "docs/reference/python.md").read_text(encoding="utf-8")
    assert kerasbatch.__all__ == sorted(kerasbatch.__all__)
    for name in kerasbatch.__all__:
        assert getattr(kerasbatch, name).__doc__
        assert f"`{name}`" in page or name == "__version__", name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = kerasbatch.nothing


def test_importing_the_package_is_cheap() -> None:
    """Neither TensorFlow nor pandas nor pydantic is loaded by the import alone."""
    code = "import kerasbatch, sys; print({'tensorflow','pandas','pydantic'} & sys.modules.keys())"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=limit(60)
    )
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("file", EXPERIMENTS, ids=lambda file: file.stem)
def test_shipped_experiments_parse_and_plan(file: Path) -> None:
    """Each asks a question, is short, and its runs have plans."""
    source = reader.load_spec(file)
    assert source.spec.question
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 40
    assert source.spec.name == file.stem
    planned = plan_runs(source, Access(source.folder, trusted=True))
    assert all(each.plan.total_steps > 0 for each in planned)


def test_the_map_of_the_code_has_a_line_for_every_folder() -> None:
    """Each line names the module to start at, which exists."""
    code = (HERE / "docs/explanation/code.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `?([\w/]+?)/?`? \| .*? \| `(\w+)/?`", code, re.MULTILINE))
    folders = {str(module.parent) for module in MODULES if module.stem != "__init__"} - {"."}
    assert rows.keys() - {"ground", "analysis"} == folders - {"analysis"}
    for folder, start in rows.items():
        path = PACKAGE / ("" if folder == "ground" else folder) / start
        assert path.with_suffix(".py").exists() or path.is_dir(), path
