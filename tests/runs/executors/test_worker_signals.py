"""The signals of a job reach its workers too, which leave them to their parent."""

import signal
import subprocess
import sys

FORKING = """
import os, signal, time
from kerasbatch.runs.executors import worker_process

signal.pthread_sigmask(signal.SIG_BLOCK, worker_process.STOP_SIGNALS)
worker_process._ignore_signals()
ready, begun = os.pipe()
child = os.fork()
if child == 0:
    os.write(begun, b".")
    time.sleep(60)
    os._exit(0)
for number in worker_process.STOP_SIGNALS:
    os.kill(os.getpid(), number)
os.read(ready, 1)
os.kill(child, signal.SIGTERM)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_worker_ignores_them_and_its_forked_processes_do_not() -> None:
    """Pools of processes are ended by SIGTERM, such as those of a PyDataset."""
    ended = subprocess.run(
        [sys.executable, "-c", FORKING], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, f"{-signal.SIGTERM}\n"), ended.stderr
