"""Data of one's own: CSV, npz, Python."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from own_support import CLASSES, REGRESSION, TABLE, X, csv, load, npz, python

import kerasbatch as kb


def test_a_csv_of_numbers(tmp_path: Path) -> None:
    """Columns but the target, standardized by the training part; a fifth for validation."""
    loaded = load(tmp_path, REGRESSION | csv(tmp_path, TABLE + "\n\n"))
    assert loaded.x_train.shape == (8, 2)
    assert loaded.classes is None
    assert abs(float(loaded.x_train.mean())) < 1e-6
    one = load(tmp_path, REGRESSION | csv(tmp_path, TABLE, columns=["b"], standardize=False))
    assert one.x_train.shape == (8, 1)
    assert {int(x) for x in one.x_train[:, 0]} <= {i * i for i in range(10)}


def test_labels_as_text_become_classes(tmp_path: Path) -> None:
    """In alphabetical order, stratified like any classes."""
    text = "a,y\n" + "".join(f"{i},{['cat', 'dog', 'emu'][i % 3]}\n" for i in range(30))
    loaded = load(tmp_path, CLASSES | csv(tmp_path, text))
    assert loaded.classes == 3
    assert np.bincount(loaded.y_train).tolist() == [8, 8, 8]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        ("a,b,y\n", "has a header but no rows"),
        ("a,b\n1,2\n", r"no column 'y'; it has a, b"),
        ("a,Y\n1,2\n", "did you mean Y?"),
        ("a,y\n1,2\nx,3\n4,5\n", "column 'a' holds numbers and, in 1 row, none: 'x' in line 3"),
        ("a,y\n1,2\n,3\n4,5\n", "column 'a' has an empty cell in line 3"),
        ("a,y\n1,2\n3,\n4,5\n", "target column 'y' has an empty cell in line 3"),
        ("a,y\n1,2\n3,inf\n4,5\n", "has numbers and, in line 3, none"),
        ("a,y\n1,2\n3\n4,5\n", "target column 'y' has an empty cell in line 3"),
        ("a,y\n1,2\n3,4,5\n4,5\n", "Expected 2 fields in line 3, saw 3"),
        ("a,y\n1,2\n", "leaves none of the 1 examples"),
        ("y\n1\n2\n", "no column beside the target"),
        ("a,a,y\n1,2,3\n", "'a' stands twice: columns 1 and 2 of the file"),
        ("a,y\nword,2\n3,2\n", "column 'a' holds numbers and, in 1 row, none: 'word' in line 2"),
    ],
)
def test_csv_files_that_are_no_data(tmp_path: Path, text: str, words: str) -> None:
    """Lines, columns and the first cells are named."""
    with pytest.raises(kb.SpecError, match=words):
        load(tmp_path, REGRESSION | csv(tmp_path, text))


def test_an_npz_with_images_and_a_test_part(tmp_path: Path) -> None:
    """uint8 images stay uint8 and are scaled on their way; the test part is validation."""
    x = np.arange(2 * 16, dtype=np.uint8).reshape(2, 4, 4)
    spec = npz(tmp_path, x_train=x, y_train=[0, 1], x_test=x, y_test=np.array([[1], [0]]))
    loaded = load(tmp_path, CLASSES | spec)
    assert (loaded.x_train.dtype, loaded.scale, loaded.classes) == (np.uint8, 1 / 255, 2)
    assert loaded.y_val is not None
    assert loaded.y_val.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x_train": X}, "has no y_train; it holds x_train"),
        ({"x_train": X, "y_train": np.ones(3)}, "x_train has 4 examples and y_train 3"),
        ({"x_train": X, "y_train": np.ones(4), "x_test": X}, "only one of x_test and y_test"),
        ({"x_train": X[:0], "y_train": np.ones(0)}, "x_train is empty"),
        ({"x_train": np.ones(4), "y_train": np.ones(4)}, r"found shape \(4,\)"),
        ({"x_train": X * np.nan, "y_train": np.ones(4)}, "8 values that are not finite numbers"),
        ({"x_train": X, "y_train": [1, 2, 3, np.inf]}, "first in row 3"),
        ({"x_train": X.astype(str), "y_train": np.ones(4)}, "must be numbers"),
        ({"x_train": X, "y_train": np.array([{}] * 4, dtype=object)}, "it holds Python objects"),
        (
            {"x_train": X, "y_train": np.ones(4), "x_test": np.ones((4, 3)), "y_test": np.ones(4)},
            r"shape \(2,\) in x_train, \(3,\) in x_test",
        ),
    ],
)
def test_npz_files_that_are_no_data(tmp_path: Path, arrays: dict[str, Any], words: str) -> None:
    """Pickles are not loaded."""
    with pytest.raises(kb.SpecError, match=words):
        load(tmp_path, REGRESSION | npz(tmp_path, **arrays))


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 broken"])
def test_files_that_are_no_npz(tmp_path: Path, content: bytes) -> None:
    """Empty, text, torn."""
    (tmp_path / "t.npz").write_bytes(content)
    with pytest.raises(kb.SpecError, match="cannot be read"):
        load(tmp_path, REGRESSION | {"data": {"npz": "t.npz"}})
    plain = io.BytesIO()
    np.save(plain, X)
    (tmp_path / "t.npz").write_bytes(plain.getvalue())
    with pytest.raises(kb.SpecError, match="is a single array"):
        load(tmp_path, REGRESSION | {"data": {"npz": "t.npz"}})


def test_data_from_python_need_trust(tmp_path: Path) -> None:
    """Without it nothing is run; with it the function is called."""
    ran = tmp_path / "ran"
    text = (
        f"import numpy as np\nopen({str(ran)!r}, 'w').close()\n"
        "def load(): return np.ones((10, 2)), np.arange(10.)\n"
    )
    spec = REGRESSION | python(tmp_path, text)
    with pytest.raises(kb.SpecError, match="runs Python code; add --trust"):
        load(tmp_path, spec)
    assert not ran.exists()
    assert len(load(tmp_path, spec, trusted=True).x_train) == 8
    assert ran.exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def other(): pass", "has no function load; it has other"),
        ("load = 3", "has no function load"),
        ("def load(): return 3", "returned int; must return"),
        ("def load(): return 1, 2, 3, 4", "returned tuple of 4"),
        ("def load(): return [[1], [2, 3]], [1, 2]", "is not an array"),
        ("def load(): return ([[1.0]], [1]), 5", "returned int second"),
        (
            "def load():\n    return 1 / 0",
            r"ZeroDivisionError: .*\n    own\.py:2, in load: return 1",
        ),
        ("import nothing_of_this_name", r"ModuleNotFoundError: .*\n    own\.py:1"),
        ("def load(:", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit"),
    ],
)
def test_python_files_that_fail(tmp_path: Path, text: str, words: str) -> None:
    """Their own lines are shown, not ours."""
    with pytest.raises(kb.SpecError, match=words) as caught:
        load(tmp_path, REGRESSION | python(tmp_path, text), trusted=True)
    assert "kerasbatch" not in str(caught.value).replace("kerasbatch_own", "")


def test_files_outside_the_folder_need_trust(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Absolute paths, .. and links; $KERASBATCH_DATA is allowed."""
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    csv(outside, TABLE)
    (inside / "link.csv").symlink_to(outside / "t.csv")
    for name in ("../out/t.csv", str(outside / "t.csv"), "link.csv"):
        spec = REGRESSION | {"data": {"csv": name, "target": "y"}}
        with pytest.raises(kb.SpecError, match="lies outside the spec's folder"):
            load(inside, spec)
        assert len(load(inside, spec, trusted=True).x_train) == 8
        with monkeypatch.context() as patch:
            patch.setenv("KERASBATCH_DATA", str(outside))
            assert len(load(inside, spec).x_train) == 8
    with pytest.raises(kb.SpecError, match=r"there is no file none\.csv"):
        load(inside, REGRESSION | {"data": {"csv": "none.csv", "target": "y"}})
    with pytest.raises(kb.SpecError, match="is not a file"):
        load(inside, REGRESSION | {"data": {"csv": ".", "target": "y"}})
