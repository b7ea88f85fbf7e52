"""What comes from outside: characters, closed pipes, signals, code that exits."""

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from patience import limit
from rich.table import Table
from rich.text import Text

from kerasbatch.cli.console import SafeConsole
from kerasbatch.text import clean, escape_formula

SPEC = """\
data: iris
model: {layers: [{Dense: {units: 3, activation: softmax}}]}
optimizer: {name: sgd, momentum: 0, learning_rate: 1}
loss: sparse_categorical_crossentropy
epochs: 2
batch_size: 16
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    file = tmp_path / "flowers.yaml"
    file.write_text(SPEC, encoding="utf-8")
    return file


def _shell(command: str, folder: Path, **environment: str) -> "subprocess.CompletedProcess[bytes]":
    env = os.environ | {"COLUMNS": "120", "K": f"{sys.executable} -m kerasbatch"} | environment
    return subprocess.run(
        ["/bin/bash", "-c", command], cwd=folder, env=env, capture_output=True, timeout=limit(60)
    )


def test_every_kind_of_output_is_cleaned() -> None:
    """Texts, styled texts, cells of tables; colours of our own remain."""
    stream = io.StringIO()
    console = SafeConsole(errors=False)
    console.file = stream
    table = Table("a\x1b[2J")
    table.add_row(Text("b\x1b]0;x\x07"))
    for output in (table, Text("c\x1b[31m"), "d\u202e"):
        console.print(output)
    assert "\x1b" not in stream.getvalue()
    assert all(text in stream.getvalue() for text in (r"a\x1b[2J", r"b\x1b]", r"c\x1b", r"d\u"))


@pytest.mark.parametrize(
    "arguments", ['"rn$E"', 'plan "--x$E"', 'plan "no$E.yaml"', 'compare "no$E"']
)
def test_a_wrong_command_line_is_printed_cleanly(tmp_path: Path, arguments: str) -> None:
    """File names may come from a stranger's archive, by a `*`."""
    done = _shell(f"E=$'\\x1b[2J'; $K {arguments}", tmp_path)
    assert done.returncode == 2
    assert b"\x1b" not in done.stderr
    assert rb"\x1b[2J" in done.stderr


def test_warnings_are_printed_cleanly(tmp_path: Path) -> None:
    """Those of libraries may quote a file."""
    code = (
        "import warnings; from kerasbatch.cli.terminal import exit_codes\nwith exit_codes():\n    "
    )
    done = _shell(f"{sys.executable} -c $'{code}warnings.warn(\"a\\x1b[2J\")'", tmp_path)
    assert done.stderr == b"note: UserWarning: a\\x1b[2J\n"


def test_formulas_are_escaped_for_spreadsheets() -> None:
    """Texts that begin like one, also after blanks; numbers stay numbers."""
    texts = ["=HYPERLINK(1)", " +x", "@a", "-cmd|x", "-0.5", "adam", -0.5, None]
    expected = ["'=HYPERLINK(1)", "' +x", "'@a", "'-cmd|x", "-0.5", "adam", -0.5, None]
    assert [escape_formula(text) for text in texts] == expected


def test_what_cannot_be_seen_is_written_out() -> None:
    """Control characters, marks of direction, surrogates; not letters of any script, nor emoji."""
    assert clean("a\x1b[31mb\u202ec\udc80d\u200be") == r"a\x1b[31mb\u202ec\udc80d\u200be"
    assert clean("행렬 日本 é 🙂\n\tx [red] :one:") == "행렬 日本 é 🙂\n\tx [red] :one:"


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("'record.²=1'", b"record: found a mapping"),
        ("$'\\xff=1'", b"is not UTF-8 text"),
        ("'data={csv: \"~nouser/x\", target: y}'", b"there is no file ~nouser/x"),
        ("'question=[red]x[/x] :one:'", b"a key must be text"),
        ("'question=\"\\u202e\\u001b\"'", rb"\u202e\x1b"),
        ("'seed=-0.0'", b"found -0.0; must be a whole number, 0 to 4294967295\n"),
        ("'name=\"a\\u202eb\"'", b"contains"),
    ],
)
def test_any_text_is_answered(spec: Path, override: str, words: bytes) -> None:
    """With a fault or a plan, without a traceback, and with nothing raw."""
    for environment in ({}, {"PYTHONIOENCODING": "ascii"}):
        done = _shell(f"$K plan {spec} --set {override}", spec.parent, **environment)
        output = done.stdout + done.stderr
        assert words in output
        assert b"Traceback" not in output
        assert b"\x1b" not in output.replace(b"\x1b[3m", b"").replace(b"\x1b[0m", b"")
        assert "\u202e".encode() not in output


@pytest.mark.slow
def test_markup_in_swept_text_is_shown(spec: Path) -> None:
    """In tables and in progress, after all the training."""
    sweep = "sweep={metrics: [[{name: accuracy}], [{name: mse}]], question: why}"
    done = _shell(f"$K run {spec} --set 'question=\"[red] [/x] :one:\"'", spec.parent)
    assert done.returncode == 0, done.stderr
    done = _shell(f"$K plan {spec} --set 'question=\"[red] [/x] :one:\"'", spec.parent)
    assert b"[red] [/x] :one:" in done.stdout
    assert _shell(f"$K plan {spec} --set '{sweep}'", spec.parent).returncode == 2


def test_a_closed_pipe_ends_no_training(spec: Path) -> None:
    """Of errors or of results; a plan whose reader has seen enough is no failure."""
    done = _shell(f"$K run {spec} 2>&1 | head -c 1; echo ${{PIPESTATUS[0]}}", spec.parent)
    assert done.stdout.endswith(b"0\n")
    (record,) = spec.parent.glob("results/flowers/*/record.json")
    assert b'"status": "done"' in record.read_bytes()
    done = _shell(f"$K plan {spec} | head -1; echo ${{PIPESTATUS[0]}}", spec.parent)
    assert done.stdout.endswith(b"\n0\n")


@pytest.mark.parametrize("where", ["build", "call"])
@pytest.mark.slow
def test_own_code_that_exits_is_a_failure(spec: Path, where: str) -> None:
    """Not ours: a fault before the training, a status in it; our exit codes."""
    code = (
        "import keras, sys\n\nclass Exiting(keras.layers.Layer):\n"
        "    calls = 0\n    def call(self, inputs):\n        Exiting.calls += 1\n"
        "        if Exiting.calls > 3: sys.exit(5)\n        return inputs\n\n"
        "def build(input_shape, classes):\n"
        + ("    sys.exit(5)\n" if where == "build" else "")
        + "    return keras.Sequential([Exiting(), keras.layers.Dense(3, 'softmax')])\n"
    )
    (spec.parent / "own.py").write_text(code, encoding="utf-8")
    done = _shell(f"$K run {spec} --trust --set 'model={{python: \"own.py:build\"}}'", spec.parent)
    assert done.returncode == (2 if where == "build" else 1), done.stderr
    assert b"Traceback" not in done.stderr
    assert b"SystemExit" in done.stdout + done.stderr


@pytest.mark.slow
def test_a_hangup_is_a_status(spec: Path) -> None:
    """The terminal was closed: rows kept, exit code 143."""
    command = [sys.executable, "-m", "kerasbatch", "run", spec, "--set", "epochs=2000000"]
    process = subprocess.Popen(
        command, cwd=spec.parent, stderr=subprocess.DEVNULL, preexec_fn=_without_nohup
    )
    try:
        deadline = time.monotonic() + 120
        while not list(spec.parent.glob("results/*/*/history.csv")):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.send_signal(signal.SIGHUP)
        assert process.wait(limit(20)) == 143
    finally:
        process.kill()
        process.wait()
    (record,) = spec.parent.glob("results/flowers/*/record.json")
    assert b'"status": "interrupted"' in record.read_bytes()


def _without_nohup() -> None:
    """Let a hangup reach the program also where the tests themselves run under nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def test_a_narrow_terminal_cuts_no_number(spec: Path) -> None:
    """Forty columns."""
    done = _shell(f"$K plan {spec} --set 'batch_size=7'", spec.parent, COLUMNS="40")
    lines = done.stdout.decode().splitlines()
    assert max(map(len, lines)) <= 40
    assert any(line.rstrip().endswith("34.29") for line in lines)
    assert "…" not in done.stdout.decode()


def test_a_symbolic_link_is_no_place_for_results(spec: Path, tmp_path: Path) -> None:
    """It leads elsewhere."""
    (tmp_path / "results").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "results" / "flowers").symlink_to(tmp_path / "elsewhere")
    done = _shell(f"$K run {spec}", tmp_path)
    assert done.returncode == 2
    assert b"is a symbolic link" in done.stderr
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_whole_numbers_stand_for_floats(spec: Path) -> None:
    """`momentum: 0` and `learning_rate: 1` train."""
    assert _shell(f"$K run {spec} --quiet", spec.parent).returncode == 0


def test_every_error_of_our_own_is_a_message(tmp_path: Path) -> None:
    """Also one that no command expects, such as a link in a trusted folder of results."""
    code = (
        "from kerasbatch.cli.terminal import exit_codes\n"
        "from kerasbatch.records.stored_files import StoredFileError\n"
        "with exit_codes():\n    raise StoredFileError('is a link')\n"
    )
    (tmp_path / "fail.py").write_text(code, encoding="utf-8")
    done = _shell(f"{sys.executable} fail.py", tmp_path)
    assert (done.returncode, done.stderr) == (1, b"error: is a link\n")
