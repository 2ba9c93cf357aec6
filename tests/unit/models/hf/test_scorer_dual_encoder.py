"""Dual encoders of every family: the same numbers as a plain computation, at a fraction of its work."""

import io
import math
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

from recaption.core.errors import BackendError, ImageError, UserError
from recaption.core.protocols import Scorer
from recaption.core.types import Caption, Image, Record, Score
from recaption.demo.captions import describe
from recaption.demo.render import Renderer
from recaption.demo.world import sample_scenes
from recaption.media.images import BatchImages, decode
from recaption.models.hf.dual_encoder import DualEncoderScorer
from recaption.models.hf.dual_encoder_engine import DualEncoder
from recaption.recipes.backends import backend
from tests.conformance.checkpoints import build
from tests.unit.models.hf.scoring_checkpoints import DUAL_ENCODERS, SENTENCES, made
from tests.unit.models.hf.scoring_pairs import caption, pairs, picture, record

SIZES = ((96, 64), (40, 200), (33, 31), (640, 480))
ONE_AT_ONCE = [f if f == "clip" else pytest.param(f, marks=pytest.mark.slow) for f in DUAL_ENCODERS]
SHORT = ("a red ball", "two cats", "open", "Ω ball")


def scorer(folder: Path, **options: Any) -> DualEncoderScorer:
    return DualEncoderScorer(
        DualEncoderScorer.Params.model_validate({"model": str(folder), "dtype": "float32", **options})
    )


def engine(scorer: DualEncoderScorer) -> DualEncoder:
    return scorer._engine


def values(scores: Sequence[Score]) -> list[float]:
    found = [score.value for score in scores]
    assert None not in found, [score.reason for score in scores]
    return [value for value in found if value is not None]


class Plain:
    """What every tutorial does: one image and one text at a time, by the processor and the model."""

    def __init__(self, folder: Path) -> None:
        self.model = AutoModel.from_pretrained(folder).eval()
        self.images = AutoImageProcessor.from_pretrained(folder, backend="pil")
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        kind = self.model.config.model_type
        self.padding: Any = "max_length" if kind.startswith("siglip") else True
        self.limit = 24 if kind != "align" else 64
        self.limit = 16 if kind.startswith("siglip") else self.limit

    def __call__(self, data: bytes, text: str) -> tuple[float, float]:
        """Return cosine and logit."""
        seen = self.images(Pillow.open(io.BytesIO(data)).convert("RGB"), return_tensors="pt")
        read = self.tokenizer(
            text, padding=self.padding, truncation=True, max_length=self.limit, return_tensors="pt"
        )
        with torch.inference_mode():
            out = self.model(**seen, **read)
        image, words = (e / e.norm(dim=-1, keepdim=True) for e in (out.image_embeds, out.text_embeds))
        return float((image * words).sum()), float(out.logits_per_text.squeeze())


@pytest.mark.parametrize("family", ONE_AT_ONCE)
def test_scores_are_those_of_a_plain_computation(family: str, checkpoint: Callable[[str], Path]) -> None:
    folder = checkpoint(family)
    plain, judge, logits = Plain(folder), scorer(folder), scorer(folder, output="logit")
    assert isinstance(judge, Scorer)
    asked = pairs([record(i, size) for i, size in enumerate(SIZES)], [*SHORT, *SENTENCES])
    cosines = values(judge.score(asked, BatchImages()))
    for (r, c), cosine, logit in zip(asked, cosines, values(logits.score(asked, BatchImages())), strict=True):
        assert r.image is not None
        assert r.image.data is not None
        expected = plain(r.image.data, c.text)
        assert (cosine, logit) == pytest.approx(expected, abs=1e-5)
        assert -1 <= cosine <= 1
    assert np.std(cosines) > 0.01, "the checkpoint tells nothing apart, so this shows nothing"


@pytest.mark.parametrize("family", ONE_AT_ONCE)
def test_a_score_depends_neither_on_its_batch_nor_on_the_order(
    family: str, checkpoint: Callable[[str], Path]
) -> None:
    asked = pairs([record(i, size) for i, size in enumerate(SIZES)], [*SHORT, *SENTENCES])
    whole = values(_fresh(checkpoint(family), batch_size=16).score(asked, BatchImages()))
    alone = [
        values(_fresh(checkpoint(family), batch_size=1).score([pair], BatchImages()))[0] for pair in asked[::3]
    ]
    assert whole[::3] == pytest.approx(alone, abs=2e-6)
    order = list(range(len(asked)))
    random.Random(1).shuffle(order)
    mixed = values(_fresh(checkpoint(family), batch_size=3).score([asked[i] for i in order], BatchImages()))
    assert [whole[i] for i in order] == pytest.approx(mixed, abs=2e-6)


def _fresh(folder: Path, **options: Any) -> DualEncoderScorer:
    """A scorer whose engine remembers nothing from before."""
    judge = scorer(folder, **options)
    judge.__dict__["_engine"] = DualEncoder(judge._model.files, judge._model.placement, trust_remote_code=False)
    return judge


def test_each_image_and_each_text_is_encoded_once(checkpoint: Callable[[str], Path]) -> None:
    judge = _fresh(checkpoint("clip"), batch_size=3)
    records = [record(i) for i in range(5)]
    twin = replace(records[0], key="the same picture under another name")
    asked = pairs([*records, twin], [*SHORT, *SHORT, SENTENCES[0]])
    judge.score(asked, BatchImages())
    assert (engine(judge).image_rows, engine(judge).text_rows) == (5, 5)
    images = BatchImages()
    judge.score(pairs(records, ["a ball"]), images)
    assert (engine(judge).image_rows, engine(judge).text_rows) == (5, 6)
    assert images.decodes == 0


def test_scorers_of_one_model_share_it_and_what_it_has_seen(checkpoint: Callable[[str], Path]) -> None:
    one, two = scorer(checkpoint("clip")), scorer(checkpoint("clip"), output="clipscore", prefix="")
    asked = pairs([record(77)], SHORT)
    cosines = values(one.score(asked, BatchImages()))
    rows = engine(one).image_rows
    stated = values(two.score(asked, BatchImages()))
    assert engine(two) is engine(one)
    assert engine(one).image_rows == rows
    assert stated == pytest.approx([2.5 * max(cosine, 0) for cosine in cosines], abs=1e-5)


def test_threads_may_score_at_once(checkpoint: Callable[[str], Path]) -> None:
    judge = _fresh(checkpoint("clip"))
    # Texts of all lengths: how far a tokenizer cuts is a state that threads would fight over.
    batches = [pairs([record(i), record(i + 1)], [*SHORT, " ".join(SENTENCES) * (i + 1)]) for i in range(8)]
    expected = [values(_fresh(checkpoint("clip")).score(batch, BatchImages())) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda batch: values(judge.score(batch, BatchImages())), batches))
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other, abs=2e-6)


def test_half_precision_stays_close(checkpoint: Callable[[str], Path]) -> None:
    asked = pairs([record(i, size) for i, size in enumerate(SIZES)], [*SHORT, *SENTENCES])
    full = np.array(values(scorer(checkpoint("clip")).score(asked, BatchImages())))
    half = np.array(values(scorer(checkpoint("clip"), dtype="bfloat16").score(asked, BatchImages())))
    assert 0 < np.abs(full - half).max() < 0.02
    assert np.corrcoef(full, half)[0, 1] > 0.999


@pytest.mark.parametrize("family", ["siglip", "siglip2"])
def test_a_sigmoid_model_gives_a_probability(family: str, checkpoint: Callable[[str], Path]) -> None:
    folder = checkpoint(family)
    asked = pairs([record(1)], SHORT)
    logits = values(scorer(folder, output="logit").score(asked, BatchImages()))
    judge = scorer(folder, output="probability")
    assert values(judge.score(asked, BatchImages())) == pytest.approx(
        [1 / (1 + math.exp(-logit)) for logit in logits], abs=1e-5
    )
    assert judge.value_range == (0, 1)


def test_others_refuse_to_make_one_up(checkpoint: Callable[[str], Path]) -> None:
    with pytest.raises(UserError, match="output: cosine"):
        _ = scorer(checkpoint("clip"), output="probability").fingerprint


def test_what_is_stated_has_its_range_and_its_fingerprint(checkpoint: Callable[[str], Path]) -> None:
    folder = checkpoint("clip")
    judges = {name: scorer(folder, output=name) for name in ("cosine", "logit", "clipscore")}
    assert {name: j.value_range for name, j in judges.items()} == {
        "cosine": (-1, 1),
        "logit": (None, None),
        "clipscore": (0, 2.5),
    }
    others = [
        scorer(folder, long_text="sentences"),
        scorer(folder, dtype="bfloat16"),
        scorer(folder, prefix="a photo of "),
        scorer(checkpoint("vision_text")),
        *judges.values(),
    ]
    assert len({judge.fingerprint for judge in others}) == len(others)
    assert scorer(folder, batch_size=2).fingerprint == judges["cosine"].fingerprint


@pytest.mark.parametrize("family", ["clip", "siglip", "altclip", "align"])
def test_what_the_model_did_not_see_of_a_text_is_counted(
    family: str, checkpoint: Callable[[str], Path]
) -> None:
    judge = scorer(checkpoint(family))
    text = " ".join(SENTENCES * 8)
    raw = AutoTokenizer.from_pretrained(checkpoint(family))
    tokens = len(raw(text, add_special_tokens=False)["input_ids"])
    limit = {"clip": 24, "siglip": 16, "altclip": 24, "align": 64}[family]
    (score,) = judge.score([(record(1), caption(text))], BatchImages())
    assert score.reason == f"{tokens - (limit - 2)} of {tokens} tokens unseen"
    seen = str(raw.decode(raw(text, add_special_tokens=False)["input_ids"][: limit - 2]))
    (same,) = judge.score([(record(1), caption(seen))], BatchImages())
    assert same.reason is None
    assert same.value == pytest.approx(score.value, abs=2e-6)


def test_a_text_that_just_fits_is_whole(checkpoint: Callable[[str], Path]) -> None:
    judge = scorer(checkpoint("clip"))
    raw = AutoTokenizer.from_pretrained(checkpoint("clip"))
    ids = raw(" ".join(SENTENCES), add_special_tokens=False)["input_ids"]
    for length, reason in ((22, None), (23, "1 of 23 tokens unseen")):
        (score,) = judge.score([(record(1), caption(str(raw.decode(ids[:length]))))], BatchImages())
        assert score.reason == reason


def test_a_long_text_changes_nothing_for_its_neighbours(checkpoint: Callable[[str], Path]) -> None:
    asked = pairs([record(1)], SHORT)
    alone = values(_fresh(checkpoint("clip")).score(asked, BatchImages()))
    long = (record(1), caption(" ".join(SENTENCES * 8)))
    beside = values(_fresh(checkpoint("clip")).score([*asked, long], BatchImages()))
    assert beside[:-1] == pytest.approx(alone, abs=2e-6)


def test_long_texts_can_be_seen_by_sentence(checkpoint: Callable[[str], Path]) -> None:
    sentences = ["A red ball lies near a fence.", "Two cats sleep on a sofa.", "The sky behind it is orange!"]
    judge = scorer(checkpoint("clip"), long_text="sentences")
    each = values(judge.score(pairs([record(1)], sentences), BatchImages()))
    (score,) = judge.score(pairs([record(1)], [" ".join(sentences)]), BatchImages())
    assert score.reason == "mean of 3 sentences"
    assert score.value == pytest.approx(sum(each) / 3, abs=2e-6)
    (turned,) = judge.score(pairs([record(1)], [" ".join(reversed(sentences))]), BatchImages())
    assert turned.value == pytest.approx(score.value, abs=2e-6)
    whole = values(scorer(checkpoint("clip")).score(pairs([record(1)], SHORT), BatchImages()))
    assert values(judge.score(pairs([record(1)], SHORT), BatchImages())) == whole


def test_a_sentence_that_is_itself_too_long_is_said_to_be(checkpoint: Callable[[str], Path]) -> None:
    text = f"Two cats sleep on it. {' and '.join([SENTENCES[0]] * 4).capitalize()}."
    (score,) = scorer(checkpoint("clip"), long_text="sentences").score(
        pairs([record(1)], [text]), BatchImages()
    )
    assert score.value is not None
    assert score.reason is not None
    assert score.reason.startswith("mean of 2 sentences; ")
    assert score.reason.endswith("tokens unseen")


def test_the_prefix_of_clipscore_is_part_of_the_text(checkpoint: Callable[[str], Path]) -> None:
    asked = pairs([record(1)], SHORT)
    stated = values(scorer(checkpoint("clip"), output="clipscore").score(asked, BatchImages()))
    written = pairs([record(1)], [f"A photo depicts {text}" for text in SHORT])
    cosines = values(scorer(checkpoint("clip")).score(written, BatchImages()))
    assert stated == pytest.approx([2.5 * max(cosine, 0) for cosine in cosines], abs=1e-5)


# Cosines that give the values published with the metric's own example: 2.5 times the cosine, nothing below zero.
@pytest.mark.parametrize(
    ("cosine", "expected"), [(0.34336, 0.8584), (0.28612, 0.7153), (-0.2, 0.0), (1.0, 2.5)]
)
def test_clipscore_is_its_formula(cosine: float, expected: float, checkpoint: Callable[[str], Path]) -> None:
    assert scorer(checkpoint("clip"), output="clipscore")._value(cosine) == pytest.approx(expected, abs=1e-4)


class Broken(BatchImages):
    """Images that cannot be decoded at the moment."""

    def pixels(self, record: Record) -> Any:
        raise ImageError("too little memory at the moment", retryable=True)


def test_bad_pairs_are_values_and_spare_their_neighbours(checkpoint: Callable[[str], Path]) -> None:
    judge = scorer(checkpoint("clip"))
    good = (record(1), caption("two cats"))
    asked: list[tuple[Record, Caption]] = [
        (record(1), caption("  \n ")),
        good,
        (Record(key="none"), caption("two cats")),
        (Record(key="torn", image=Image(data=picture(3)[:300])), caption("two cats")),
        (Record(key="url", image=Image(url="https://example.org/a.jpg")), caption("two cats")),
        (record(1), caption("\ud800 \x00 \u202e cats" + "x" * 50_000)),
        good,
    ]
    scores = judge.score(asked, BatchImages())
    assert [score.value is None for score in scores] == [True, False, True, True, True, False, False]
    reasons = [score.reason or "" for score in scores]
    assert reasons[0] == "the text is empty"
    assert all(reasons[i].startswith("image: ") for i in (2, 3, 4))
    assert scores[1] == scores[6]
    assert judge.score([], BatchImages()) == []
    (later,) = judge.score([(record(99), caption("two cats"))], Broken())
    assert later.reason == "image: too little memory at the moment"


@pytest.mark.parametrize("size", [(2000, 1), (1, 2000), (1, 1)])
def test_a_sliver_is_not_blown_up(size: tuple[int, int], checkpoint: Callable[[str], Path]) -> None:
    judge = scorer(checkpoint("clip"))
    prepared = engine(judge)._prepared
    array = decode(picture(1, size)).array
    assert prepared([array])["pixel_values"].shape == (1, 3, 32, 32)
    assert values(judge.score([(record(1, size), caption("a line"))], BatchImages()))


@pytest.mark.parametrize("family", ["clip", "siglip", "align"])
def test_images_are_prepared_as_the_processor_would(family: str, checkpoint: Callable[[str], Path]) -> None:
    processor = AutoImageProcessor.from_pretrained(checkpoint(family), backend="pil")
    judge, quick = scorer(checkpoint(family)), scorer(checkpoint(family), dtype="bfloat16")
    rng = np.random.default_rng(0)
    for width, height in (*SIZES, (32, 32), (31, 90), (500, 333)):
        fields = Pillow.fromarray(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8))
        array = np.asarray(fields.resize((width, height), Pillow.Resampling.BICUBIC))
        expected = processor(array, return_tensors="pt")["pixel_values"]
        exact = engine(judge)._prepared([array])["pixel_values"]
        assert torch.allclose(exact, expected, atol=1e-6)
        close = engine(quick)._prepared([array])["pixel_values"]
        level = 1 / 255 / 0.26
        assert float((close - expected).abs().max()) < 2.5 * level
        assert float((close != exact).float().mean()) < 0.2


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "model.safetensors").unlink(), "no weights as safetensors"),
        (lambda f: (f / "model.safetensors").write_bytes(b"\x00" * 64), "model cannot be loaded"),
        (lambda f: (f / "tokenizer.json").write_text("{"), "tokenizer cannot be loaded"),
        (lambda f: (f / "preprocessor_config.json").unlink(), "image processor cannot be loaded"),
    ],
)
def test_a_damaged_model_is_the_users_to_mend(
    damage: Callable[[Path], Any], message: str, tmp_path: Path
) -> None:
    folder = made("clip", tmp_path / "m")
    damage(folder)
    with pytest.raises(UserError, match=message):
        scorer(folder).score(pairs([record(1)], ["a"]), BatchImages())


def test_a_model_that_only_looks_like_a_dual_encoder_ends_the_run(tmp_path: Path) -> None:
    judge = scorer(
        build("BLIP-2", tmp_path)
    )  # the plain class of BLIP-2 has the methods, but no vectors to give
    with pytest.raises(UserError, match="no dual encoder"):
        judge.score(pairs([record(1)], ["a"]), BatchImages())


def test_an_automatic_class_that_wants_torchvision_is_not_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise ImportError("AutoImageProcessor requires the Torchvision library")

    monkeypatch.setattr(AutoImageProcessor, "from_pretrained", refuse)
    assert values(scorer(made("clip", tmp_path / "m")).score(pairs([record(1)], ["a"]), BatchImages()))


def test_weights_that_are_not_in_the_files_are_not_made_up(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = made("clip", tmp_path / "m")
    weights = load_file(folder / "model.safetensors")
    del weights["visual_projection.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match="1 of its weights are not in the files"):
        scorer(folder).score(pairs([record(1)], ["a"]), BatchImages())


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA"),
        RuntimeError("MPS backend out of memory"),
        RuntimeError("can't allocate memory"),
    ],
    ids=["cuda", "mps", "cpu"],
)
def test_memory_that_runs_out_halves_the_batch(
    error: Exception, checkpoint: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = pairs([record(i) for i in range(7)], SHORT)
    expected = values(_fresh(checkpoint("clip")).score(asked, BatchImages()))
    judge = _fresh(checkpoint("clip"))
    model = engine(judge)._model
    whole, most, rows = model.get_image_features, 2, []

    def small(pixel_values: torch.Tensor) -> Any:
        rows.append(len(pixel_values))
        if len(pixel_values) > most:
            raise error
        return whole(pixel_values=pixel_values)

    monkeypatch.setattr(model, "get_image_features", small)
    assert values(judge.score(asked, BatchImages())) == pytest.approx(expected, abs=2e-6)
    assert rows == [7, 3, 1, 2, 4, 2, 2]
    most = 0
    with pytest.raises(BackendError, match="too little memory"):
        judge.score(pairs([record(50)], SHORT), BatchImages())
    monkeypatch.setattr(
        model, "get_image_features", lambda pixel_values: pixel_values @ pixel_values.new_zeros(5)
    )
    with pytest.raises(BackendError, match="the model fails"):
        judge.score(pairs([record(51)], SHORT), BatchImages())


def test_the_embedded_one_tells_the_scenes_of_the_demo_apart() -> None:
    judge = backend("scorers", "embedded", "score.scorers.clip").build()
    assert judge.name.startswith("embedded@")
    renderer, scenes, records = Renderer(), list(sample_scenes(8, seed=5)), []
    for i, scene in enumerate(scenes):
        buffer = io.BytesIO()
        renderer.render(scene).save(buffer, "PNG")
        records.append(Record(key=str(i), image=Image(data=buffer.getvalue())))
    texts = [describe(scene, "dense", 1) for scene in scenes]
    table = np.reshape(values(judge.score(pairs(records, texts), BatchImages())), (8, 8))
    assert (table.argmax(axis=1) == np.arange(8)).sum() >= 7


def test_a_recipe_names_it_by_its_folder_alone(checkpoint: Callable[[str], Path]) -> None:
    found = backend("scorers", str(checkpoint("clip")), "score.scorers.clip")
    assert isinstance(found.build(), DualEncoderScorer)


def test_nothing_heavy_is_imported_before_the_first_question() -> None:
    code = (
        "import sys; from recaption.recipes.backends import backend; "
        "backend('scorers', 'owner/model', 'x').build(); "
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
