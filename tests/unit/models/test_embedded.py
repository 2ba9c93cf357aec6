"""The embedded models as they are shipped: whole, small, loadable by stock classes, and good on scenes never seen."""

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    AutoImageProcessor,
    AutoTokenizer,
    VisionEncoderDecoderModel,
    VisionTextDualEncoderModel,
)

import recaption.models.embedded.architecture
from recaption.core.errors import UserError
from recaption.demo.alt import noisy_alt
from recaption.demo.captions import ASPECTS, Aspect, describe
from recaption.demo.facts import judge
from recaption.demo.render import Renderer
from recaption.demo.vocabulary import vocabulary
from recaption.demo.world import Scene, sample_scenes
from recaption.models.embedded import EMBEDDED, folder

MAX_BYTES = 12_000_000
SCENES = list(sample_scenes(24, seed=20_011))


@dataclass(frozen=True)
class Loaded:
    """A model with what goes with it, and the pictures of SCENES as it wants them."""

    model: Any
    tokenizer: Any
    pixels: torch.Tensor
    problems: dict[str, Any]


def _picture(scene: Scene) -> Image.Image:
    """Return the scene as the demo stores it."""
    file = io.BytesIO()
    Renderer(192).render(scene).save(file, "JPEG", quality=92, subsampling=0)
    return Image.open(file).convert("RGB")


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    return [_picture(scene) for scene in SCENES]


def _loaded(kind: Any, name: str, pictures: list[Image.Image]) -> Loaded:
    torch.set_num_threads(1)
    path = folder(name)
    model, problems = kind.from_pretrained(path, output_loading_info=True)
    pixels = AutoImageProcessor.from_pretrained(path)(images=pictures, return_tensors="pt").pixel_values
    return Loaded(model.eval(), AutoTokenizer.from_pretrained(path), pixels, problems)


@pytest.fixture(scope="module")
def captioner(pictures: list[Image.Image]) -> Loaded:
    return _loaded(VisionEncoderDecoderModel, "captioner", pictures)


@pytest.fixture(scope="module")
def dual_encoder(pictures: list[Image.Image]) -> Loaded:
    return _loaded(VisionTextDualEncoderModel, "dual_encoder", pictures)


def _write(captioner: Loaded, aspect: Aspect, rows: slice = slice(None), **how: Any) -> list[str]:
    tokenizer, pixels = captioner.tokenizer, captioner.pixels[rows]
    prompt = tokenizer.convert_tokens_to_ids([tokenizer.bos_token, f"<{aspect}>"])
    start = torch.tensor([prompt] * len(pixels))
    with torch.inference_mode():
        ids = captioner.model.generate(
            pixel_values=pixels, decoder_input_ids=start, **{"do_sample": False, **how}
        )
    texts: list[str] = tokenizer.batch_decode(ids, skip_special_tokens=True)
    return texts


def _embedded(dual: Loaded, texts: Sequence[str]) -> torch.Tensor:
    given = dual.tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt")
    with torch.inference_mode():
        found: torch.Tensor = dual.model.get_text_features(**given).pooler_output
    return torch.nn.functional.normalize(found, dim=-1)


def _seen(dual: Loaded) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = dual.model.get_image_features(pixel_values=dual.pixels).pooler_output
    return torch.nn.functional.normalize(found, dim=-1)


def test_the_folders_are_whole_and_small() -> None:
    sizes = [file.stat().st_size for name in EMBEDDED for file in folder(name).iterdir()]
    assert sum(sizes) <= MAX_BYTES


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UserError, match="known: captioner, dual_encoder"):
        folder("detector")


def test_the_metrics_are_those_of_these_weights() -> None:
    about = json.loads((folder("captioner").parent / "metrics.json").read_text("utf-8"))["about"]
    for name in EMBEDDED:
        digest = hashlib.sha256((folder(name) / "model.safetensors").read_bytes()).hexdigest()
        assert about["sha256"][name] == digest
    assert about["split"] == "test"


@pytest.mark.parametrize("name", EMBEDDED)
def test_stock_classes_load_every_weight_in_single_precision(name: str, request: pytest.FixtureRequest) -> None:
    loaded: Loaded = request.getfixturevalue(name)
    assert not any(loaded.problems[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert {p.dtype for p in loaded.model.parameters()} == {torch.float32}


@pytest.mark.parametrize("name", EMBEDDED)
def test_the_image_processor_makes_the_pixels_of_the_training(
    name: str, request: pytest.FixtureRequest, pictures: list[Image.Image]
) -> None:
    loaded: Loaded = request.getfixturevalue(name)
    side = loaded.pixels.shape[-1]
    small = np.asarray(pictures[3].resize((side, side), Image.Resampling.BILINEAR), dtype=np.float32)
    assert np.allclose(loaded.pixels[3].numpy(), (small.transpose(2, 0, 1) / 255 - 0.5) / 0.25, atol=1e-5)


@pytest.mark.parametrize("aspect", ASPECTS)
def test_likeliest_captions_are_true(captioner: Loaded, aspect: Aspect) -> None:
    verdicts = [judge(text, scene) for text, scene in zip(_write(captioner, aspect), SCENES, strict=True)]
    right = sum(len(v.supported) for v in verdicts)
    wrong = sum(len(v.contradicted) for v in verdicts)
    assert right > 10
    assert right / (right + wrong) >= 0.95


@pytest.mark.slow
def test_a_caption_says_what_its_aspect_asks_for(captioner: Loaded) -> None:
    kinds = {
        aspect: {f.kind for t in _write(captioner, aspect) for f in judge(t, SCENES[0]).supported}
        for aspect in ASPECTS
    }
    assert "material" in kinds["texture"]
    assert "material" not in kinds["appearance"]
    assert "size" in kinds["appearance"]
    assert not kinds["text"] & {"colour", "material", "size", "background"} - {"colour"}
    assert {"material", "size", "background"} <= kinds["dense"]


def test_no_special_token_is_left_in_a_caption(captioner: Loaded) -> None:
    assert not [text for text in _write(captioner, "dense") if "<" in text or text != text.strip()]


@pytest.mark.slow
def test_a_batch_says_what_single_pictures_say_and_so_does_the_cache(captioner: Loaded) -> None:
    batch = _write(captioner, "dense", slice(0, 6))
    assert [_write(captioner, "dense", slice(i, i + 1))[0] for i in range(6)] == batch
    assert _write(captioner, "dense", slice(0, 6), use_cache=False) == batch


def test_samples_differ_and_have_log_probabilities(captioner: Loaded) -> None:
    torch.manual_seed(0)
    texts = _write(captioner, "dense", slice(0, 2), do_sample=True, top_k=0, num_return_sequences=4)
    assert len(set(texts)) > 2
    tokenizer = captioner.tokenizer
    start = torch.tensor([tokenizer.convert_tokens_to_ids(["<s>", "<brief>"])])
    with torch.inference_mode():
        found = captioner.model.generate(
            pixel_values=captioner.pixels[:1],
            decoder_input_ids=start,
            do_sample=False,
            return_dict_in_generate=True,
            output_scores=True,
        )
        scores = captioner.model.compute_transition_scores(found.sequences, found.scores, normalize_logits=True)
    assert bool((scores <= 0).all())
    assert scores.shape[1] == found.sequences.shape[1] - 2


def test_the_dual_encoder_finds_every_dense_caption(dual_encoder: Loaded) -> None:
    texts = _embedded(dual_encoder, [describe(scene, "dense", 7) for scene in SCENES])
    similarity = _seen(dual_encoder) @ texts.T
    own = torch.arange(len(SCENES))
    assert bool((similarity.argmax(0) == own).all())
    assert bool((similarity.argmax(1) == own).all())


@pytest.mark.parametrize("look", ["colour", "material", "size", "shape"])
def test_the_dual_encoder_hears_one_wrong_word(dual_encoder: Loaded, look: str) -> None:
    known = vocabulary()
    words = {"colour": list(known.colours), "material": list(known.materials), "size": list(known.sizes)}
    pairs: list[tuple[str, str]] = []
    for scene in SCENES:
        taken = {t.shape for t in scene.things}
        options = words.get(look) or [s for s in known.shapes if s not in taken]
        thing = scene.things[0]
        wrong = next(o for o in options if o != getattr(thing, look))
        changes: dict[str, Any] = {look: wrong}
        other = replace(scene, things=(replace(thing, **changes), *scene.things[1:]))
        pairs.append((describe(scene, "dense", 3), describe(other, "dense", 3)))
    assert all(true != false for true, false in pairs)
    true, false = (
        (_embedded(dual_encoder, texts) * _seen(dual_encoder)).sum(-1) for texts in zip(*pairs, strict=True)
    )
    assert float((true > false).float().mean()) >= 0.9


def test_the_dual_encoder_knows_left_from_right(dual_encoder: Loaded) -> None:
    true, false, rows = [], [], []
    for i, scene in enumerate(SCENES):
        for a in scene.things:
            for b in scene.things:
                if b.box.centre[0] - a.box.centre[0] > 0.2 * scene.size_px:
                    true.append(f"The {a.shape} is left of the {b.shape}.")
                    false.append(f"The {b.shape} is left of the {a.shape}.")
                    rows.append(i)
    assert len(rows) > 20
    images = _seen(dual_encoder)[rows]
    better = (_embedded(dual_encoder, true) * images).sum(-1) > (_embedded(dual_encoder, false) * images).sum(
        -1
    )
    assert float(better.float().mean()) >= 0.85


def test_any_text_has_an_embedding_and_padding_does_not_change_it(dual_encoder: Loaded) -> None:
    texts = [noisy_alt(scene, i)[0] for i, scene in enumerate(SCENES)]
    texts += ["", "日本語の字幕 🎈", "naïve café " * 200, "\x00\u200b<b>"]
    together = _embedded(dual_encoder, texts)
    assert bool(torch.isfinite(together).all())
    alone = torch.cat([_embedded(dual_encoder, [text]) for text in texts])
    assert torch.allclose(together, alone, atol=1e-4)


def test_the_longest_caption_fits_the_stated_limit(dual_encoder: Loaded) -> None:
    tokenizer = dual_encoder.tokenizer
    longest = max(
        len(tokenizer(describe(scene, "dense", seed)).input_ids) for scene in SCENES for seed in range(20)
    )
    assert longest < tokenizer.model_max_length == 128


def test_a_picture_of_another_size_is_refused(captioner: Loaded) -> None:
    with pytest.raises(ValueError, match="expected pictures of 3 × 96 × 96"):
        captioner.model.encoder(pixel_values=torch.zeros(1, 3, 64, 64))


def test_the_towers_are_registered_under_their_own_names() -> None:
    assert recaption.models.embedded.architecture.GridConfig.model_type == "recaption-grid"
    assert recaption.models.embedded.architecture.WordsConfig.model_type == "recaption-words"
