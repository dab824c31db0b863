"""Trial of a graph in a process of its own: some damaged graphs make onnx or onnxruntime stop the process they are in.

Imports little, for it is run for every graph that is opened.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from capbench.errors import Mistake
from capbench.export.memory import batch_of
from capbench.utils.extras import needed

if TYPE_CHECKING:
    from capbench.export.description import Description

SECONDS = 120  # that a trial may take
MOST_REASON = 300  # characters of an error of onnxruntime that a message repeats
REFUSED = 3  # exit code of a trial that says why


def tried(path: Path, content: bytes, described: Description, wished: int) -> int:
    """Return how many images, at most `wished`, the graph may read at once.

    Raise Mistake for a graph whose layers do not fit together, which takes too much memory, does not load, does not
    run, or gives another shape than its JSON says.
    """
    needed("onnxruntime", "export")
    try:
        trial = in_a_process(json.dumps([described.input, wished]), content)
    except subprocess.TimeoutExpired as error:
        raise Mistake(f"{path}: takes over {SECONDS} seconds to load and to read one image") from error
    said = trial.stdout.decode(errors="replace").strip()
    if trial.returncode < 0:
        raise Mistake(f"{path}: stops the process that loads it by {signal.Signals(-trial.returncode).name}")
    if trial.returncode == REFUSED:
        raise Mistake(f"{path}: {said}")
    if trial.returncode:
        raise RuntimeError(trial.stderr.decode(errors="replace"))
    batch, shape = json.loads(said)
    if shape != [1, *described.output]:
        raise Mistake(f"{path}: gives {'×'.join(map(str, shape))} numbers for an image, which contradicts its JSON")
    return batch


def in_a_process(given: str, content: bytes) -> subprocess.CompletedProcess[bytes]:
    """Run `main` in a new process and return how it ended; raise TimeoutExpired after SECONDS."""
    command = [sys.executable, "-P", "-m", "capbench.export.trial", given]
    return subprocess.run(command, input=content, capture_output=True, timeout=SECONDS)


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


def main(shape: list[int], wished: int, content: bytes) -> None:
    """Size the graph, load it and read one black image; print its batch and the shape of what it gives, or a reason."""
    onnx = needed("onnx", "export")
    try:
        batch = batch_of(onnx, onnx.load_model_from_string(content), wished)
    except Mistake as mistake:
        _refuse(f"is not a graph that CapBench wrote: {mistake}")
    try:
        session = session_of(content, 1)
    except Exception as error:  # onnxruntime's errors have no common class
        _refuse(f"is refused by onnxruntime ({first_words(error)})")
    try:
        numbers = session.run(None, {session.get_inputs()[0].name: np.zeros([1, *shape], np.uint8)})[0]
    except Exception as error:
        _refuse(f"onnxruntime does not run it ({first_words(error)})")
    print(json.dumps([batch, numbers.shape]))


def _refuse(reason: str) -> NoReturn:
    print(reason)
    sys.exit(REFUSED)


if __name__ == "__main__":
    input_shape, wished_batch = json.loads(sys.argv[1])
    main(input_shape, wished_batch, sys.stdin.buffer.read())
