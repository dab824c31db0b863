"""A trained run made ready to read: its view, its recogniser with the weights, its decoder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from capbench.data.views import View
from capbench.errors import Mistake
from capbench.models import Model, PerCharacter
from capbench.runs import RunFolder
from capbench.settings import build, check, target_class
from capbench.text import Alphabet, Codec, Reading

BATCH = 256  # images


@dataclass(frozen=True)
class Reader:
    """Reads decoded images as the run's recogniser was trained to."""

    view: View
    model: Model
    codec: Codec
    shape: tuple[int, int, int]
    """Channels, height and width of one view, as in training."""

    @classmethod
    def of(cls, folder: RunFolder) -> Reader:
        """Rebuild from `config.yaml`, `result.json` and the weights; nothing in them can run code."""
        if not folder.result.is_file():
            raise Mistake(f"run: {folder.path} is no finished run; it has no result.json")
        settings, result = folder.settings(), folder.read_result()
        for part, kind in (("view", View), ("model", Model), ("alphabet", Alphabet)):
            target = target_class(settings[part])
            if not issubclass(target, kind):
                raise Mistake(f"{folder.config}: {part} is no {kind.__name__}")
            check(settings[part], target, part)
        view: View = build(settings["view"])
        alphabet = Alphabet(symbols=result["alphabet"], fold=settings["alphabet"]["fold"])
        shortest, longest = result["length"]
        codec = Codec(alphabet, shortest, longest, target_class(settings["model"]).over)
        channels, height, width = result["view/shape"]
        shape = (channels, height, width)
        model: Model = build(settings["model"], shape, 1 if view.cuts else codec.longest, codec.classes)
        if view.cuts:
            model = PerCharacter(model)
        try:
            model.load_state_dict(load_file(folder.weights))
        except (OSError, SafetensorError, RuntimeError) as error:
            raise Mistake(f"{folder.weights}: does not fit the run ({str(error).splitlines()[0]})") from error
        return cls(view, model.eval(), codec, shape)

    def read(self, views: np.ndarray) -> Iterator[Reading]:
        """What stands in views, uint8 [image, ...view] as `view` makes them."""
        for start in range(0, len(views), BATCH):
            batch = torch.from_numpy(np.moveaxis(np.array(views[start : start + BATCH]), -1, -3))
            with torch.inference_mode():
                probability, best = self.model(batch.float() / 255).softmax(-1).max(-1)
            yield from self.codec.read(best.numpy(), probability.numpy())
