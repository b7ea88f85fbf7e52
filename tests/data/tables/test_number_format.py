"""Numbers as people write them, and columns that only look like numbers."""

import numpy as np
import pandas as pd
import pytest

from kerasbatch.data.tables.number_format import decimal_marks, parse

NUMBERS = {
    "thousands": (["12,345", "1,000", "99"], ".", [12345, 1000, 99], ""),
    "dollars": (["$5", "$79,163", "$1.50"], ".", [5, 79163, 1.5], "$"),
    "a sign before the dollar": (["-$5", "$-6"], ".", [-5, -6], "$"),
    "euros behind": (["5 €", "6€"], ".", [5, 6], "€"),
    "per cent": (["5 %", "23%"], ".", [5, 23], "%"),
    "miles": (["5 mi", "12,000 mi"], ".", [5, 12000], "mi"),
    "gigabytes": (["16GB", "32GB"], ".", [16, 32], "GB"),
    "German": (["221.854,34", "1.000,00", "5"], ",", [221854.34, 1000, 5], ""),
    "decimal commas": (["7,4", "0,70"], ",", [7.4, 0.7], ""),
    "blanks": (["12 345", "1\u00a0000"], ".", [12345, 1000], ""),
    "Swiss": (["1'000.5", "2\u2019000"], ".", [1000.5, 2000], ""),
    "bookkeeping": (["(5)", "7"], ".", [-5, 7], ""),
    "a minus of typesetting": (["\u22123", "4"], ".", [-3, 4], ""),
    "powers of ten": (["-3.2", "1e5"], ".", [-3.2, 1e5], ""),
    "three decimals": (["1.234", "2.345"], ".", [1.234, 2.345], ""),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_stay_numbers(name: str) -> None:
    """With their unit."""
    cells, mark, values, unit = NUMBERS[name]
    series = pd.Series(cells)
    assert decimal_marks(series) <= {mark}
    column = parse(series, np.ones(len(cells), bool), decimal=mark)
    assert (column.values.tolist(), column.unit) == (values, unit)
    assert column.is_number.all()


WORDS = {
    "tickets": ["PC 17599", "A/5 21171"],
    "dates": ["03.05.2023", "04.05.2023"],
    "dates of a standard": ["2023-05-03", "2023-05-04"],
    "times": ["12:30", "12:45"],
    "ranges": ["80-90", "90-100"],
    "fractions": ["1/2", "1/3"],
    "cabins": ["C85", "C123"],
    "ordinals": ["1st", "2nd", "3rd"],
    "addresses": ["5392 Elm St", "5647 Main St", "12 Oak Rd"],
    "versions": ["1.2.3", "1.2.4"],
}


@pytest.mark.parametrize("name", WORDS)
def test_words_stay_words(name: str) -> None:
    """Also those with digits in them."""
    cells = pd.Series(WORDS[name])
    assert not parse(cells, np.ones(len(cells), bool)).is_number.any()


def test_a_cell_of_another_unit_is_no_number() -> None:
    """Miles and kilometres are no column of numbers; missing cells have no unit."""
    cells = pd.Series(["5 mi", "6 mi", "7 km", ""])
    column = parse(cells, np.array([True, True, True, False]))
    assert column.is_number.tolist() == [True, True, False, False]
    assert np.isnan(column.values[2:]).all()


def test_a_given_mark_between_thousands() -> None:
    """Then no other one is read."""
    cells, filled = pd.Series(["1 234", "1,234"]), np.ones(2, bool)
    column = parse(cells, filled, thousands=" ")
    assert column.is_number.tolist() == [True, False]
