"""Tiny checkpoints of real classes, with random weights, saved as their makers would save them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AlignConfig,
    AlignModel,
    AltCLIPConfig,
    AltCLIPModel,
    BertConfig,
    BertModel,
    Blip2Config,
    Blip2ForImageTextRetrieval,
    BlipConfig,
    BlipForImageTextRetrieval,
    ChineseCLIPConfig,
    ChineseCLIPModel,
    CLIPConfig,
    CLIPModel,
    CLIPVisionConfig,
    CLIPVisionModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Siglip2Config,
    Siglip2Model,
    SiglipConfig,
    SiglipModel,
    VisionTextDualEncoderModel,
)
from transformers.models.align.configuration_align import AlignTextConfig, AlignVisionConfig
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.models.siglip2.image_processing_pil_siglip2 import Siglip2ImageProcessorPil

SENTENCES = [
    "a red ball lies on the green grass near a wooden fence",
    "two cats sleep on a blue sofa, while the dog looks out of the window",
    "Lone tree on a hill at dusk. The sky behind it is orange!",
    "THE SIGN SAYS open 24 hours; nobody is in the shop",
]
SPECIALS = ["<pad>", "<s>", "</s>", "<unk>", "<image>"]
TINY: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}
SIDE = 32
STRENGTHS = {"itm_head": 8, "crossattention": 8, "attention.self": 12, "patch_embedding": 8, "embed": 4}
"""What weights are multiplied by, by a part of their name; others by 2."""


def tokenizer(limit: int, *, ends: bool = True, **more: Any) -> PreTrainedTokenizerFast:
    """A byte-level BPE with start and end tokens around every text."""
    raw = Tokenizer(models.BPE(unk_token="<unk>"))
    raw.normalizer = normalizers.NFC()
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=SPECIALS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    raw.train_from_iterator(SENTENCES, trainer)
    if ends:
        raw.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=raw,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        model_max_length=limit,
        padding_side="right",
        extra_special_tokens={"image_token": "<image>"},
        **more,
    )


def made(family: str, folder: Path) -> Path:
    """Make a checkpoint by the name of its function, always the same."""
    torch.manual_seed(3)
    make: Callable[[Path], Path] = globals()[family]
    return make(folder)


def _saved(folder: Path, model: Any, text: PreTrainedTokenizerFast, images: Any = None) -> Path:
    with torch.no_grad():
        for name, weights in model.named_parameters():
            # The usual start is so close to zero that neither image nor text changes what comes out.
            if weights.dim() > 1:
                weights.mul_(next((factor for part, factor in STRENGTHS.items() if part in name), 2))
            elif name in ("logit_scale", "logit_bias"):
                weights.fill_(1.5 if name == "logit_scale" else -2.5)
    model.eval().save_pretrained(folder)
    text.save_pretrained(folder)
    if images is not None:
        images.save_pretrained(folder)
    return folder


def _vocabulary(**more: Any) -> dict[str, Any]:
    return {"vocab_size": 420, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, **TINY, **more}


def _vision(**more: Any) -> dict[str, Any]:
    return {"image_size": SIDE, "patch_size": 8, **TINY, **more}


def _clip_images() -> Any:
    return CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})


def clip(folder: Path) -> Path:
    config = CLIPConfig(
        # An end token of 2 would mean an old checkpoint to transformers, whose end token is the highest number.
        text_config=_vocabulary(max_position_embeddings=24, eos_token_id=3),
        vision_config=_vision(),
        projection_dim=16,
    )
    text = tokenizer(24)
    text.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A <unk>", special_tokens=[("<s>", 1), ("<unk>", 3)]
    )
    return _saved(folder, CLIPModel(config), text, _clip_images())


def siglip(folder: Path) -> Path:
    config = SiglipConfig(
        text_config=_vocabulary(max_position_embeddings=16, projection_size=32), vision_config=_vision()
    )
    images = SiglipImageProcessorPil(size={"height": SIDE, "width": SIDE})
    return _saved(folder, SiglipModel(config), tokenizer(16, model_input_names=["input_ids"]), images)


def siglip2(folder: Path) -> Path:
    config = Siglip2Config(
        text_config=_vocabulary(max_position_embeddings=16, projection_size=32),
        vision_config={**TINY, "patch_size": 8, "num_patches": 16},
    )
    images = Siglip2ImageProcessorPil(patch_size=8, max_num_patches=16)
    return _saved(folder, Siglip2Model(config), tokenizer(16, model_input_names=["input_ids"]), images)


def altclip(folder: Path) -> Path:
    config = AltCLIPConfig(
        text_config=_vocabulary(max_position_embeddings=26, project_dim=16, pad_token_id=1, bos_token_id=0),
        vision_config=_vision(),
        projection_dim=16,
    )
    return _saved(folder, AltCLIPModel(config), tokenizer(512), _clip_images())


def chinese_clip(folder: Path) -> Path:
    config = ChineseCLIPConfig(
        text_config=_vocabulary(max_position_embeddings=24), vision_config=_vision(), projection_dim=16
    )
    names = ["input_ids", "token_type_ids", "attention_mask"]
    return _saved(folder, ChineseCLIPModel(config), tokenizer(24, model_input_names=names), _clip_images())


def align(folder: Path) -> Path:
    vision = AlignVisionConfig(
        image_size=SIDE,
        width_coefficient=1.0,
        depth_coefficient=1.0,
        kernel_sizes=[3, 3],
        in_channels=[32, 16],
        out_channels=[16, 32],
        depthwise_padding=[],
        strides=[1, 2],
        num_block_repeats=[1, 1],
        expand_ratios=[1, 2],
        hidden_dim=32,
    )
    text = AlignTextConfig(**_vocabulary(max_position_embeddings=128))
    config = AlignConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=32)
    images = SiglipImageProcessorPil(size={"height": SIDE, "width": SIDE})
    return _saved(folder, AlignModel(config), tokenizer(128), images)


def vision_text(folder: Path) -> Path:
    model = VisionTextDualEncoderModel(
        vision_model=CLIPVisionModel(CLIPVisionConfig(**_vision())),
        text_model=BertModel(BertConfig(**_vocabulary(max_position_embeddings=24))),
    )
    return _saved(folder, model, tokenizer(24), _clip_images())


def blip_itm(folder: Path) -> Path:
    config = BlipConfig(
        text_config=_vocabulary(max_position_embeddings=32, encoder_hidden_size=32, sep_token_id=2),
        vision_config=_vision(initializer_range=0.1),
        image_text_hidden_size=16,
    )
    images = BlipImageProcessorPil(size={"height": SIDE, "width": SIDE})
    return _saved(folder, BlipForImageTextRetrieval(config), tokenizer(32), images)


def blip2_itm(folder: Path, *, image_token: bool = True) -> Path:
    config = Blip2Config(
        vision_config=_vision(qkv_bias=True, initializer_range=0.1),
        qformer_config=_vocabulary(
            max_position_embeddings=32,
            encoder_hidden_size=32,
            cross_attention_frequency=1,
            use_qformer_text_input=True,
        ),
        text_config={"model_type": "opt", "vocab_size": 420, "hidden_size": 32, "num_hidden_layers": 1},
        num_query_tokens=4,
        image_text_hidden_size=16,
        image_token_index=4 if image_token else None,
    )
    images = BlipImageProcessorPil(size={"height": SIDE, "width": SIDE})
    return _saved(folder, Blip2ForImageTextRetrieval(config), tokenizer(32), images)


def gpt2(folder: Path) -> Path:
    config = GPT2Config(
        vocab_size=420, n_positions=32, n_embd=32, n_layer=2, n_head=4, bos_token_id=2, eos_token_id=2
    )
    return _saved(folder, GPT2LMHeadModel(config), tokenizer(32, ends=False))


def llama(folder: Path) -> Path:
    config = LlamaConfig(**_vocabulary(max_position_embeddings=32, num_key_value_heads=2))
    return _saved(folder, LlamaForCausalLM(config), tokenizer(32))


DUAL_ENCODERS = ("clip", "siglip", "siglip2", "altclip", "chinese_clip", "align", "vision_text")
