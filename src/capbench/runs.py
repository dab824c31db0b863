"""RunFolder: reading and writing of a run's folder; imports no torch."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import platform
import shlex
import stat
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from capbench import trust
from capbench.errors import DISK_FULL, Mistake
from capbench.utils import bounded
from capbench.utils.atomic import UNFINISHED, replacing
from capbench.utils.locks import alone, held

if TYPE_CHECKING:
    import torch

MOST_BYTES_OF_WEIGHTS = 1 << 32  # of model.safetensors
MOST_BYTES_OF_TABLES = 1 << 27  # of a predictions.csv or a metrics.csv
UNIVERSAL = "universal"
PACKAGED = Path(__file__).parent / UNIVERSAL
RECORDED = ("capbench", "torch", "pytorch-lightning", "timm", "captcha", "albumentations", "numpy", "pillow")


def frames_of(settings: Mapping[str, Any]) -> Any:
    """Return the setting `data.frames` of a run, unchecked; "first" for runs that have none."""
    data = settings.get("data")
    return data.get("frames", "first") if isinstance(data, dict) else "first"


def exif_of(settings: Mapping[str, Any]) -> Any:
    """Return the setting `data.exif` of a run, unchecked; "ignore" for runs on rendered captchas, which have none."""
    data = settings.get("data")
    return data.get("exif", "ignore") if isinstance(data, dict) else "ignore"


class Prediction(NamedTuple):
    """Row of predictions.csv: the true text of an image, and the answer with its confidence."""

    filename: str
    text: str
    answer: str
    confidence: float


@dataclass(frozen=True)
class RunFolder:
    """Folder of one training: `config.yaml` makes it a run, `result.json` a finished run."""

    path: Path

    @classmethod
    def named(cls, name: str | os.PathLike[str]) -> RunFolder:
        """Return the folder that a user names by its path; `universal` is the run that CapBench ships."""
        return cls(PACKAGED if name == UNIVERSAL else Path(name))

    @property
    def config(self) -> Path:
        """Settings of the run."""
        return self.path / "config.yaml"

    @property
    def result(self) -> Path:
        """Results of the finished run; written last."""
        return self.path / "result.json"

    @property
    def metrics(self) -> Path:
        """Metrics of each epoch."""
        return self.path / "metrics.csv"

    @property
    def predictions(self) -> Path:
        """Readings of the test images."""
        return self.path / "predictions.csv"

    @property
    def weights(self) -> Path:
        """Weights of the recogniser."""
        return self.path / "model.safetensors"

    @property
    def seen(self) -> Path:
        """Images that the run was trained and validated on; read and written by capbench.data.seen."""
        return self.path / "seen.safetensors"

    @property
    def evaluations(self) -> Path:
        """Evaluations on other sources, one folder each; those of the run that CapBench ships lie below runs/."""
        return (Path("runs", UNIVERSAL) if self.path == PACKAGED else self.path) / "evaluations"

    @property
    def last(self) -> Path:
        """Checkpoint of the last epoch."""
        return self.path / "checkpoints" / "last.ckpt"

    @property
    def best(self) -> Path:
        """Checkpoint of the best epoch."""
        return self.path / "checkpoints" / "best.ckpt"

    @property
    def data_hash(self) -> Path:
        """Hash of the data that the checkpoints were trained on."""
        return self.path / "checkpoints" / "data.hash"

    def fold(self, number: int) -> RunFolder:
        """Return the folder of one fold's training; it is removed when the fold is finished."""
        return RunFolder(self.path / "folds" / str(number))

    @property
    def doubtful(self) -> Path:
        """Page of the labels that are probably wrong; missing where there are none."""
        return self.path / "doubtful.html"

    @property
    def pictures(self) -> Path:
        """Plots and sheets of images."""
        return self.path / "pictures"

    def check_own(self, file: Path, most: int | None = None) -> None:
        """Refuse a file that an untrusted folder may contain: a link out of the folder, a pipe, or a device.

        With `most`, refuse a file of more bytes too. A missing file is left to its reader to report.
        """
        try:
            found = os.lstat(file)
            if not stat.S_ISREG(found.st_mode):
                self.check_within(file)
                found = file.stat()
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:  # a loop of links, or an invalid name
            raise Mistake(f"{file}: cannot be read ({getattr(error, 'strerror', error)})") from error
        if not stat.S_ISREG(found.st_mode):
            raise Mistake(f"{file}: {bounded.NOT_REGULAR}")
        if most is not None and found.st_size > most:
            raise Mistake(f"{file} has over {most:,} bytes, more than any that CapBench writes")

    def check_within(self, path: Path) -> None:
        """Refuse a link that leads out of the folder."""
        if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self.path)):
            raise Mistake(f"{path}: leads out of the run's folder; copy the file there")

    def content(self, file: Path, most: int = bounded.MOST_BYTES) -> str:
        """Return the text of one of the folder's files, which may be untrusted; `most` is in bytes."""
        self.check_own(file)
        return bounded.text(file, most)

    def begin(self, settings: Mapping[str, Any]) -> None:
        """Create the folder with its settings; raise Mistake if it holds a run already."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            if error.errno in DISK_FULL:
                raise
            raise Mistake(f"{self.path}: no folder can be made there ({error.strerror}); choose another") from error
        with alone(self.path, "run"):
            if self.config.exists():
                raise Mistake(
                    f"{self.path}: holds a run already; continue with resume={self.path}, or choose another folder"
                )
            self.settle(settings)

    def settle(self, settings: Mapping[str, Any]) -> None:
        """Write the settings of a run that has begun, when the parts that they left open are chosen."""
        with replacing(self.config) as file:
            yaml.safe_dump(dict(settings), file, sort_keys=False, allow_unicode=True)

    def abandon(self) -> None:
        """Remove the settings of a run that cannot be trained, and its folder if it holds nothing else."""
        self.config.unlink()
        with suppress(OSError):
            self.path.rmdir()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Lock the run against other processes during the block, and remove unfinished files of a killed process."""
        with held(self.config, "r+b", f"{self.path}: another process trains this run; wait until it ends"):
            for unfinished in self.path.rglob(f".*{UNFINISHED}"):
                unfinished.unlink(missing_ok=True)
            self.pictures.mkdir(exist_ok=True)
            yield

    def check_data(self, data_hash: str, *, writes: bool) -> None:
        """Refuse to resume with other data than the run began with; the process that `writes` stores their hash."""
        if self.data_hash.exists():
            begun = self.data_hash.read_text(encoding="utf-8").strip()
            if begun != data_hash:
                raise Mistake(
                    f"resume: the data of {self.path} have changed since it began: images, their texts, or which part "
                    f"they are in (data/hash {begun[:12]} became {data_hash[:12]}); restore them, or train again"
                )
        elif writes:
            self.data_hash.parent.mkdir(parents=True, exist_ok=True)
            with replacing(self.data_hash) as file:
                file.write(f"{data_hash}\n")

    def settings(self) -> dict[str, Any]:
        """Return the settings that `begin` wrote, as plain data, unchecked."""
        if not self.config.is_file():
            raise Mistake(f"resume: {self.path} is not a run; it has no config.yaml")
        try:
            settings = bounded.from_yaml(self.content(self.config))
        except ValueError as error:
            raise Mistake(f"{self.config}: is not YAML ({error})") from error
        if not isinstance(settings, dict):
            raise Mistake(f"{self.config}: holds no settings")
        return settings

    def fingerprint(self) -> str:
        """Return a hash of the settings and the weights, which decide the run's readings."""
        self.check_own(self.weights, MOST_BYTES_OF_WEIGHTS)
        return hashlib.sha256(repr((self.settings(), self.weights.read_bytes())).encode()).hexdigest()

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Write `result.json`, which marks the run as finished."""
        with replacing(self.result) as file:
            json.dump(result, file, indent=1, ensure_ascii=False)
            file.write("\n")

    def read_result(self) -> dict[str, Any]:
        """Return the content of `result.json`, as plain data, unchecked."""
        try:
            result = bounded.from_json(self.content(self.result))
        except ValueError as error:
            raise Mistake(f"{self.result}: is not JSON ({error})") from error
        if not isinstance(result, dict):
            raise Mistake(f"{self.result}: holds no results")
        return result

    def write_predictions(self, predictions: Iterable[Prediction]) -> None:
        """Write `predictions.csv`."""
        with replacing(self.predictions) as file:
            writer = csv.writer(file)
            writer.writerow(Prediction._fields)
            writer.writerows((*p[:3], f"{p.confidence:.6f}") for p in predictions)

    def read_predictions(self) -> list[Prediction]:
        """Return the predictions written so far."""
        if not self.predictions.exists():
            return []
        with self.predictions.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return [Prediction(row["filename"], row["text"], row["answer"], float(row["confidence"])) for row in rows]

    def write_weights(self, state: Mapping[str, torch.Tensor]) -> None:
        """Write the weights as safetensors."""
        from safetensors.torch import save

        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
        with replacing(self.weights, "wb") as file:
            file.write(save(tensors))


def provenance() -> dict[str, Any]:
    """Return other facts that influence a run's numbers: versions, revision of the code, machine, command."""
    import torch

    versions = {f"version/{package}": _version(package) for package in RECORDED}
    return {
        **versions,
        "version/python": platform.python_version(),
        "git": _revision(),
        "cpus": torch.get_num_threads(),
        "machine": platform.machine(),
        "command": shlex.join([*trust.variable(), "python", "-m", "capbench", *sys.argv[1:]]),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _revision() -> str | None:
    """Return the commit of the checkout with + if it has changes; None outside a checkout."""
    here = Path(__file__).parents[2]
    if not (here / ".git").exists():
        return None
    try:
        commit = _git(here, "rev-parse", "HEAD")
        return commit + ("+" if _git(here, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()
