"""Backbones of timm for whole images of any size."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import timm
import torch
from annotated_types import Len
from torch import nn

from capbench.errors import Mistake, nearest
from capbench.models.base import Shape
from capbench.models.blocks import Headed, Pool, output_shape, position_head
from capbench.types import Count, Share


class Timm(Headed):
    """timm backbone with a head that turns its features into scores of each position."""

    def __init__(
        self,
        shape: Shape,
        positions: int,
        classes: int,
        *,
        backbone: str,
        widths: Annotated[list[Count], Len(4, 4)] | None,
        stem_stride: Literal[1, 2, 4] | None,
        pool: Pool,
        dropout: Share,
    ) -> None:
        super().__init__()
        if not timm.is_model(backbone):
            raise Mistake(f"model.backbone: {backbone} is unknown to timm; {nearest(backbone, timm.list_models())}")
        self.backbone = _Features(backbone, shape, widths, stem_stride)
        self.head = position_head(output_shape(self.backbone, shape), positions, classes, pool, dropout)

    def features_of(self, views: torch.Tensor) -> torch.Tensor:
        """Return the features [n, channel, h, w] of views."""
        return self.backbone(views * 2 - 1)


class _Features(nn.Module):
    """Backbone whose output is always [n, channel, h, w], from convolutions or from tokens on a grid."""

    def __init__(self, name: str, shape: Shape, widths: list[int] | None, stem_stride: int | None) -> None:
        super().__init__()
        channels, height, width = shape
        options: dict[str, Any] = {"pretrained": False, "in_chans": channels, "num_classes": 0, "global_pool": ""}
        if widths is not None:
            options["channels"] = tuple(widths)
        try:
            network = timm.create_model(name, img_size=(height, width), **options)
        except TypeError:  # only the families with position embeddings take a size
            network = self._without_size(name, options)
        except AssertionError as error:
            raise Mistake(f"view.size: {height}×{width} does not suit {name} ({error}); choose another size") from error
        self.network: Any = network
        if stem_stride is not None:
            self._set_stem_stride(name, stem_stride)
        self.grid = getattr(getattr(self.network, "patch_embed", None), "grid_size", None)
        self.extra = getattr(self.network, "num_prefix_tokens", 0)

    @staticmethod
    def _without_size(name: str, options: dict[str, Any]) -> Any:
        try:
            return timm.create_model(name, **options)
        except TypeError as error:
            if "channels" in options:
                raise Mistake(f"model.widths: {name} does not accept it, only ResNets do; set null") from error
            raise

    def _set_stem_stride(self, name: str, stride: int) -> None:
        """Set the stride of a ResNet's stem, which is 4 by default: much for small captchas."""
        stem, pool = getattr(self.network, "conv1", None), getattr(self.network, "maxpool", None)
        if not isinstance(stem, nn.Conv2d) or pool is None:
            raise Mistake(f"model.stem_stride: {name} does not accept it, only ResNets do; set null")
        stem.stride = (2, 2) if stride == 4 else (1, 1)
        if stride == 1:
            self.network.maxpool = nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = self.network.forward_features(x)
        if features.ndim == 3:  # tokens: [n, prefix + h·w, channel]
            tokens = features[:, self.extra :].transpose(1, 2)
            return tokens.unflatten(2, self.grid) if self.grid else tokens.unsqueeze(2)
        # Some families keep channels last.
        return features.movedim(-1, 1) if self._channels_last(features) else features

    def _channels_last(self, features: torch.Tensor) -> bool:
        return features.shape[1] != self.network.num_features
