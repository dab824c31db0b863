"""Settings of an untrusted run: values of every type at every key of config.yaml and at some of result.json."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import pkgutil
from pathlib import Path
from typing import Any

import numpy as np

import capbench
from capbench import load
from capbench.runs import RunFolder
from tests.fuzz.mutations import changed, generator
from tests.fuzz.yaml import dumped
from tests.helpers.untrained import untrained

RUNS = [
    ("model=cnn",),
    ("model=knn", "view=characters"),
    ("model=mlp", "view=characters"),
    ("model=ensemble",),
    ("model=crnn", "data.length=[3,5]"),
    ("model=resnet",),
]
FACTS = ("alphabet", "length", "view/shape")
WORDS = [
    *(
        "os.system",
        "capbench.runs.subprocess.run",
        "capbench.runs.Path",
        "capbench.models",
        "builtins.eval",
        "numpy.load",
    ),
    *(
        "_target_",
        "_partial_",
        "_args_",
        "_recursive_",
        "grey",
        "colour",
        "red",
        "alpha",
        "stretch",
        "pad",
        "attend",
        "global",
    ),
    *(
        "positions",
        "time",
        "lower",
        "upper",
        "turn",
        "resnet18",
        "mobilenetv3_small_050",
        "vit_tiny_patch16_224",
        "hf-hub:a/b",
    ),
    *("local-dir:/tmp", "${oc.env:HOME}", "${oc.create:'{_target_: os.system}'}", "digits", "auto", "0123456789"),
]


def classes() -> list[str]:
    """Return the names of all classes and functions of CapBench, any of which untrusted settings may name."""
    found = set()
    for module in pkgutil.walk_packages(capbench.__path__, "capbench."):
        if "__main__" in module.name:
            continue
        members = inspect.getmembers(importlib.import_module(module.name))
        found |= {
            f"{module.name}.{name}" for name, member in members if inspect.isclass(member) or inspect.isfunction(member)
        }
    return sorted(found)


class door:
    """Door that loads a run with valid weights and reads a picture with it."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.pid = os.getpid()
        self._seed = seed
        self._runs = [untrained(folder / str(number), *overrides) for number, overrides in enumerate(RUNS)]
        self._trees = [{"config": run.settings(), "result": run.read_result()} for run in self._runs]
        for tree in self._trees:
            tree["config"] = {key: tree["config"][key] for key in ("view", "model", "alphabet", "data")}
            tree["result"] = {key: tree["result"][key] for key in FACTS}
        self._words = [*WORDS, *classes()]
        self._picture = np.full((60, 160, 3), 200, np.uint8)
        self.sound = [self._written(number, tree) for number, tree in enumerate(self._trees)]

    @staticmethod
    def _written(number: int, tree: Any) -> bytes:
        """Return the number of the run and the content of its two files."""
        config, result = (tree.get(name) if isinstance(tree, dict) else tree for name in ("config", "result"))
        head = json.dumps([number, json.dumps(result, default=str, skipkeys=True)])
        return head.encode() + b"\n" + dumped(config)

    def made(self, number: int) -> bytes:
        random = generator("settings", self._seed, number)
        which = int(random.integers(len(self._runs)))
        tree = self._trees[which]
        part = "config" if random.random() < 0.8 else "result"
        others = [other[part] for other in self._trees]
        return self._written(which, tree | {part: changed(tree[part], random, others, self._words)})

    def open(self, content: bytes) -> None:
        head, _, config = content.partition(b"\n")
        which, result = json.loads(head)
        run: RunFolder = self._runs[which]
        run.config.write_bytes(config)
        run.result.write_text(result, encoding="utf-8", errors="replace")
        before = sorted(path for path in run.path.parent.rglob("*"))
        reader = load(run.path)
        # Reading a single image traces the network, which is slow, so only some inputs do it.
        reader.read(self._picture if len(content) % 64 == 0 else [self._picture])
        assert sorted(path for path in run.path.parent.rglob("*")) == before, "files were made"

    def close(self) -> None:
        pass
