"""The report as text: what it says, and that nothing from outside is more than text."""

import base64
import hashlib
import json
import re
import shutil
from html import escape, unescape
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from result_support import SPEC, make_run
from stored_runs import copy_line
from typer.testing import CliRunner

import kerasbatch as kb
from kerasbatch.analysis.comparison.caveats.caveat import caveat_lines
from kerasbatch.analysis.plots import hover, style
from kerasbatch.analysis.plots.hover import MAX_POINTS, HoverPoints
from kerasbatch.analysis.report import svg
from kerasbatch.cli import app
from kerasbatch.records.files import dump_yaml
from kerasbatch.records.record import read_record, write_record

REFERENCE = Path(__file__).parents[3] / "results/reference"
SVG = re.compile(r"<svg.*?</svg>", re.DOTALL)
FIRST_STEPS = '<div class="panel" role="group" tabindex="0" aria-label="steps to the target'


@pytest.fixture(scope="module")
def page() -> str:
    """The report of 92 runs at six batch sizes."""
    return kb.report(REFERENCE / "digits_batch_sizes")


def words(page: str) -> str:
    """What a person reads of a page."""
    seen = re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", page, flags=re.DOTALL)
    return " ".join(unescape(seen).split())


def test_it_asks_answers_and_doubts(page: str) -> None:
    """The question, the answer with every caveat of the comparison, and what was not drawn."""
    found, text = kb.compare(REFERENCE / "digits_batch_sizes"), words(page)
    assert "Which batch size reads digits best, when each may choose its learning rate?" in text
    assert (
        "To reach val_accuracy >= 0.95, batch size 512 took the fewest steps (28; 32, 128 and 1,437"
        in text
    )
    assert "The critical batch size is about 82" in text
    for code, message in caveat_lines(found.caveats).items():
        assert f"{code} : {message}" in text
    assert found.recommendation in text
    assert "Not drawn: no run has a path to draw" in text


def test_it_tells_where_the_numbers_come_from(page: str) -> None:
    """The spec as given, step checks, versions, machine, and the commands that do it again."""
    given = (REFERENCE / "digits_batch_sizes/experiment.yaml").read_text(encoding="utf-8")
    runs = kb.load(REFERENCE / "digits_batch_sizes").runs
    text = words(page)
    assert escape(given, quote=False) in unescape(page).replace("&#39;", "'")
    assert f"The spec asks for {len(runs)} runs; none is missing." in text
    assert f"Of {runs['planned_steps'].sum():,} steps that were planned" in text
    assert f"ended_early: capped : {(runs['status'] == 'capped').sum()} runs" in text
    assert "keras 3.15.1" in text
    assert "kerasbatch run digits_batch_sizes.yaml" in text
    for name in runs["run_id"]:
        assert name in page


def test_only_the_program_s_own_script_and_style_may_run(page: str) -> None:
    """The policy names their hashes; nothing is loaded, and nothing carries styles or events."""
    policy = unescape(re.findall(r'http-equiv="Content-Security-Policy" content="(.*?)"', page)[0])
    assert policy.startswith("default-src 'none'; ")
    for tag in ("style", "script"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<[^>]*\s(style|on\w+|src)=", page)
    assert re.findall(r'<link[^>]*href="([^"]*)"', page) == ["data:,"]
    assert "http://" not in page.replace("http://www.w3.org/", "")
    assert "https://" not in page


def test_pictures_are_whole_and_share_no_name(page: str) -> None:
    """Every reference leads into its own picture."""
    pictures = [ElementTree.fromstring(text) for text in SVG.findall(page)]  # noqa: S314
    assert len(pictures) == 13
    every: list[str] = []
    for picture in pictures:
        names = [e.attrib["id"] for e in picture.iter() if "id" in e.attrib]
        used = re.findall(
            r'url\(#([^)]*)\)|href="#([^"]*)"', ElementTree.tostring(picture, "unicode")
        )
        assert {one or other for one, other in used} <= set(names)
        every += names
    assert len(every) == len(set(every))


def test_values_under_the_pointer_are_those_of_the_comparison(page: str) -> None:
    """Run by run; and they stand where their dots are drawn."""
    chosen = kb.compare(REFERENCE / "digits_batch_sizes").chosen
    panel = page[page.index(FIRST_STEPS) :]
    told = json.loads(re.findall(r'<script type="application/json">(.*?)</script>', panel)[0])
    assert (told["x"], told["y"]) == ("batch size", "steps to the target")
    points = [line["points"][0] for line in told["lines"]]
    assert sorted((x, y) for _, _, x, y in points) == sorted(
        zip(chosen["batch_size"], chosen["steps_to_target"], strict=True)
    )
    drawn = re.findall(r'<use x="([\d.]+)" y="([\d.]+)"[^>]*fill="#0072b2"', SVG.findall(panel)[0])
    places = {(round(float(x)), round(float(y))) for x, y in drawn}
    assert len(places) > 10
    for left, top, _, _ in points:
        assert any(abs(left - x) <= 1 and abs(top - y) <= 1 for x, y in places)


def test_long_lines_are_thinned_and_keep_their_ends() -> None:
    """What has no place on an axis has none under the pointer."""
    figure, (axes,) = style.new_figure(1)
    axes.set_yscale("log")
    axes.set(xlim=(0, 3), ylim=(0.1, 10))
    zero = svg.hover_data(figure, [HoverPoints("zero", np.array([1.0, 2.0]), np.array([0.0, 1.0]))])
    assert [point[2:] for point in zero["lines"][0]["points"]] == [[2.0, 1.0]]
    loaded = kb.load(REFERENCE / "digits_batch_sizes")
    from kerasbatch.analysis.plots.curves import curves

    for curve in curves(loaded, kb.compare(loaded), "steps").curves:
        read = hover.line_points(curve.label, curve.x, curve.evaluated)
        assert len(read.x) == min(len(curve.x), MAX_POINTS)
        assert (read.x[0], read.y[-1]) == (curve.x[0], curve.evaluated[-1])


def test_nothing_from_outside_is_more_than_text(tmp_path: Path) -> None:
    """Names, questions, values, messages and broken files with HTML, templates and formulas."""
    evil = "<script>alert(1)</script>"
    folder = tmp_path / "=cmd() <b>NA{{ 7*7 }}"
    asked = {"question": f"{evil} $x$ {{{{ 7*7 }}}}?"}
    for seed in (0, 1):
        swept = {"data.odd": f"{evil}$\\alpha_{{{seed}$"}
        make_run(folder, 0.5, 0.95, seed=seed, spec=asked, swept=swept, used=evil)
    make_run(folder, 0.5, batch_size=5, status="failed", record={"message": evil + '" onload="x'})
    (folder / "experiment.yaml").write_text(f"question: {evil}\n", encoding="utf-8")
    page = kb.report(folder, target="val_accuracy>=0.9")
    assert "<script>alert" not in page
    assert "\\u003cscript\\u003ealert(1)" in page  # in the values under the pointer
    assert evil in words(page.replace("&lt;", "&amp;lt;")).replace("&lt;", "<")
    assert "=cmd() <b>NA{{ 7*7 }}" in words(page.replace("&lt;", "&amp;lt;")).replace("&lt;", "<")
    assert 'onload="x' not in page


def test_during_a_sweep_it_tells_what_is_missing(tmp_path: Path) -> None:
    """What failed, what goes on, what could not be read, what is stale."""
    spec = SPEC | {"steps": 20, "sweep": {"batch_size": [5, 10], "seed": [0, 1]}}
    (tmp_path / "experiment.yaml").write_text(dump_yaml(spec), encoding="utf-8")
    make_run(tmp_path, 0.5, 0.95, batch_size=5)
    failed = make_run(
        tmp_path, 0.5, 0.9, batch_size=5, seed=1, status="failed", record={"message": "no room"}
    )
    goes_on = make_run(tmp_path, 0.5, 0.9, batch_size=10)
    (goes_on / "record.json").unlink()
    stale = make_run(tmp_path, 0.5, 0.9, batch_size=7)
    broken = make_run(tmp_path, 0.5, 0.9, batch_size=8)
    (broken / "record.json").write_text("{", encoding="utf-8")
    text = words(kb.report(tmp_path))
    assert "The spec asks for 4 runs; 1 run missing." in text
    assert "batch_size 10, seed 1" in text
    assert f"failed {failed.name}: no room" in text
    assert (
        f"unfinished {goes_on.name}: at step 20; it is running, or its process was killed" in text
    )
    assert "stale 1 run is left out: the spec of the experiment was edited" in text
    assert f"Which are stale {tmp_path.name}/{stale.name}" in text
    assert f"not read {tmp_path.name}/{broken.name}: its record.json is damaged" in text


def test_a_page_about_nothing_says_so(tmp_path: Path) -> None:
    """No runs; none that can be read; none of what is asked for."""
    assert "There are no runs here" in words(kb.report(tmp_path))
    assert f"{tmp_path}: holds no run." in words(kb.report(tmp_path))
    broken = make_run(tmp_path / "one", 0.5)
    (broken / "record.json").write_text("{", encoding="utf-8")
    assert "There are no runs to compare yet." in words(kb.report(tmp_path))
    make_run(tmp_path / "one", 0.5, 0.9, seed=1)
    with pytest.raises(kb.SpecError, match="'val_nothing' is not in these runs"):
        kb.report(tmp_path, target="val_nothing>=1")
    make_run(tmp_path / "two", 0.5, spec={"metrics": None}, row={"val_accuracy": None})


def test_one_run_and_no_target(tmp_path: Path) -> None:
    """There is nothing to compare it with; the pictures that need no target are drawn."""
    run = make_run(tmp_path, 0.5, 0.9)
    page = kb.report(tmp_path)
    assert "there is no other to compare it with" in words(page)
    assert "The missing runs are unknown: experiment.yaml is missing" in words(page)
    assert "there is no target" in words(page)
    assert len(SVG.findall(page)) == 8  # six of curves, two of speed
    make_run(tmp_path, 0.5, 0.9, seed=1)
    assert "only some of its runs are looked at" in words(kb.report(run))


def test_every_experiment_has_a_part_of_its_own(tmp_path: Path) -> None:
    """And a way to it."""
    make_run(tmp_path / "first", 0.5, spec={"question": "one?"})
    make_run(tmp_path / "second", 0.5, batch_size=5, spec={"question": "two?"})
    page = kb.report(tmp_path, by="seed")
    assert re.findall(r'<li><a href="#(\w+)">(\w+)</a>', page) == [
        ("e1", "first"),
        ("e2", "second"),
    ]
    assert re.findall(r'<h2 class="first" id="(\w+)-question">(.*?)</h2>', page) == [
        ("e1", "one?"),
        ("e2", "two?"),
    ]
    assert "One row for each seed" in page


def test_an_experiment_that_has_not_begun_has_a_part_too(tmp_path: Path) -> None:
    """All of its runs are missing; a directory that a rerun hides in is none of them."""
    spec = SPEC | {"steps": 20, "sweep": {"seed": [0, 1]}}
    (tmp_path / "experiment.yaml").write_text(dump_yaml(spec), encoding="utf-8")
    text = words(kb.report(tmp_path))
    assert "There are no runs to compare yet." in text
    assert "The spec asks for 2 runs; 2 runs missing." in text
    run = make_run(tmp_path, 0.5, 0.9)
    shutil.copytree(run, tmp_path / ".rerun-x")
    text = words(kb.report(tmp_path))
    assert "The spec asks for 2 runs; 1 run missing." in text
    assert "So far: 1 of 2 runs are finished." in text


def test_a_page_shows_nothing_that_lies_elsewhere(tmp_path: Path) -> None:
    """Links are not followed: neither the experiment's spec nor the tables of a run."""
    secret = tmp_path / "secret"
    secret.write_text("step,loss\nTOPSECRET,1\n", encoding="utf-8")
    run = make_run(tmp_path / "one", 0.5, 0.9)
    (tmp_path / "one/experiment.yaml").symlink_to(secret)
    (run / "steps_loss.csv").symlink_to(secret)
    page = kb.report(tmp_path / "one")
    assert "TOPSECRET" not in page
    assert "experiment.yaml is a link, which is not followed" in words(page)
    assert "its steps_loss.csv is a link, which is not followed" in words(page)


@pytest.mark.parametrize(
    "change",
    [
        {"row": {"planned_steps": "inf"}},
        {"row": {"status": []}},
        {"row": {"learning_rate": "fast"}},
        {"row": {"odd": {}}},
        {"engine": "x"},
        {"versions": "x"},
        {"started": "yesterday"},
        {"spec": "x"},
        {"swept": []},
        {"message": "x" * 10_000_000},
    ],
    ids=str,
)
def test_odd_records_are_named_and_not_read(tmp_path: Path, change: dict[str, object]) -> None:
    """Signed well, and no record; or one with a message of a book's length."""
    make_run(tmp_path, 0.5, 0.9)
    odd = make_run(tmp_path, 0.5, 0.9, seed=1)
    told = read_record(odd).record
    assert told is not None
    row = {**told["row"], **change.get("row", {})}  # type: ignore[dict-item]  # a dict of a row
    write_record(odd, {**told, **change, "row": row})
    page = kb.report(tmp_path)
    if "message" not in change:
        assert f"not read {tmp_path.name}/{odd.name}: its record.json has an invalid" in words(page)
    assert len(page) < 1_000_000
    assert len(kb.load(tmp_path).runs) == (2 if "message" in change else 1)


def test_odd_tables_of_a_run_that_goes_on(tmp_path: Path) -> None:
    """Nothing vouches for them yet: what cannot be read is named."""
    make_run(tmp_path, 0.5, 0.9)
    run = make_run(tmp_path, 0.5, 0.9, seed=1)
    (run / "record.json").unlink()
    (run / "history.csv").write_text("step,x\n,1\n", encoding="utf-8")
    assert "its history.csv has no column epoch" in words(kb.report(tmp_path))
    head = "epoch,step,examples,seconds,learning_rate,val_loss\n"
    for row, told in (
        ("0,,0,0,0.1,1", "has no column step, or an odd cell of it"),
        ("0,0,0,0,0.1,x", "is no table of numbers"),
    ):
        (run / "history.csv").write_text(f"{head}{row}\n", encoding="utf-8")
        assert told in words(kb.report(tmp_path))


def test_characters_that_xml_forbids_break_no_picture(tmp_path: Path) -> None:
    """They stand in names of runs, which pictures show."""
    for seed in (0, 1):
        make_run(tmp_path, 0.5, 0.9, seed=seed, swept={"data.odd": f"a\u0001\ufffe{seed}"})
    table = "step,loss\n1,0.5\n2,0.25\n"
    for run in tmp_path.iterdir():
        (run / "steps_loss.csv").write_text(table, encoding="utf-8")
    page = kb.report(tmp_path)
    assert "The loss of every step" in page
    for picture in SVG.findall(page):
        ElementTree.fromstring(picture)  # noqa: S314


def test_the_commands_do_it_again(tmp_path: Path) -> None:
    """With what this report was asked for."""
    make_run(tmp_path / "a b", 0.5, 0.9, spec={"data": {"python": "own.py:load"}})
    text = words(kb.report(tmp_path, by="seed", target="val_accuracy>=0.5"))
    assert "kerasbatch run 'a b.yaml' --trust" in text
    asked = "'results/a b' --by seed --target 'val_accuracy>=0.5'"
    assert f"kerasbatch compare {asked} --fit kerasbatch report {asked} -o report.html" in text


def test_losses_of_steps_and_paths_are_drawn_where_they_are(tmp_path: Path) -> None:
    """Of a line that recorded both."""
    copy_line(tmp_path)
    page = kb.report(tmp_path)
    assert "The loss of every step" in page
    assert "Paths of gradient descent over the contours of J" in page
    assert "θ₀, the intercept" in page


@pytest.mark.slow
def test_a_thousand_runs_fit_on_a_page(tmp_path: Path) -> None:
    """Under 5 MB; what is thinned is said."""
    one = sorted((REFERENCE / "mnist_batch_sizes").glob("*/record.json"))[20].parent
    told = read_record(one).record
    assert told is not None
    for number in range(1000):
        copy = tmp_path / "many" / f"run-{number}"
        shutil.copytree(one, copy)
        (copy / "record.json").unlink()
        varied = {"batch_size": 2 ** (number % 13), "seed": number // 13}
        row = told["row"] | varied | {"run_id": copy.name}
        record = told | {"run_id": copy.name, "row": row}
        write_record(
            copy, record | {"swept": told["swept"] | varied, "spec": told["spec"] | varied}
        )
    page = kb.report(tmp_path)
    assert len(page.encode()) < 5e6
    assert "120 runs; 880 more are not drawn" in page


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    """Whole; what is wrong with the command is said before anything is drawn."""
    make_run(tmp_path / "runs", 0.5, 0.9)
    tell = CliRunner().invoke
    page = tmp_path / "page.html"
    done = tell(app.app, ["report", str(tmp_path / "runs"), "-o", str(page)])
    assert (done.exit_code, done.output) == (
        0,
        f"wrote {page} ({page.stat().st_size / 1e6:.1f} MB)\n",
    )
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    with pytest.raises(kb.SpecError, match=r"-o: found 'page.txt'; must end with \.html"):
        tell(app.app, ["report", str(tmp_path), "-o", "page.txt"], catch_exceptions=False)
    with pytest.raises(kb.SpecError, match="-o: there is no folder"):
        tell(
            app.app,
            ["report", str(tmp_path), "-o", str(tmp_path / "no/page.html")],
            catch_exceptions=False,
        )
    with pytest.raises(kb.SpecError, match="is no directory"):
        tell(app.app, ["report", str(tmp_path / "no"), "-o", str(page)], catch_exceptions=False)
