"""A page about runs: one file that needs nothing else, and may be sent to anybody.

Whatever comes from outside is escaped by jinja; the page's policy lets nothing run or load but what
stands in this package.
"""

import base64
import hashlib
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from kerasbatch.analysis.comparison.compare import build_question
from kerasbatch.analysis.comparison.target import parse_target
from kerasbatch.analysis.loading.find import experiments
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
) -> str:
    """Make a page about runs, as HTML: a part for each experiment.

    Args:
        paths: results folders, experiments or runs; or what `load` returned.
        by: the column, or columns, that tell the rows of the comparison apart.
        target: what to reach, like `val_accuracy>=0.97`; by default the one that runs recorded.

    Raises:
        SpecError: if a path is not there, or no experiment has the target or a key.
    """
    loaded = paths if isinstance(paths, Loaded) else load(paths)
    asked = ReportOptions((by,) if isinstance(by, str) else tuple(by), target)
    given = [] if isinstance(paths, Loaded) else [paths] if isinstance(paths, str | Path) else paths
    places = [Path(path).resolve() for path in given]
    parts = loaded.by_experiment()
    parts |= {folder: Loaded([], {}) for folder in experiments(places) if folder not in parts}
    _check(list(parts.values()), asked)
    single = {path.parent for path in places} - set(places)
    sections = [
        report_section(
            folder, part, asked, f"e{number}", whole=folder not in single or folder in places
        )
        for number, (folder, part) in enumerate(parts.items(), start=1)
    ]
    runs = set(loaded.directories)
    empty = {place: text for place, text in loaded.problems.items() if place not in runs}
    empty = {place: text for place, text in empty.items() if Path(place).resolve() not in parts}
    return _page(sections, empty, counted(sum(len(part.runs) for part in parts.values()), "run"))


def _check(parts: list[Loaded], asked: ReportOptions) -> None:
    """Complain of a target or a key that none of the experiments has."""
    if asked.target is not None:
        parse_target(asked.target)
    errors = []
    for part in (part for part in parts if len(part.runs)):
        try:
            build_question(part, list(asked.by), asked.target)
        except SpecError as error:
            errors.append(error)
        else:
            return
    if errors:
        raise errors[0]


def _page(sections: list[Section], empty: dict[str, str], runs: str) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    style = _text("report.css") + _on_dark(sections)
    script = _text("report.js")
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
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        policy=_policy(style, script),
        style=Markup(style),  # noqa: S704  # of this package
        script=Markup(script),  # noqa: S704
    )


def _title(sections: list[Section]) -> str:
    if len(sections) == 1:
        return f"{(*sections[0].questions, sections[0].name)[0]} - kerasbatch"
    return counted(len(sections), "experiment")


def _policy(style: str, script: str) -> str:
    """Return a Content-Security-Policy that lets these two be, and nothing else."""
    hashes = {name: _hash(text) for name, text in (("style", style), ("script", script))}
    parts = ["default-src 'none'", *(f"{name}-src '{found}'" for name, found in hashes.items())]
    return "; ".join([*parts, "img-src data:", "base-uri 'none'", "form-action 'none'"])


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _on_dark(sections: list[Section]) -> str:
    """Return style rules that give every colour of the pictures its like on a dark page."""
    panels = [d for s in sections for p in s.pictures for v in p.views for d in v.panels]
    used = sorted({colour for drawn in panels for colour in _COLOUR.findall(drawn.svg)})
    rules = [
        f'svg [{kind}="{colour}"] {{ {kind}: {dark}; }}'
        for colour in used
        if (dark := style.dark_color(colour))
        for kind in ("fill", "stroke")
    ]
    lines = "\n".join(f"  {rule}" for rule in rules)
    return f"@media screen and (prefers-color-scheme: dark) {{\n{lines}\n}}\n" if rules else ""


def _text(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")
