"""The HTML report about runs: one self-contained file that is safe to share.

Jinja escapes all text from specs and records. The Content-Security-Policy of the page allows only
the script and the style of this package, and no external resources.
"""

import base64
import hashlib
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from kerasbatch.analysis.comparison.question import check_keys
from kerasbatch.analysis.comparison.target import parse_target
from kerasbatch.analysis.loading.load import Loaded, load
from kerasbatch.analysis.plots import style
from kerasbatch.analysis.report.section import ReportOptions, Section, report_section
from kerasbatch.errors import SpecError
from kerasbatch.text import counted, shortened
from kerasbatch.version import VERSION

HERE = Path(__file__).parent
_COLOUR = re.compile(r'(?:fill|stroke)="(#[0-9a-f]{6})"')


def report(
    paths: str | Path | Iterable[str | Path] | Loaded,
    by: str | Iterable[str] = "batch_size",
    target: str | None = None,
    *,
    all_runs: bool = False,
) -> str:
    """Return an HTML report about runs, with a section for each experiment.

    Args:
        paths: results folders, experiments or runs; or the result of `load`.
        by: the column, or columns, that identify a row of the comparison.
        target: the target, like `val_accuracy>=0.97`; by default the one that the runs recorded.
        all_runs: include stale runs: those that the experiment's spec, edited since, no longer
            asks for.

    Raises:
        SpecError: if a path does not exist, or no experiment has the target or a key.
    """
    loaded = paths if isinstance(paths, Loaded) else load(paths)
    options = ReportOptions((by,) if isinstance(by, str) else tuple(by), target, all_runs)
    by_folder = loaded.by_experiment()
    _check_options(list(by_folder.values()), options)
    sections = [
        report_section(folder, experiment, options, f"e{number}")
        for number, (folder, experiment) in enumerate(by_folder.items(), start=1)
    ]
    runs = set(loaded.directories)
    empty = {path: text for path, text in loaded.problems.items() if path not in runs}
    empty = {path: text for path, text in empty.items() if Path(path).resolve() not in by_folder}
    return _render(
        sections, empty, counted(sum(len(part.runs) for part in by_folder.values()), "run")
    )


def _check_options(results: list[Loaded], options: ReportOptions) -> None:
    """Raise a SpecError if no experiment has the target or a key."""
    if options.target is not None:
        parse_target(options.target)
    errors = []
    for loaded in (loaded for loaded in results if len(loaded.runs)):
        try:
            check_keys(loaded, options.by, options.target)
        except SpecError as error:
            errors.append(error)
        else:
            return
    if errors:
        raise errors[0]


def _render(sections: list[Section], empty: dict[str, str], runs: str) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    css = _read_text("report.css") + _dark_rules(sections)
    javascript = _read_text("report.js")
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined
    )
    environment.filters |= {"counted": counted, "shortened": shortened}
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    return environment.get_template("report.html").render(
        title=_title(sections),
        level=1 if len(sections) == 1 else 2,
        sections=sections,
        empty=empty,
        runs=runs,
        version=VERSION,
        created=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        policy=_policy(css, javascript),
        style=Markup(css),  # noqa: S704  # a file of this package
        script=Markup(javascript),  # noqa: S704
    )


def _title(sections: list[Section]) -> str:
    if len(sections) == 1:
        return f"{(*sections[0].questions, sections[0].name)[0]} - kerasbatch"
    return counted(len(sections), "experiment")


def _policy(css: str, javascript: str) -> str:
    """Return a Content-Security-Policy that allows only this style and this script."""
    hashes = {name: _hash(text) for name, text in (("style", css), ("script", javascript))}
    parts = ["default-src 'none'", *(f"{name}-src '{digest}'" for name, digest in hashes.items())]
    return "; ".join([*parts, "img-src data:", "base-uri 'none'", "form-action 'none'"])


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _dark_rules(sections: list[Section]) -> str:
    """Return the CSS rules that map the colours of the figures to those of a dark page."""
    panels = [
        panel
        for section in sections
        for figure in section.figures
        for view in figure.views
        for panel in view.panels
    ]
    used = sorted({colour for panel in panels for colour in _COLOUR.findall(panel.svg)})
    rules = [
        f'svg [{kind}="{colour}"] {{ {kind}: {dark}; }}'
        for colour in used
        if (dark := style.dark_color(colour))
        for kind in ("fill", "stroke")
    ]
    lines = "\n".join(f"  {rule}" for rule in rules)
    return f"@media screen and (prefers-color-scheme: dark) {{\n{lines}\n}}\n" if rules else ""


def _read_text(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")
