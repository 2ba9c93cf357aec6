"""The laws, on tiny checkpoints of the real classes; and what is a law for local models alone.

A few families of different make run by default, all of them with `-m slow`.
"""

import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("transformers")

from recaption.core.protocols import Sampling
from recaption.models.hf.generator import TransformersGenerator
from tests.conformance.checkpoints import FAMILIES, build
from tests.conformance.laws import GREEDY, PROMPTS, GeneratorLaws, ask, request_for, texts
from tests.conformance.pictures import blocks

QUICK = ("BLIP", "ViT-GPT2", "LLaVA-NeXT", "Qwen2.5-VL")


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("checkpoints")


@pytest.fixture(
    scope="class", params=[f if f in QUICK else pytest.param(f, marks=pytest.mark.slow) for f in FAMILIES]
)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="class")
def folder(family: str, checkpoints: Path) -> Path:
    return build(family, checkpoints)


@pytest.fixture(scope="class")
def generator(folder: Path) -> TransformersGenerator:
    return TransformersGenerator(TransformersGenerator.Params(model=str(folder), dtype="float32", batch_size=8))


@pytest.fixture(autouse=True)
def _libraries_may_warn() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        yield


class TestTransformers(GeneratorLaws):
    def test_captions_and_log_probabilities_are_those_of_the_plain_loop(
        self, generator: TransformersGenerator, folder: Path
    ) -> None:
        from recaption.models.hf.families import family_of
        from recaption.models.hf.identity import find_model
        from recaption.models.hf.loading import load_processor
        from tests.conformance.reference import Reference

        files = find_model(str(folder))
        processor = load_processor(files, family_of(files.config), trust_remote_code=False)
        reference = Reference(folder, processor)
        prompt = PROMPTS[generator.prompt_style][0]
        pictures = blocks(3)
        for picture, (one,) in zip(
            pictures, ask(generator, [request_for(prompt, p) for p in pictures]), strict=True
        ):
            text, logprobs = reference.caption(prompt, picture)
            assert one.text == text
            assert one.logprobs is not None
            assert [round(v, 3) for v in logprobs] == pytest.approx(one.logprobs, abs=2e-3)

    def test_the_picture_matters(self, generator: TransformersGenerator) -> None:
        prompt = PROMPTS[generator.prompt_style][0]
        answers = ask(generator, [request_for(prompt, picture) for picture in blocks(4)])
        assert len({one.logprobs for (one,) in answers}) == 4

    def test_a_picture_is_seen_once_for_all_texts_and_prompts(self, generator: TransformersGenerator) -> None:
        before, pictures = generator.encodes, blocks(2)
        drawn = Sampling(n=2, temperature=1.0, max_tokens=4)
        prompts = PROMPTS[generator.prompt_style]
        ask(generator, [request_for(prompt, picture, drawn) for picture in pictures for prompt in prompts])
        assert generator.encodes - before == 2
        assert [picture.decodes for picture in pictures] == [1, 1]

    def test_guidance_of_one_is_none_and_more_is_felt(self, generator: TransformersGenerator) -> None:
        prompt, drawn = PROMPTS[generator.prompt_style][0], Sampling(n=2, temperature=1.0, max_tokens=6)
        plain, one, more = (
            ask(generator, [request_for(prompt, p, replace(drawn, guidance=g)) for p in blocks(2)])
            for g in (1.0, 1.0000001, 60.0)
        )
        assert texts(plain) == texts(one)
        assert texts(plain) != texts(more)

    def test_beams_are_searched(self, generator: TransformersGenerator) -> None:
        prompt = PROMPTS[generator.prompt_style][0]
        beams = replace(GREEDY, beams=3, n=2)
        requests = [request_for(prompt, picture, beams) for picture in blocks(2)]
        together = ask(generator, requests)
        assert texts(together) == [texts(ask(generator, [request]))[0] for request in requests]
        for first, second in together:
            assert first.text != second.text
            assert first.logprobs is not None
            assert len(first.logprobs) == first.completion_tokens

    def test_diverse_beams_keep_apart(self, generator: TransformersGenerator) -> None:
        prompt = PROMPTS[generator.prompt_style][0]
        apart = replace(GREEDY, beams=3, beam_groups=3, n=3, diversity_penalty=1000.0)
        requests = [request_for(prompt, picture, apart) for picture in blocks(2)]
        together = ask(generator, requests)
        assert texts(together) == [texts(ask(generator, [request]))[0] for request in requests]
        greedy = ask(generator, [request_for(prompt, picture) for picture in blocks(2)])
        for generations, (plain,) in zip(together, greedy, strict=True):
            assert generations[0].text == plain.text
            assert len({one.logprobs for one in generations}) == 3

    @pytest.mark.parametrize("dtype", ["bfloat16", "int8"])
    def test_it_runs_in_other_formats(self, folder: Path, dtype: str) -> None:
        generator = TransformersGenerator(TransformersGenerator.Params(model=str(folder), dtype=dtype))
        prompt = PROMPTS[generator.prompt_style][0]
        for (one,) in ask(generator, [request_for(prompt, picture) for picture in blocks(2)]):
            assert one.error is None
            assert one.completion_tokens
