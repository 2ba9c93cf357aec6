"""The two models before training: sizes, tokens, and what is said about them in their folders."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from data import MODEL_PX, SMALL_PX
from safetensors.torch import save_file
from text import CAPTION_TOKENS, SCORED_TOKENS, save_tokenizer
from torch import Tensor, nn
from transformers import (
    GenerationConfig,
    GenerationMixin,
    GPT2Config,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    VisionEncoderDecoderConfig,
    VisionEncoderDecoderModel,
    VisionTextDualEncoderConfig,
    VisionTextDualEncoderModel,
)

from recaption.models.embedded.architecture import GridConfig, WordsConfig

MEAN, STD = 0.5, 0.25
_CAPTIONERS: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {
    MODEL_PX: (
        {"stem_size": 32, "stage_sizes": (64, 128, 160), "hidden_size": 160, "attention_heads": 5},
        {"n_embd": 160, "n_layer": 3, "n_head": 5, "n_inner": 320},
    ),
    SMALL_PX: (
        {"stem_size": 24, "stage_sizes": (32, 64, 96), "hidden_size": 128, "attention_heads": 4},
        {"n_embd": 128, "n_layer": 3, "n_head": 4, "n_inner": 256},
    ),
}
"""Side of the pictures: the tower's sizes, the writer's sizes."""


def new_captioner(tokenizer: PreTrainedTokenizerFast, side_px: int = MODEL_PX) -> VisionEncoderDecoderModel:
    """Return a captioner with random weights for pictures of a size."""
    ids = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    tower, words = _CAPTIONERS[side_px]
    encoder = GridConfig(image_size=side_px, attention_layers=1, **tower)
    decoder = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=CAPTION_TOKENS,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        add_cross_attention=True,
        tie_word_embeddings=False,
        **words,
        **ids,
    )
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    config.decoder_start_token_id = tokenizer.bos_token_id
    config.pad_token_id, config.eos_token_id = tokenizer.pad_token_id, tokenizer.eos_token_id
    model = VisionEncoderDecoderModel(config)
    model.generation_config = GenerationConfig(
        decoder_start_token_id=tokenizer.bos_token_id, max_length=CAPTION_TOKENS, **ids
    )
    return model


def new_dual_encoder(tokenizer: PreTrainedTokenizerFast) -> VisionTextDualEncoderModel:
    """Return a dual encoder with random weights."""
    vision = GridConfig(
        image_size=MODEL_PX, hidden_size=256, attention_layers=0, pool_queries=24, pool_value_size=40
    )
    text = WordsConfig(
        vocab_size=len(tokenizer),
        hidden_size=256,
        token_size=128,
        attention_heads=4,
        pool_value_size=24,
        max_position_embeddings=SCORED_TOKENS,
        pad_token_id=tokenizer.pad_token_id,
    )
    config = VisionTextDualEncoderConfig.from_vision_text_configs(vision, text, projection_dim=256)
    return VisionTextDualEncoderModel(config)


def normalised(pixels: Tensor) -> Tensor:
    """Return pictures as the image processor makes them, (B, 3, S, S), from bytes of shape (B, S, S, 3)."""
    return (pixels.permute(0, 3, 1, 2).float() / 255 - MEAN) / STD


def save(folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, side_px: int) -> None:
    """Write a folder for `from_pretrained`: weights in half precision, to be loaded in single precision."""
    folder.mkdir(parents=True, exist_ok=True)
    config = json.loads(model.config.to_json_string())
    for part in (config, *(v for v in config.values() if isinstance(v, dict))):
        part.pop("torch_dtype", None)
        part["dtype"] = "float32"
    config["architectures"] = [type(model).__name__]
    _write_json(folder / "config.json", config)
    if isinstance(model, GenerationMixin):
        model.generation_config.save_pretrained(folder)
    half = {
        name: (value.half() if value.is_floating_point() else value).contiguous().cpu()
        for name, value in model.state_dict().items()
    }
    save_file(half, folder / "model.safetensors", metadata={"format": "pt"})
    save_tokenizer(tokenizer, folder)
    _write_json(folder / "preprocessor_config.json", _processor(side_px))


def parameters(model: nn.Module) -> int:
    """Return how many weights a model has."""
    return sum(p.numel() for p in model.parameters())


def average(model: nn.Module) -> torch.optim.swa_utils.AveragedModel:
    """Return the running mean of a model's weights over some five hundred steps."""
    return torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.998)
    )


@torch.no_grad()
def settle(tower: nn.Module, batches: Iterable[Tensor]) -> None:
    """Set the statistics of a tower's normalisation anew, for these batches of pictures."""
    norms = [m for m in tower.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    tower.train()
    for pixels in batches:
        tower(pixel_values=pixels)
    tower.eval()


def _processor(side_px: int) -> dict[str, object]:
    return {
        "image_processor_type": "ViTImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"height": side_px, "width": side_px},
        "resample": 2,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [MEAN] * 3,
        "image_std": [STD] * 3,
    }


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")
