"""KNN beside OpenCV 4's KNearest: python experiments/knn/opencv.py PYTHON [ROUNDS].

PYTHON is the interpreter of an environment with opencv-python-headless 4: OpenCV 5 has no cv2.ml, and two versions of
OpenCV in one environment break each other. Both sides learn and read the samples of `bench only=knn`, alternately, each
in its own process.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile

import numpy as np
import torch

from capbench.bench import knn
from capbench.bench.pairs import speed

PEER = """
import sys, time
import cv2, numpy as np
pixels, labels = np.load(sys.argv[1]), np.load(sys.argv[2])
known, asked = pixels.astype(np.float32)
print(cv2.__version__, cv2.getNumThreads(), flush=True)
for _ in sys.stdin:
    start = time.perf_counter()
    nearest = cv2.ml.KNearest_create()
    nearest.train(known, cv2.ml.ROW_SAMPLE, labels.astype(np.int32))
    answers = nearest.findNearest(asked, int(sys.argv[4]))[1]
    seconds = time.perf_counter() - start
    np.save(sys.argv[3], answers.ravel().astype(np.int64))
    print(seconds, flush=True)
"""


def main(python: str, rounds: int) -> None:
    """Measure both sides and print their speeds."""
    pixels, labels = knn.samples()
    with tempfile.TemporaryDirectory() as folder:
        shared = [f"{folder}/{name}.npy" for name in ("pixels", "labels", "answers")]
        np.save(shared[0], pixels)
        np.save(shared[1], labels)
        command = [python, "-c", PEER, *shared, str(knn.NEIGHBOURS)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as peer:
            assert peer.stdin is not None and peer.stdout is not None
            version, threads = peer.stdout.readline().split()

            def theirs() -> float:
                print(file=peer.stdin, flush=True)
                return knn.SAMPLES / float(peer.stdout.readline())

            def ours() -> float:
                return speed(lambda: knn.ours(pixels, labels), knn.SAMPLES)

            ours(), theirs()
            speeds = [(ours(), theirs()) for _ in range(rounds)]
            peer.stdin.close()
        same = int((np.load(shared[2]) == knn.ours(pixels, labels)).sum())
    mine, other = (statistics.median(side) for side in zip(*speeds, strict=True))
    ratio = statistics.median(a / b for a, b in speeds)
    print(f"samples/s, median of {rounds}: ours {mine:,.0f} on {torch.get_num_threads()} threads, ", end="")
    print(f"OpenCV {version} {other:,.0f} on {threads}: {ratio:.1f}; {same:,} of {knn.SAMPLES:,} answers alike")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5)
