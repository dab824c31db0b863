"""Trial of a graph in a process of its own: some damaged graphs make onnxruntime stop the process that loads them.

Imports little, for it is run for every graph that is opened.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from capbench.errors import Mistake
from capbench.utils.extras import needed

if TYPE_CHECKING:
    from capbench.export.description import Description

SECONDS = 120  # that loading a graph and reading one image may take
MOST_REASON = 300  # characters of an error of onnxruntime that a message repeats
UNLOADED, UNRUN = 3, 4  # exit codes


def check_that_it_runs(path: Path, content: bytes, described: Description) -> None:
    """Raise Mistake for a graph that does not load, does not run, or gives another shape than its JSON says."""
    command = [sys.executable, "-P", "-m", "capbench.export.trial", json.dumps(described.input)]
    needed("onnxruntime", "export")
    try:
        trial = subprocess.run(command, input=content, capture_output=True, timeout=SECONDS)
    except subprocess.TimeoutExpired as error:
        raise Mistake(f"{path}: takes over {SECONDS} seconds to load and to read one image") from error
    said = trial.stdout.decode(errors="replace").strip()
    if trial.returncode < 0:
        raise Mistake(f"{path}: makes onnxruntime stop by {signal.Signals(-trial.returncode).name}")
    if trial.returncode == UNLOADED:
        raise Mistake(f"{path}: is refused by onnxruntime ({said})")
    if trial.returncode == UNRUN:
        raise Mistake(f"{path}: onnxruntime does not run it ({said})")
    if trial.returncode:
        raise RuntimeError(trial.stderr.decode(errors="replace"))
    if (shape := json.loads(said)) != [1, *described.output]:
        raise Mistake(f"{path}: gives {'×'.join(map(str, shape))} numbers for an image, which its JSON says otherwise")


def session_of(content: bytes, threads: int) -> Any:
    """Return onnxruntime's session of an ONNX file's content."""
    onnxruntime = needed("onnxruntime", "export")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_order = onnxruntime.ExecutionOrder.PRIORITY_BASED  # the file's, by which memory was counted
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # who waits leaves the core to others
    options.log_severity_level = 3  # errors come as exceptions
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def first_words(error: Exception) -> str:
    """Return the beginning of an error's message, on one line."""
    return " ".join(str(error).split())[:MOST_REASON]


def main(shape: list[int], content: bytes) -> None:
    """Load the graph and read one black image; print the shape of what it gives, or the reason why it does not."""
    try:
        session = session_of(content, 1)
    except Exception as error:  # onnxruntime's errors have no common class
        print(first_words(error))
        sys.exit(UNLOADED)
    try:
        numbers = session.run(None, {session.get_inputs()[0].name: np.zeros([1, *shape], np.uint8)})[0]
    except Exception as error:
        print(first_words(error))
        sys.exit(UNRUN)
    print(json.dumps(numbers.shape))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.stdin.buffer.read())
