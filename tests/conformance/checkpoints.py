"""Tiny random checkpoints of the real classes of transformers, one builder per family of vision-language models.

Each is some 50,000 to 200,000 parameters, saved as its users would save it. The weights are larger than a fresh
model's: with those, most families write the same text whatever the picture shows.
"""

import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing

__all__ = ["FAMILIES", "build"]

hf: Any = import_module("transformers")

WORDS = Path(__file__).with_name("words.txt").read_text("utf-8").split()
CHAT = (
    "{% for m in messages %}user {% for c in m['content'] %}{% if c['type'] == 'image' %}IMAGE "
    "{% else %}{{ c['text'] }} {% endif %}{% endfor %}{% endfor %}{% if add_generation_prompt %}assistant{% endif %}"
)
VIT = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64, "image_size": 32,
    "patch_size": 8,
}  # fmt: skip
TEXT = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "intermediate_size": 64, "max_position_embeddings": 512,
}  # fmt: skip
MEAN = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
SQUARE = {"size": {"height": 32, "width": 32}, **MEAN}


def tokenizer(*special: str, bert: bool = False, names: Mapping[str, str] | None = None) -> Any:
    """Return a tokenizer whose every word is a token; `special` are marks of the family, `names` their names."""
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[DEC]"] if bert else ["<pad>", "<unk>", "<s>", "</s>"]
    tokens = dict.fromkeys([*marks, *special, *WORDS])
    inner = Tokenizer(WordLevel({token: i for i, token in enumerate(tokens)}, unk_token=marks[1]))
    inner.pre_tokenizer = WhitespaceSplit()
    if bert:
        inner.post_processor = TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
    settings = {"pad_token": marks[0], "unk_token": marks[1], "bos_token": marks[2], "eos_token": marks[3]}
    if bert:
        settings |= {"cls_token": marks[2], "sep_token": marks[3]}
    made = hf.PreTrainedTokenizerFast(
        tokenizer_object=inner, **settings, extra_special_tokens=dict(names or {})
    )
    made.add_special_tokens({"additional_special_tokens": list(special)}, replace_extra_special_tokens=False)
    return made


def ids(made: Any) -> dict[str, Any]:
    """Return the vocabulary's size and special ids as text configurations take them."""
    return {
        "vocab_size": len(made),
        "pad_token_id": made.pad_token_id,
        "bos_token_id": made.bos_token_id,
        "eos_token_id": made.eos_token_id,
    }


def save(folder: Path, model: Any, *processors: Any, scale: float = 6.0) -> None:
    """Save a model with larger weights, and what goes with it."""
    torch.manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0.0, 0.02 * scale)
    model.save_pretrained(folder)
    for processor in processors:
        processor.save_pretrained(folder)


def blip(folder: Path) -> None:
    """Bert-like decoder that reads the picture by cross attention."""
    words = tokenizer(bert=True)
    text = dict(TEXT, num_key_value_heads=None, encoder_hidden_size=32, vocab_size=len(words))
    text |= {"bos_token_id": 4, "eos_token_id": 3, "sep_token_id": 3, "pad_token_id": 0, "is_decoder": True}
    text.pop("num_key_value_heads")
    config = hf.BlipConfig(text_config=text, vision_config=dict(VIT), projection_dim=32)
    pictures = hf.BlipImageProcessor(**SQUARE)
    save(folder, hf.BlipForConditionalGeneration(config), hf.BlipProcessor(pictures, words))


def _opt(words: Any) -> dict[str, Any]:
    return {
        "model_type": "opt", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "ffn_dim": 64,
        "max_position_embeddings": 256, "word_embed_proj_dim": 32, **ids(words),
    }  # fmt: skip


def _qformer(vocabulary: int) -> dict[str, Any]:
    return {
        "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64,
        "encoder_hidden_size": 32, "cross_attention_frequency": 1, "vocab_size": vocabulary,
    }  # fmt: skip


def blip_2(folder: Path) -> None:
    """Q-Former in front of a causal language model."""
    words = tokenizer("<image>")
    config = hf.Blip2Config(
        vision_config=dict(VIT), qformer_config=_qformer(64), text_config=_opt(words), num_query_tokens=4,
        image_text_hidden_size=32, image_token_index=words.convert_tokens_to_ids("<image>"),
    )  # fmt: skip
    pictures = hf.BlipImageProcessor(**SQUARE)
    save(
        folder, hf.Blip2ForConditionalGeneration(config), hf.Blip2Processor(pictures, words, num_query_tokens=4)
    )


def instructblip(folder: Path) -> None:
    """Q-Former that reads the prompt too."""
    words, second = tokenizer("<image>"), tokenizer(bert=True)
    config = hf.InstructBlipConfig(
        vision_config=dict(VIT), qformer_config=_qformer(len(second)), text_config=_opt(words), num_query_tokens=4,
        image_token_index=words.convert_tokens_to_ids("<image>"),
    )  # fmt: skip
    processor = hf.InstructBlipProcessor(hf.BlipImageProcessor(**SQUARE), words, second, num_query_tokens=4)
    save(folder, hf.InstructBlipForConditionalGeneration(config), processor)


def git(folder: Path) -> None:
    """One decoder over picture and text."""
    words = tokenizer(bert=True)
    text = {key: value for key, value in TEXT.items() if key != "num_key_value_heads"}
    config = hf.GitConfig(
        vision_config=dict(VIT), **text, vocab_size=len(words), bos_token_id=2, eos_token_id=3, pad_token_id=0
    )
    pictures = hf.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    save(folder, hf.GitForCausalLM(config), hf.GitProcessor(pictures, words))


def vit_gpt2(folder: Path) -> None:
    """The classic of the tutorials: a ViT and a GPT-2 with cross attention."""
    words = tokenizer()
    decoder = hf.GPT2Config(
        n_embd=32, n_layer=2, n_head=4, n_positions=128, add_cross_attention=True, is_decoder=True, **ids(words)
    )
    config = hf.VisionEncoderDecoderConfig.from_encoder_decoder_configs(hf.ViTConfig(**VIT), decoder)
    config.decoder_start_token_id, config.pad_token_id = words.bos_token_id, words.pad_token_id
    model = hf.VisionEncoderDecoderModel(config)
    model.generation_config.decoder_start_token_id = words.bos_token_id
    model.generation_config.pad_token_id = words.pad_token_id
    model.generation_config.eos_token_id = words.eos_token_id
    save(folder, model, hf.ViTImageProcessor(**SQUARE), words)


def _clip_vision() -> dict[str, Any]:
    return {"model_type": "clip_vision_model", "projection_dim": 32, **VIT}


def llava(folder: Path) -> None:
    """A vision tower, a projector and a language model."""
    words = tokenizer("<image>", names={"image_token": "<image>"})
    config = hf.LlavaConfig(
        vision_config=_clip_vision(), text_config={"model_type": "llama", **TEXT, **ids(words)},
        image_token_index=words.convert_tokens_to_ids("<image>"),
    )  # fmt: skip
    pictures = hf.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    processor = hf.LlavaProcessor(
        pictures, words, patch_size=8, vision_feature_select_strategy="default", num_additional_image_tokens=1,
        chat_template=CHAT.replace("IMAGE", "<image>"),
    )  # fmt: skip
    save(folder, hf.LlavaForConditionalGeneration(config), processor)


def llava_next(folder: Path) -> None:
    """LLaVA with tiles."""
    words = tokenizer("<image>", names={"image_token": "<image>"})
    grid = [[32, 64], [64, 32], [64, 64]]
    config = hf.LlavaNextConfig(
        vision_config=_clip_vision(), text_config={"model_type": "llama", **TEXT, **ids(words)},
        image_token_index=words.convert_tokens_to_ids("<image>"), image_grid_pinpoints=grid,
    )  # fmt: skip
    pictures = hf.LlavaNextImageProcessor(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}, image_grid_pinpoints=grid
    )
    processor = hf.LlavaNextProcessor(
        pictures, words, patch_size=8, vision_feature_select_strategy="default", num_additional_image_tokens=1,
        chat_template=CHAT.replace("IMAGE", "<image>"),
    )  # fmt: skip
    save(folder, hf.LlavaNextForConditionalGeneration(config), processor)


def _saved_without_video(folder: Path, kind: Any, processor_settings: dict[str, Any]) -> None:
    """Write `processor_config.json` by hand: making the processor itself needs torchvision."""
    import json

    path = folder / "processor_config.json"
    known = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps(known | {"processor_class": kind.__name__} | processor_settings))


def _chat_file(folder: Path, image: str) -> None:
    (folder / "chat_template.jinja").write_text(CHAT.replace("IMAGE", image))


def llava_onevision(folder: Path) -> None:
    """LLaVA with tiles, SigLIP and Qwen2."""
    words = tokenizer("<image>", "<video>", names={"image_token": "<image>", "video_token": "<video>"})
    grid = [[32, 64], [64, 32], [64, 64]]
    config = hf.LlavaOnevisionConfig(
        vision_config={"model_type": "siglip_vision_model", "vision_use_head": False, **VIT},
        text_config={"model_type": "qwen2", **TEXT, **ids(words)}, image_grid_pinpoints=grid,
        image_token_index=words.convert_tokens_to_ids("<image>"),
        video_token_index=words.convert_tokens_to_ids("<video>"),
        vision_feature_layer=-1,
    )  # fmt: skip
    pictures = hf.LlavaOnevisionImageProcessor(image_grid_pinpoints=grid, **SQUARE)
    save(folder, hf.LlavaOnevisionForConditionalGeneration(config), words, pictures)
    _saved_without_video(
        folder, hf.LlavaOnevisionProcessor, {"num_image_tokens": 16, "vision_feature_select_strategy": "full"}
    )
    _chat_file(folder, "<image>")


def _idefics(folder: Path, prefix: str, **extra: Any) -> None:
    rows = [f"<row_{r}_col_{c}>" for r in range(1, 5) for c in range(1, 5)]
    names = {
        "image_token": "<image>", "fake_image_token": "<fake_token_around_image>",
        "global_image_token": "<global-img>", "end_of_utterance_token": "<end_of_utterance>",
    }  # fmt: skip
    words = tokenizer(*names.values(), *rows, names=names)
    config = getattr(hf, f"{prefix}Config")(
        vision_config=dict(VIT), text_config={"model_type": "llama", **TEXT, **ids(words)},
        image_token_id=words.convert_tokens_to_ids("<image>"), scale_factor=2, pad_token_id=words.pad_token_id,
    )  # fmt: skip
    pictures = getattr(hf, f"{prefix}ImageProcessor")(
        size={"longest_edge": 64}, max_image_size={"longest_edge": 32}, **MEAN, **extra
    )
    model = getattr(hf, f"{prefix}ForConditionalGeneration")(config)
    if prefix == "Idefics3":
        processor = hf.Idefics3Processor(
            pictures, words, image_seq_len=4, chat_template=CHAT.replace("IMAGE", "<image>")
        )
        save(folder, model, processor)
    else:
        save(folder, model, words, pictures)
        _saved_without_video(folder, hf.SmolVLMProcessor, {"image_seq_len": 4})
        _chat_file(folder, "<image>")


def idefics3(folder: Path) -> None:
    """Pixel shuffle and tiles with marks between them."""
    _idefics(folder, "Idefics3")


def smolvlm(folder: Path) -> None:
    """Idefics3 grown small."""
    _idefics(folder, "SmolVLM")


def _qwen(folder: Path, prefix: str, patch: int, vision: dict[str, Any], rope: dict[str, Any]) -> None:
    names = {
        "image_token": "<|image_pad|>", "video_token": "<|video_pad|>", "vision_start_token": "<|vision_start|>",
        "vision_end_token": "<|vision_end|>",
    }  # fmt: skip
    words = tokenizer(*names.values(), names=names)
    number = words.convert_tokens_to_ids
    rope = {"rope_type": "default", "rope_theta": 10000.0, **rope}
    config = getattr(hf, f"{prefix}Config")(
        vision_config={"patch_size": patch, "spatial_merge_size": 2, "temporal_patch_size": 2, **vision},
        text_config={**TEXT, "rope_parameters": rope, **ids(words)},
        image_token_id=number("<|image_pad|>"), video_token_id=number("<|video_pad|>"),
        vision_start_token_id=number("<|vision_start|>"), vision_end_token_id=number("<|vision_end|>"),
    )  # fmt: skip
    side = patch * 2
    pictures = hf.Qwen2VLImageProcessor(
        patch_size=patch, size={"shortest_edge": side * side * 2, "longest_edge": side * side * 6}
    )
    save(folder, getattr(hf, f"{prefix}ForConditionalGeneration")(config), words, pictures)
    _saved_without_video(folder, getattr(hf, f"{prefix}Processor"), {})
    _chat_file(folder, "<|vision_start|> <|image_pad|> <|vision_end|>")


def qwen2_vl(folder: Path) -> None:
    """Any size of picture, three-dimensional positions."""
    vision = {"depth": 2, "embed_dim": 32, "hidden_size": 32, "num_heads": 4, "mlp_ratio": 2}
    _qwen(folder, "Qwen2VL", 14, vision, {"mrope_section": [1, 1, 2]})


def qwen2_5_vl(folder: Path) -> None:
    """The same with window attention."""
    vision = {
        "depth": 2, "hidden_size": 32, "num_heads": 4, "intermediate_size": 64, "out_hidden_size": 32,
        "fullatt_block_indexes": [1], "window_size": 56,
    }  # fmt: skip
    _qwen(folder, "Qwen2_5_VL", 14, vision, {"mrope_section": [1, 1, 2]})


def qwen3_vl(folder: Path) -> None:
    """The same with features from several depths."""
    vision = {
        "depth": 2, "hidden_size": 32, "num_heads": 4, "intermediate_size": 64, "out_hidden_size": 32,
        "num_position_embeddings": 16, "deepstack_visual_indexes": [0],
    }  # fmt: skip
    _qwen(folder, "Qwen3VL", 16, vision, {"mrope_section": [1, 1, 2], "mrope_interleaved": True})


def florence2(folder: Path) -> None:
    """Picture and task into an encoder, text out of a decoder."""
    words = tokenizer("<image>", names={"image_token": "<image>"})
    text = {
        "model_type": "bart", "d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4,
        "decoder_attention_heads": 4, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "max_position_embeddings": 128,
        **ids(words), "decoder_start_token_id": words.eos_token_id, "forced_bos_token_id": words.bos_token_id,
        "forced_eos_token_id": words.eos_token_id,
    }  # fmt: skip
    vision = {
        "embed_dim": [8, 16, 16, 32], "depths": [1, 1, 1, 1], "num_heads": [1, 2, 2, 4], "num_groups": [1, 2, 2, 4],
        "window_size": 4, "projection_dim": 32, "max_position_embeddings": 10, "max_temporal_embeddings": 4,
    }  # fmt: skip
    config = hf.Florence2Config(
        text_config=text, vision_config=vision, image_token_id=words.convert_tokens_to_ids("<image>"),
        pad_token_id=words.pad_token_id, bos_token_id=words.bos_token_id, eos_token_id=words.eos_token_id,
    )  # fmt: skip
    pictures = hf.CLIPImageProcessor(
        size={"height": 64, "width": 64}, crop_size={"height": 64, "width": 64}, do_center_crop=False
    )
    pictures.image_seq_length = 5
    save(folder, hf.Florence2ForConditionalGeneration(config), hf.Florence2Processor(pictures, words))


def paligemma(folder: Path) -> None:
    """SigLIP and Gemma, the picture and prompt seen in both directions."""
    words = tokenizer("<image>", names={"image_token": "<image>"})
    pictures = hf.SiglipImageProcessor(**SQUARE)
    pictures.image_seq_length = 16
    processor = hf.PaliGemmaProcessor(pictures, words)
    text = {"model_type": "gemma", **TEXT, "head_dim": 8, **ids(processor.tokenizer)}
    config = hf.PaliGemmaConfig(
        vision_config={"model_type": "siglip_vision_model", "vision_use_head": False, **VIT}, text_config=text,
        image_token_index=words.convert_tokens_to_ids("<image>"), projection_dim=32, hidden_size=32,
    )  # fmt: skip
    save(folder, hf.PaliGemmaForConditionalGeneration(config), processor)


def internvl(folder: Path) -> None:
    """Tiles, pixel shuffle and Qwen2."""
    names = {
        "start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    }  # fmt: skip
    words = tokenizer(*names.values(), names=names)
    vision = dict(VIT, image_size=[32, 32], patch_size=[8, 8])
    config = hf.InternVLConfig(
        vision_config=vision, text_config={"model_type": "qwen2", **TEXT, **ids(words)},
        image_token_id=words.convert_tokens_to_ids("<IMG_CONTEXT>"), image_seq_length=4, downsample_ratio=0.5,
    )  # fmt: skip
    pictures = hf.GotOcr2ImageProcessor(crop_to_patches=True, min_patches=1, max_patches=4, **SQUARE)
    save(folder, hf.InternVLForConditionalGeneration(config), words, pictures)
    _saved_without_video(folder, hf.InternVLProcessor, {"image_seq_length": 4})
    _chat_file(folder, "<IMG_CONTEXT>")


def gemma3(folder: Path) -> None:
    """SigLIP and Gemma 3, the picture seen in both directions."""
    names = {
        "boi_token": "<start_of_image>",
        "eoi_token": "<end_of_image>",
        "image_token": "<image_soft_token>",
    }
    words = tokenizer(*names.values(), names=names)
    number = words.convert_tokens_to_ids
    text = {**TEXT, "head_dim": 8, "sliding_window": 16, "layer_types": ["sliding_attention", "full_attention"]}
    config = hf.Gemma3Config(
        vision_config={"vision_use_head": False, **VIT}, text_config={**text, **ids(words)}, mm_tokens_per_image=4,
        boi_token_index=number("<start_of_image>"), eoi_token_index=number("<end_of_image>"),
        image_token_index=number("<image_soft_token>"),
    )  # fmt: skip
    processor = hf.Gemma3Processor(
        hf.Gemma3ImageProcessor(**SQUARE), words, image_seq_length=4,
        chat_template=CHAT.replace("IMAGE", "<start_of_image>"),
    )  # fmt: skip
    save(folder, hf.Gemma3ForConditionalGeneration(config), processor)


def kosmos_2(folder: Path) -> None:
    """A language model with places in it."""
    words = tokenizer()
    pictures = hf.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    processor = hf.Kosmos2Processor(pictures, words, num_patch_index_tokens=4)
    text = {
        "embed_dim": 32, "layers": 2, "ffn_dim": 64, "attention_heads": 4, "max_position_embeddings": 128,
        **ids(processor.tokenizer),
    }  # fmt: skip
    config = hf.Kosmos2Config(text_config=text, vision_config=dict(VIT), latent_query_num=64)
    save(folder, hf.Kosmos2ForConditionalGeneration(config), processor)


FAMILIES: dict[str, Callable[[Path], None]] = {
    "BLIP": blip,
    "BLIP-2": blip_2,
    "InstructBLIP": instructblip,
    "GIT": git,
    "ViT-GPT2": vit_gpt2,
    "LLaVA": llava,
    "LLaVA-NeXT": llava_next,
    "LLaVA-OneVision": llava_onevision,
    "Idefics3": idefics3,
    "SmolVLM": smolvlm,
    "Qwen2-VL": qwen2_vl,
    "Qwen2.5-VL": qwen2_5_vl,
    "Qwen3-VL": qwen3_vl,
    "Florence-2": florence2,
    "PaliGemma": paligemma,
    "InternVL": internvl,
    "Gemma 3": gemma3,
    "Kosmos-2": kosmos_2,
}


def build(family: str, folder: Path) -> Path:
    """Save a tiny checkpoint of a family into a folder of its own, unless it is there, and return that folder."""
    target = folder / family.lower().replace(" ", "-")
    if not (target / "config.json").is_file():
        target.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            FAMILIES[family](target)
    return target
