"""The wording of claims in a language: texts/en.yaml and texts/ko.yaml."""

import functools
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import yaml

from kerasbatch.claims.claim import Claim
from kerasbatch.types import Language

COLUMNS = ("statement", "null", "unit", "measured", "verdict", "tolerance", "caveats")
"""The columns of the table of claims."""


def claim_row(claim: Claim, language: Language) -> dict[str, str]:
    """Return a claim as a row of the table, in a language."""
    texts = load_texts(language)
    row = {name: text.format(**claim.numbers) for name, text in texts["claims"][claim.key].items()}
    row["verdict"] = texts["verdicts"][claim.verdict]
    row["caveats"] = " ".join(claim.caveats)
    return {name: row[name] for name in COLUMNS}


def statement_number(claim: Claim) -> int:
    """Return the number of the statement in the notes."""
    statement: str = load_texts("en")["claims"][claim.key]["statement"]
    return int(statement.partition(".")[0])


@functools.cache
def load_texts(language: Language) -> Mapping[str, Any]:
    """Return the texts of a language: `columns`, `verdicts` and `claims` by key."""
    file = files("kerasbatch.claims") / "texts" / f"{language}.yaml"
    texts: Mapping[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return texts
