"""README and docs: links, commands, examples, and what they say the program answers."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread
from patience import limit
from typer.testing import CliRunner

from kerasbatch.analysis.plots.language import known_fonts, new_fonts
from kerasbatch.cli.app import app
from kerasbatch.version import VERSION

HERE = Path(__file__).parent.parent
OUTSIDE = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
PAGES = [*(HERE / name for name in OUTSIDE), *sorted((HERE / "docs").rglob("*.md"))]
TEXT = {page.stem: page.read_text(encoding="utf-8") for page in PAGES}
assert len(TEXT) == len(PAGES), "two pages have one name"
EXAMPLES = [
    pytest.param(code, id=f"{page}-{number}")
    for page, text in TEXT.items()
    for number, code in enumerate(re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL))
]
FILES = dict(re.findall(r"^`([\w.]+)`:\n\n```\w+\n(.*?)```", TEXT["errors"], re.DOTALL | re.M))
ANSWERS = re.findall(r"```console\n\$ kerasbatch ([^\n]*)\n(.*?)```", TEXT["errors"], re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_to_files(page: Path) -> None:
    """From the page that they stand on; experiments exist."""
    text = TEXT[page.stem]
    for link in re.findall(r"\]\((?!https://)([^)#:]+)[^)]*\)", text):
        assert (page.parent / link).exists(), link
    for experiment in re.findall(r"experiments/\w+\.yaml", text):
        assert (HERE / experiment).exists(), experiment


def test_commands_are_commands() -> None:
    """The page of commands lists each, and the documents name no others."""
    commands = {
        str(command.name or command.callback.__name__).replace("_", "-")  # type: ignore[union-attr]  # each has one
        for command in app.registered_commands
    }
    used = {
        name
        for text in TEXT.values()
        for name in re.findall(r"^\s*(?:\S*/)?(?:\$ )?kerasbatch ([a-z-]+)", text, re.MULTILINE)
    }
    assert used <= commands
    assert commands <= set(re.findall(r"^\| `kerasbatch ([a-z-]+)", TEXT["commands"], re.MULTILINE))


def test_the_readme_takes_a_minute() -> None:
    """Everything else has a page in docs."""
    assert len(TEXT["README"].splitlines()) <= 130


def test_links_to_headings_have_headings() -> None:
    """Links within the documents, by the anchors that GitHub makes of headings."""
    anchors = {page.resolve(): _anchors(TEXT[page.stem]) for page in PAGES}
    for page in PAGES:
        for link, anchor in re.findall(r"\]\((?!https://)([^)#:]*)#([^)]+)\)", TEXT[page.stem]):
            target = (page.parent / link).resolve() if link else page.resolve()
            assert anchor in anchors[target], f"{page.name}: {link}#{anchor}"


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("code", EXAMPLES)
def test_python_examples_run(
    code: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As a reader would paste it; fewer epochs, and experiments that stand elsewhere."""
    shutil.copytree(HERE / "experiments", tmp_path / "experiments")
    (tmp_path / "results").mkdir()
    (tmp_path / "results/reference").symlink_to(HERE / "results/reference")
    monkeypatch.chdir(tmp_path)
    exec(re.sub(r"epochs=\d+", "epochs=2", code), {"__name__": "__main__"})  # noqa: S102
    assert capsys.readouterr().out


def _answer(arguments: list[str], folder: Path) -> str:
    program = [sys.executable, "-m", "kerasbatch", *arguments]
    done = subprocess.run(
        program, cwd=folder, capture_output=True, text=True, check=False, timeout=limit(60)
    )
    answer = done.stdout + done.stderr
    for progress in ("loading TensorFlow ...\n", "checking the runs ...\n"):
        answer = answer.replace(progress, "")
    return answer


@pytest.mark.parametrize(("command", "answer"), ANSWERS, ids=[a.split()[1] for a, _ in ANSWERS])
def test_mistakes_get_the_answers_that_are_shown(command: str, answer: str, tmp_path: Path) -> None:
    """With the files that are shown."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert _answer(command.split(), tmp_path) == answer


def test_the_calculator_answers_what_is_shown(tmp_path: Path) -> None:
    """But for the blanks at the ends of lines."""
    ((command, answer),) = re.findall(
        r"```console\n\$ kerasbatch (steps[^\n]*)\n(.*?)```", TEXT["steps"], re.DOTALL
    )
    shown = [line.rstrip() for line in _answer(command.split(), tmp_path).splitlines()]
    assert shown == answer.splitlines()


def test_the_comparison_answers_what_the_readme_shows() -> None:
    """Line by line; the README leaves some out."""
    ((command, answer),) = re.findall(
        r"```console\n\$ kerasbatch (compare[^\n]*)\n(.*?)```", TEXT["README"], re.DOTALL
    )
    lines = [line.rstrip() for line in _answer(command.split(), HERE).splitlines()]
    shown = [line for line in answer.splitlines() if line != "..."]
    assert [line for line in lines if line in shown] == shown


def test_the_table_of_claims_is_the_committed_one() -> None:
    """In both languages, cell by cell."""
    tables = {}
    for name, file in (("README.md", "claims.csv"), ("README.ko.md", "claims.ko.csv")):
        page = (HERE / "experiments" / name).read_text(encoding="utf-8").replace("\\", "")
        tables[name] = pd.read_csv(HERE / "results/reference" / file, keep_default_na=False)
        for row in tables[name].to_dict("records"):
            measured = f"{row['measured']} [{row['unit']}]"
            cells = (row["statement"], row["null"], measured, f"**{row['verdict']}**")
            assert f"| {' | '.join(cells)} | {row['tolerance']}" in page
    assert tables["README.md"]["claim"].equals(tables["README.ko.md"]["claim"])


GALLERY = re.findall(
    r"```sh\nkerasbatch (plot results/reference/(\w+) [^\n]*) -o (\S+)\n```\n\n"
    r"!\[[^\]]*\]\((\S+)\)",
    (HERE / "experiments/README.md").read_text(encoding="utf-8"),
)


def test_every_experiment_has_a_picture() -> None:
    """In the gallery, beside the command that draws it."""
    names = {path.stem for path in (HERE / "experiments").glob("*.yaml")}
    assert {name for _, name, _, _ in GALLERY} == names
    for _, name, drawn, shown in GALLERY:
        assert (drawn, shown) == (f"experiments/pictures/{name}.png", f"pictures/{name}.png")


def test_the_korean_page_has_every_picture() -> None:
    """With Korean texts."""
    page = (HERE / "experiments/README.ko.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"\]\(pictures/ko/(\w+)\.png\)", page))
    assert shown == {name for _, name, _, _ in GALLERY}


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize(("command", "name"), [(each[0], each[1]) for each in GALLERY])
def test_pictures_are_what_their_commands_draw(
    command: str, name: str, language: str, tmp_path: Path
) -> None:
    """Where there is ink, but for what versions of matplotlib and its fonts do otherwise."""
    if language == "ko" and "NanumGothic" not in known_fonts() | new_fonts():
        pytest.skip("the font of the Korean pictures is not installed")
    file = tmp_path / "picture.png"
    kind, path, *others = command.split()
    program = [kind, str(HERE / path), *others, "--language", language, "-o", str(file)]
    assert CliRunner().invoke(app, program, catch_exceptions=False).exit_code == 0
    drawn = imread(file)
    folder = HERE / "experiments/pictures" / ("" if language == "en" else language)
    shown = imread(folder / f"{name}.png")
    assert drawn.shape == shown.shape
    away = abs(drawn - shown).max(axis=-1)
    coloured = np.ptp(shown[..., :3], axis=-1) > 0.2
    assert coloured.sum() > 1000
    assert (away[coloured] > 0.2).mean() < 0.2
    english = imread(HERE / f"experiments/pictures/{name}.png")
    assert language == "en" or english.shape != shown.shape or (english != shown).any()


def test_the_version_is_the_same_everywhere() -> None:
    """In the package, the citation, and the last release of the changelog, with its date."""
    citation = (HERE / "CITATION.cff").read_text(encoding="utf-8")
    fields = dict(re.findall(r"^(version|date-released): (.*)$", citation, re.MULTILINE))
    release = re.search(r"^## (\d\S*) - (\S+)$", TEXT["CHANGELOG"], re.MULTILINE)
    assert release is not None
    assert release.groups() == (fields["version"], fields["date-released"])
    assert fields["version"] == VERSION
