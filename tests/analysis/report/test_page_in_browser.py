"""The report in a real browser: Chromium, without a window."""

import io
import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from result_support import make_run

import kerasbatch as kb

REFERENCE = Path(__file__).parents[3] / "results/reference"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or ""
WHY = "no Chromium is installed (Debian: apt-get install chromium)"
TAGS = "every => every.map(each => each.tagName)"
SIZES = [1, 8, 32, 128, 512, 1437]

pytestmark = [pytest.mark.browser, pytest.mark.skipif(not CHROMIUM, reason=WHY)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright: pip install --group dev")
    with api.sync_playwright() as tool:
        opened = tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A report of 92 runs at six batch sizes."""
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(kb.report(REFERENCE / "digits_batch_sizes"), encoding="utf-8")
    return file.as_uri()


def opened(browser: Any, address: str, width: int = 1280, scheme: str = "light") -> Any:
    """Open a page; what it says in the console and whom it calls stand in `said` and `called`."""
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.said, page.called = [], []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("request", lambda request: page.called.append(request.url))
    page.goto(address)
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_it_opens_quietly_and_fits(browser: Any, address: str, width: int, scheme: str) -> None:
    """No error, no request but for itself, no scrolling sideways, every picture there."""
    page = opened(browser, address, width, scheme)
    assert page.said == []
    levels = [int(tag[1]) for tag in page.locator("h1, h2, h3, h4").evaluate_all(TAGS)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert {url for url in page.called if not url.startswith("data:")} == {address}
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    shown = page.locator(".panel svg:visible")
    assert shown.count() == 9  # of thirteen: the curves over examples and seconds wait
    for number in range(shown.count()):
        box = shown.nth(number).bounding_box()
        assert box["width"] > 250
        assert box["height"] > 150
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert colour == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 23, 27)")


def test_a_click_on_a_head_sorts(browser: Any, address: str) -> None:
    """By numbers, not by their digits; a second click the other way; by keyboard, too."""
    page = opened(browser, address)
    table = page.locator("table.sortable").first
    by_steps = {1: 2726, 8: 447, 32: 143, 128: 53, 512: 34, 1437: 35}

    def sizes() -> list[int]:
        cells = table.locator("tbody tr > th").all_inner_texts()
        return [int(text.replace(",", "")) for text in cells]

    assert sizes() == SIZES
    head = table.locator("th", has_text="steps").first
    head.locator("button").click()
    assert sizes() == sorted(SIZES, key=by_steps.__getitem__)
    assert head.get_attribute("aria-sort") == "ascending"
    head.locator("button").press("Enter")
    assert sizes() == sorted(SIZES, key=by_steps.__getitem__, reverse=True)
    assert head.get_attribute("aria-sort") == "descending"
    assert page.said == []


def test_empty_cells_come_last_both_ways(browser: Any, tmp_path: Path) -> None:
    """A row that did not reach the target has no steps to it."""
    for size, last in ((5, 0.95), (10, 0.5), (20, 0.95)):
        make_run(tmp_path, 0.5, last, batch_size=size)
    file = tmp_path / "page.html"
    file.write_text(kb.report(tmp_path, target="val_accuracy>=0.9"), encoding="utf-8")
    page = opened(browser, file.as_uri())
    table = page.locator("table.sortable").first
    button = table.locator("th", has_text="steps").first.locator("button")
    for _ in range(2):
        button.click()
        assert table.locator("tbody tr > th").all_inner_texts()[-1] == "10"


def test_the_pointer_reads_values(browser: Any, address: str) -> None:
    """The nearest run's; arrow keys go on, Escape ends it."""
    page = opened(browser, address)
    panel = page.locator(".panel").first
    box = panel.locator("svg").bounding_box()
    panel.hover(position={"x": box["width"] - 12, "y": box["height"] - 60})
    reading = panel.locator(".reading")
    assert "batch size: 1,437" in reading.inner_text()
    assert "steps to the target: " in reading.inner_text()
    assert panel.locator("circle.mark").count() == 1
    page.mouse.move(1, 1)
    assert reading.inner_text() == ""
    panel.focus()
    page.keyboard.press("ArrowRight")
    assert "batch size: 1\n" in reading.inner_text()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert "seed 2" in reading.inner_text()
    page.keyboard.press("Escape")
    assert reading.inner_text() == ""
    assert page.said == []


def test_a_tap_reads_values_and_they_stay(browser: Any, address: str) -> None:
    """Though the finger is lifted."""
    context = browser.new_context(has_touch=True, viewport={"width": 360, "height": 800})
    page = context.new_page()
    page.goto(address)
    panel = page.locator(".panel").first
    panel.tap()
    assert "steps to the target: " in panel.locator(".reading").inner_text()
    box = panel.locator(".reading").bounding_box()
    assert box["y"] + box["height"] == 800  # at the foot of the screen, off the picture
    context.close()


def test_curves_are_drawn_over_what_is_chosen(browser: Any, address: str) -> None:
    """Steps first."""
    page = opened(browser, address)
    picture = page.locator("figure", has_text="Training and val_accuracy")
    assert "running mean in training, over steps" in alternatives(picture)[0]
    picture.get_by_role("radio", name="over seconds of training").check()
    assert "over seconds of training" in alternatives(picture)[0]
    assert len(alternatives(picture)) == 2


def alternatives(picture: Any) -> list[str]:
    every = picture.locator(".panel:visible").all()
    return [str(panel.get_attribute("aria-label")) for panel in every]


def test_it_prints_readable_pages(browser: Any, address: str) -> None:
    """Text as text, on a few pages of A4, with the answer first."""
    pypdf = pytest.importorskip("pypdf", reason="pypdf: pip install --group dev")
    page = opened(browser, address, scheme="dark")
    printed = pypdf.PdfReader(io.BytesIO(page.pdf(format="A4")))
    texts = [" ".join(sheet.extract_text().split()) for sheet in printed.pages]
    assert 3 <= len(texts) <= 9
    assert any("Runs of digits_batch_sizes" in text for text in texts)
    assert "Which batch size reads digits best" in texts[0]
    assert "batch size 512 took the fewest steps (28; 32, 128" in texts[0]
    assert all(len(text) > 100 for text in texts)


def test_what_is_evil_stays_text(browser: Any, tmp_path: Path) -> None:
    """Nothing runs: not even the policy has to stop anything."""
    evil = "<script>document.title='gone'</script><img src=x onerror=alert(1)>"
    for seed in (0, 1):
        told = {"data.odd": f"{evil}{seed}"}
        make_run(tmp_path, 0.5, 0.95, seed=seed, spec={"question": evil}, swept=told, used=evil)
    make_run(tmp_path, 0.5, batch_size=5, status="failed", record={"message": evil})
    file = tmp_path / "page.html"
    file.write_text(kb.report(tmp_path), encoding="utf-8")
    page = opened(browser, file.as_uri())
    page.locator(".panel").first.hover()
    assert page.said == []
    assert page.locator("img").count() == 0
    assert page.title().startswith("<script>document.title='gone'</script>")
    assert evil in page.locator("h1").inner_text()
