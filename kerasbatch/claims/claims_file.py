"""Claims as a table for a spreadsheet, and read again, to be shown in another language."""

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from kerasbatch.claims.claim import Claim
from kerasbatch.claims.verdict import VERDICTS
from kerasbatch.claims.wording import COLUMNS, claim_row, load_texts, statement_number
from kerasbatch.errors import Fault, SpecError
from kerasbatch.records.files import write_spreadsheet
from kerasbatch.types import Language

SOURCE = "claim"
"""The column of the key, verdict, numbers and caveats, as JSON."""


def write_claims(path: Path, claims: Sequence[Claim], language: Language) -> None:
    """Write a table of claims, in the order of the statements; no text is a formula."""
    rows = [
        claim_row(claim, language) | {SOURCE: json.dumps(asdict(claim), ensure_ascii=False)}
        for claim in sorted(claims, key=statement_number)
    ]
    write_spreadsheet(path, (*COLUMNS, SOURCE), rows)


def read_claims(path: Path) -> list[Claim]:
    """Return the claims of a table that `write_claims` wrote.

    Raises:
        SpecError: if the file cannot be read or holds something else.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            claims = [_claim(row[SOURCE]) for row in csv.DictReader(file)]
        if not claims:
            raise ValueError("it has no rows")
        return claims
    except (OSError, UnicodeError, csv.Error, LookupError, TypeError, ValueError) as error:
        message = f"{path} is no table of claims ({error!r}); write one by claims --csv {path}"
        raise SpecError([Fault(("--read",), message)]) from None


def _claim(source: str) -> Claim:
    fields = json.loads(source)
    claim = Claim(fields["key"], fields["verdict"], fields["numbers"], tuple(fields["caveats"]))
    if claim.key not in load_texts("en")["claims"] or claim.verdict not in VERDICTS:
        raise ValueError(f"unknown claim {claim.key!r} or verdict {claim.verdict!r}")
    claim_row(claim, "en")  # fails where a number is missing
    return claim
