"""Hooks of MkDocs: files from outside of docs/, generated pages, and links between all of them.

The pages link to files as they lie in the repository, so that they can be read there too. The site
has the files of docs/ at its root; README.md is its home page.
"""

import posixpath
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page
from nbconvert import MarkdownExporter

sys.path.insert(0, str(Path(__file__).parent))  # MkDocs loads a hook as a file of its own
import generated_pages

ROOT = Path(__file__).parents[2]
OUTSIDE = (
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "LICENSE",
    "CITATION.cff",
    "pyproject.toml",
    ".ci/run",
    "experiments/*.*",
    "experiments/pictures/**/*.png",
    "experiments/advice/*.yaml",
    "results/reference/*.csv",
    "kerasbatch/spec/schema.py",
)
"""The files that pages link to."""
LINK = re.compile(r"(\]\()([^)\s#:]+)")


@event_priority(100)  # before the plugins, which are to see these files too
def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files from outside of docs/ and the generated pages."""
    for path in _outside():
        if path.suffix == ".ipynb":
            for name, content in _notebook(path):
                files.append(File.generated(config, name, content=content))
        else:
            place = _site_path(str(path))
            added = File.generated(config, place, abs_src_path=str(ROOT / path))
            added.inclusion = InclusionLevel.INCLUDED  # names that begin with a dot, too
            files.append(added)
    for name, text in generated_pages.pages():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Turn links between files of the repository into links between files of the site."""
    here = _repository_path(page.file.src_uri)

    def link(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(here), match[2]))
        start = posixpath.dirname(page.file.src_uri)
        return match[1] + posixpath.relpath(_site_path(target), start or ".")

    return LINK.sub(link, markdown)


def _outside() -> Iterator[Path]:
    """Yield the files from outside of docs/."""
    for pattern in OUTSIDE:
        yield from (path.relative_to(ROOT) for path in sorted(ROOT.glob(pattern)))


def _notebook(path: Path) -> Iterator[tuple[str, str | bytes]]:
    """Yield a notebook as a page, and its pictures."""
    name = path.with_suffix("").as_posix()
    text, resources = MarkdownExporter().from_filename(
        str(ROOT / path), resources={"output_files_dir": f"{path.stem}_files"}
    )
    yield f"{name}.md", text
    for picture, content in resources["outputs"].items():
        yield f"{path.parent.as_posix()}/{picture}", content


def _site_path(path: str) -> str:
    """Return the place in the site of a file of the repository."""
    if path == "README.md":
        return "index.md"
    return path.removeprefix("docs/").replace(".ipynb", ".md")


def _repository_path(place: str) -> str:
    """Return the place in the repository of a page of the site."""
    if place == "index.md":
        return "README.md"
    return f"docs/{place}" if (ROOT / "docs" / place).exists() else place
