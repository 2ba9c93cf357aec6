"""The towers of the embedded models, in the form that stock `transformers` classes can hold.

Importing this module registers `recaption-grid` (pictures) and `recaption-words` (texts) with AutoConfig and
AutoModel. After that
`VisionEncoderDecoderModel.from_pretrained` and `VisionTextDualEncoderModel.from_pretrained` load the embedded
models, and no other class of this package takes part.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling

__all__ = ["GridConfig", "GridModel", "WordsConfig", "WordsModel"]

_FREQUENCIES: Final = 4
_POSITION_SIZE: Final = 2 + 4 * _FREQUENCIES


class GridConfig(PretrainedConfig):
    """Sizes of the tower; every one is part of the weights' shape.

    Args:
        image_size: Side of the square picture in pixels, a multiple of 16.
        stem_size: Channels at half the resolution.
        stage_sizes: Channels at a quarter, an eighth and a sixteenth of the resolution.
        stage_depths: Residual blocks of the stages.
        hidden_size: Channels of the tokens and of the pooled output.
        attention_layers: Transformer layers over the tokens.
        attention_heads: Their heads.
        pool_queries: Learned queries of the pooled output; 0 means the mean of the tokens.
        pool_key_size: Channels of a query.
        pool_value_size: Channels that each query reads.
    """

    model_type = "recaption-grid"

    def __init__(
        self,
        image_size: int = 96,
        stem_size: int = 32,
        stage_sizes: Sequence[int] = (64, 128, 160),
        stage_depths: Sequence[int] = (2, 2, 2),
        hidden_size: int = 160,
        attention_layers: int = 1,
        attention_heads: int = 5,
        pool_queries: int = 0,
        pool_key_size: int = 64,
        pool_value_size: int = 48,
        **kwargs: Any,
    ) -> None:
        self.image_size = image_size
        self.num_channels = 3
        self.stem_size = stem_size
        self.stage_sizes = list(stage_sizes)
        self.stage_depths = list(stage_depths)
        self.hidden_size = hidden_size
        self.attention_layers = attention_layers
        self.attention_heads = attention_heads
        self.pool_queries = pool_queries
        self.pool_key_size = pool_key_size
        self.pool_value_size = pool_value_size
        super().__init__(**kwargs)


class _Block(nn.Module):
    """Two 3 × 3 convolutions with a shortcut; (B, in, H, W) to (B, out, H / stride, W / stride)."""

    def __init__(self, size_in: int, size_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(size_in, size_out, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(size_out)
        self.conv2 = nn.Conv2d(size_out, size_out, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(size_out)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or size_in != size_out:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride) if stride > 1 else nn.Identity(),
                nn.Conv2d(size_in, size_out, 1, bias=False),
                nn.BatchNorm2d(size_out),
            )

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.norm1(self.conv1(x)))
        return functional.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class _Trunk(nn.Module):
    """Convolutions; (B, 3, S, S) to (B, hidden, S / 8, S / 8)."""

    def __init__(self, config: GridConfig) -> None:
        super().__init__()
        sizes, depths = config.stage_sizes, config.stage_depths
        self.stem = nn.Sequential(
            nn.Conv2d(config.num_channels, config.stem_size, 3, 2, 1, bias=False),
            nn.BatchNorm2d(config.stem_size),
            nn.ReLU(),
            nn.Conv2d(config.stem_size, sizes[0], 3, 2, 1, bias=False),
            nn.BatchNorm2d(sizes[0]),
            nn.ReLU(),
        )
        before = [sizes[0], *sizes[:-1]]
        self.stages = nn.ModuleList(
            nn.Sequential(
                *(
                    _Block(size_in if i == 0 else size_out, size_out, 2 if i == 0 and stage > 0 else 1)
                    for i in range(depth)
                )
            )
            for stage, (size_in, size_out, depth) in enumerate(zip(before, sizes, depths, strict=True))
        )
        self.merge = nn.Conv2d(sizes[-2] + sizes[-1], config.hidden_size, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        x = self.stem(pixels)
        fine = x
        for stage in self.stages:
            fine, x = x, stage(x)
        wide = functional.interpolate(x, size=fine.shape[-2:], mode="nearest")
        return self.merge(torch.cat([fine, wide], dim=1))  # type: ignore[no-any-return]


class _Layer(nn.Module):
    """One pre-norm transformer layer over (B, L, C)."""

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(size)
        self.qkv = nn.Linear(size, 3 * size)
        self.out = nn.Linear(size, size)
        self.norm2 = nn.LayerNorm(size)
        self.mlp = nn.Sequential(nn.Linear(size, 2 * size), nn.GELU(), nn.Linear(2 * size, size))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        batch, length, size = x.shape
        qkv = self.qkv(self.norm1(x)).view(batch, length, 3, self.heads, size // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        y = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        y = y.transpose(1, 2).reshape(batch, length, size)
        x = x + self.out(y)
        return x + self.mlp(self.norm2(x))  # type: ignore[no-any-return]


class _Pool(nn.Module):
    """Learned queries read the tokens, and a small network joins what they read; (B, L, size) to (B, size_out).

    A token of its own lets a query say that what it looks for is not there.
    """

    def __init__(self, size: int, size_out: int, queries: int, key_size: int, value_size: int) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(queries, key_size))
        self.nothing = nn.Parameter(torch.zeros(1, 1, size))
        self.key = nn.Linear(size, key_size)
        self.value = nn.Linear(size, value_size)
        self.join = nn.Sequential(
            nn.LayerNorm(queries * value_size),
            nn.Linear(queries * value_size, size_out),
            nn.GELU(),
            nn.Linear(size_out, size_out),
        )

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        tokens = torch.cat([self.nothing.expand(len(tokens), 1, -1), tokens], dim=1)
        if mask is not None:
            mask = functional.pad(mask, (1, 0), value=True)[:, None, :]
        queries = self.queries.expand(len(tokens), -1, -1)
        keys, values = self.key(tokens), self.value(tokens)
        read = functional.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
        return self.join(read.flatten(1))  # type: ignore[no-any-return]


class GridModel(PreTrainedModel):
    """Pictures to a sequence of tokens, one per cell of 8 × 8 pixels, row by row.

    `last_hidden_state` is (B, (S / 8)², hidden_size), `pooler_output` (B, hidden_size).
    """

    config_class = GridConfig
    base_model_prefix = "grid"
    main_input_name = "pixel_values"
    input_modalities = "image"
    _supports_sdpa = True

    def __init__(self, config: GridConfig) -> None:
        super().__init__(config)
        self.trunk = _Trunk(config)
        self.position = nn.Linear(_POSITION_SIZE, config.hidden_size)
        self.layers = nn.ModuleList(
            _Layer(config.hidden_size, config.attention_heads) for _ in range(config.attention_layers)
        )
        self.norm = nn.LayerNorm(config.hidden_size)
        self.pool = _pool(config, config.hidden_size) if config.pool_queries else None
        self.post_init()  # type: ignore[no-untyped-call]

    def get_input_embeddings(self) -> nn.Module:
        """Return the layer that reads pixels."""
        return self.trunk.stem[0]

    def forward(
        self, pixel_values: Tensor, return_dict: bool | None = True, **_: Any
    ) -> BaseModelOutputWithPooling | tuple[Tensor, Tensor]:
        """Return the tokens and the pooled output of pictures of shape (B, 3, S, S).

        Raises:
            ValueError: The pictures are not of the size that the model was made for.
        """
        side = self.config.image_size
        if pixel_values.shape[1:] != (self.config.num_channels, side, side):
            raise ValueError(f"expected pictures of 3 × {side} × {side}, got {tuple(pixel_values.shape[1:])}")
        grid = self.trunk(pixel_values)
        tokens = grid.flatten(2).transpose(1, 2)
        tokens = tokens + self.position(_positions(grid.shape[-1], tokens))
        for layer in self.layers:
            tokens = layer(tokens)
        tokens = self.norm(tokens)
        pooled = tokens.mean(1) if self.pool is None else self.pool(tokens)
        if return_dict is False:
            return tokens, pooled
        return BaseModelOutputWithPooling(last_hidden_state=tokens, pooler_output=pooled)

    def _init_weights(self, module: nn.Module) -> None:
        _start(module)


class WordsConfig(PretrainedConfig):
    """Sizes of the text tower.

    Args:
        vocab_size: Tokens.
        hidden_size: Channels of the pooled output.
        token_size: Channels of the tokens.
        layers: Layers, each a convolution over neighbouring tokens and a transformer layer over all.
        attention_heads: Their heads.
        kernel_size: Tokens that the convolution sees at a time, an odd number.
        max_position_embeddings: Most tokens of a text. There are no positions to run out of; longer texts were
            never trained on.
        pool_queries, pool_key_size, pool_value_size: As in `GridConfig`.
    """

    model_type = "recaption-words"

    def __init__(
        self,
        vocab_size: int = 640,
        hidden_size: int = 256,
        token_size: int = 160,
        layers: int = 3,
        attention_heads: int = 5,
        kernel_size: int = 9,
        max_position_embeddings: int = 128,
        pool_queries: int = 24,
        pool_key_size: int = 32,
        pool_value_size: int = 32,
        pad_token_id: int = 0,
        **kwargs: Any,
    ) -> None:
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.token_size = token_size
        self.layers = layers
        self.attention_heads = attention_heads
        self.kernel_size = kernel_size
        self.max_position_embeddings = max_position_embeddings
        self.pool_queries = pool_queries
        self.pool_key_size = pool_key_size
        self.pool_value_size = pool_value_size
        super().__init__(**kwargs)
        self.pad_token_id = pad_token_id


class _Neighbours(nn.Module):
    """Each token sees those around it: word order, without positions; (B, L, C) to (B, L, C)."""

    def __init__(self, size: int, kernel_size: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(size)
        self.mix = nn.Conv1d(size, size, kernel_size, padding=kernel_size // 2, groups=size)
        self.out = nn.Linear(size, size)

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        near = self.mix((self.norm(x) * there).transpose(1, 2)).transpose(1, 2)
        return x + self.out(functional.gelu(near))  # type: ignore[no-any-return]


class WordsModel(PreTrainedModel):
    """Tokens of a text to one vector.

    `last_hidden_state` is (B, L, token_size), `pooler_output` (B, hidden_size). Padding changes neither.
    """

    config_class = WordsConfig
    base_model_prefix = "words"
    main_input_name = "input_ids"
    input_modalities = "text"
    _supports_sdpa = True

    def __init__(self, config: WordsConfig) -> None:
        super().__init__(config)
        self.embed = nn.Embedding(config.vocab_size, config.token_size, padding_idx=config.pad_token_id)
        self.near = nn.ModuleList(
            _Neighbours(config.token_size, config.kernel_size) for _ in range(config.layers)
        )
        self.far = nn.ModuleList(
            _Layer(config.token_size, config.attention_heads) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.token_size)
        self.pool = _pool(config, config.token_size)
        self.post_init()  # type: ignore[no-untyped-call]

    def get_input_embeddings(self) -> nn.Module:
        """Return the token embedding."""
        return self.embed

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        return_dict: bool | None = True,
        **_: Any,
    ) -> BaseModelOutputWithPooling | tuple[Tensor, Tensor]:
        """Return tokens and pooled output of `input_ids`, (B, L); `attention_mask` is 0 at padding."""
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        seen = mask.bool()
        there = seen[..., None]
        tokens = self.embed(input_ids)
        for near, far in zip(self.near, self.far, strict=True):
            tokens = far(near(tokens, there), seen[:, None, None, :])
        tokens = self.norm(tokens)
        pooled = self.pool(tokens, seen)
        if return_dict is False:
            return tokens, pooled
        return BaseModelOutputWithPooling(last_hidden_state=tokens, pooler_output=pooled)

    def _init_weights(self, module: nn.Module) -> None:
        _start(module)


def _pool(config: GridConfig | WordsConfig, size: int) -> _Pool:
    return _Pool(size, config.hidden_size, config.pool_queries, config.pool_key_size, config.pool_value_size)


def _start(module: nn.Module) -> None:
    """Set one layer's weights by lot."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=module.in_features**-0.5)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, std=0.5)


def _positions(side: int, like: Tensor) -> Tensor:
    """Return where each cell is, (side², 18): x and y in −1…1 and sines and cosines of them."""
    line = torch.linspace(-1, 1, side, device=like.device, dtype=torch.float32)
    y, x = torch.meshgrid(line, line, indexing="ij")
    place = torch.stack([x.flatten(), y.flatten()], dim=1)
    waves = [f(place * math.pi * 2.0**i / 2) for i in range(_FREQUENCIES) for f in (torch.sin, torch.cos)]
    return torch.cat([place, *waves], dim=1).to(like.dtype)


AutoConfig.register(GridConfig.model_type, GridConfig, exist_ok=True)
AutoModel.register(GridConfig, GridModel, exist_ok=True)
AutoConfig.register(WordsConfig.model_type, WordsConfig, exist_ok=True)
AutoModel.register(WordsConfig, WordsModel, exist_ok=True)
