"""The laws of a generator. Inherit `GeneratorLaws`, give it a `generator`, and every test here runs on it.

    class TestMine(GeneratorLaws):
        @pytest.fixture
        def generator(self): return MyGenerator(MyGenerator.Params(...))

A law about something a generator does not claim among its `capabilities` is skipped. `prompts` may be overridden
where a style of prompt is the generator's own.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from recaption.core.protocols import Generation, GenerationRequest, Generator, Picture, Sampling
from tests.conformance.pictures import Broken, CountingMeter, blocks

__all__ = ["PROMPTS", "GeneratorLaws", "ask", "request_for"]

PROMPTS: dict[str, tuple[str, str]] = {
    "chat": ("Describe what you see", "Say what colour the cat in the picture is"),
    "prefix": ("a photo of", "the large"),
    "none": ("", ""),
    "florence2": ("<CAPTION>", "<DETAILED_CAPTION>"),
    "embedded": ("<brief>", "<dense>"),
    "paligemma": ("Describe the picture", "Say what you see"),
}
"""Two prompts of different length by style."""

GREEDY = Sampling(max_tokens=8)
DRAWN = Sampling(n=3, temperature=1.0, top_p=0.95, max_tokens=8, seed=11)


def request_for(prompt: str, picture: Picture | None, sampling: Sampling = GREEDY) -> GenerationRequest:
    return GenerationRequest(key="test", prompt=prompt, image=picture, sampling=sampling)


def ask(generator: Generator, requests: Sequence[GenerationRequest]) -> list[Sequence[Generation]]:
    """Return the generations of every request, in order; each position must be answered once."""
    answers = list(generator.generate(requests, CountingMeter()))
    assert sorted(position for position, _ in answers) == list(range(len(requests)))
    return [dict(answers)[position] for position in range(len(requests))]


def texts(answers: Sequence[Sequence[Generation]]) -> list[list[str | None]]:
    return [[one.text for one in generations] for generations in answers]


def needs(generator: Generator, *capabilities: str) -> None:
    missing = set(capabilities) - generator.capabilities
    if missing:
        pytest.skip(f"does not claim {', '.join(sorted(missing))}")


class GeneratorLaws:
    """Every generator keeps these."""

    @pytest.fixture
    def prompts(self, generator: Generator) -> tuple[str, str]:
        return PROMPTS[generator.prompt_style]

    @pytest.fixture
    def pictures(self) -> Sequence[Picture]:
        return blocks(4)

    def test_it_says_what_it_is(self, generator: Generator) -> None:
        assert generator.name
        assert generator.fingerprint
        assert generator.in_flight >= 1
        assert generator.capabilities <= {"images", "logprobs", "json", "seed", "beams", "guidance"}

    def test_no_requests_no_answers(self, generator: Generator) -> None:
        assert ask(generator, []) == []

    def test_every_request_gets_as_many_texts_as_it_asks_for(
        self, generator: Generator, prompts: tuple[str, str], pictures: Sequence[Picture]
    ) -> None:
        numbers = [1, 3, 2]
        requests = [
            request_for(prompts[0], picture, replace(DRAWN, n=n))
            for n, picture in zip(numbers, pictures, strict=False)
        ]
        assert [len(generations) for generations in ask(generator, requests)] == numbers

    def test_a_text_or_a_reason(
        self, generator: Generator, prompts: tuple[str, str], pictures: Sequence[Picture]
    ) -> None:
        for generations in ask(generator, [request_for(prompts[0], picture) for picture in pictures]):
            for one in generations:
                assert (one.text is None) == (one.finish_reason in ("error", "refusal"))
                assert (one.error is None) == (one.text is not None)
                assert one.text is None or one.text == one.text.strip()

    def test_alone_or_in_a_batch_is_the_same(
        self, generator: Generator, prompts: tuple[str, str], pictures: Sequence[Picture]
    ) -> None:
        requests = [request_for(prompt, picture) for picture in pictures for prompt in prompts]
        together = ask(generator, requests)
        assert texts(together) == [texts(ask(generator, [request]))[0] for request in requests]

    def test_what_is_drawn_depends_on_the_seed_and_not_on_the_neighbours(
        self, generator: Generator, prompts: tuple[str, str], pictures: Sequence[Picture]
    ) -> None:
        needs(generator, "seed")
        requests = [
            request_for(prompts[i % 2], picture, replace(DRAWN, seed=i)) for i, picture in enumerate(pictures)
        ]
        forth, back = ask(generator, requests), ask(generator, requests[::-1])[::-1]
        alone = [ask(generator, [request])[0] for request in requests]
        assert texts(forth) == texts(back) == texts(alone)

    def test_a_draw_is_the_same_however_many_are_drawn(
        self, generator: Generator, prompts: tuple[str, str], pictures: Sequence[Picture]
    ) -> None:
        needs(generator, "seed")
        three, two = ask(generator, [request_for(prompts[0], pictures[0], replace(DRAWN, n=n)) for n in (3, 2)])
        assert texts([three])[0][:2] == texts([two])[0]

    def test_another_seed_draws_other_texts(
        self, generator: Generator, prompts: tuple[str, str], pictures: Sequence[Picture]
    ) -> None:
        needs(generator, "seed")
        requests = [
            request_for(prompts[0], pictures[0], replace(DRAWN, n=1, temperature=1.5, seed=s)) for s in range(6)
        ]
        assert len({str(found) for found in texts(ask(generator, requests))}) > 1

    def test_the_prompt_is_not_echoed(
        self, generator: Generator, prompts: tuple[str, str], pictures: Sequence[Picture]
    ) -> None:
        for prompt in filter(None, prompts):
            for generations in ask(generator, [request_for(prompt, picture) for picture in pictures]):
                assert all(prompt not in (one.text or "") for one in generations)

    def test_a_limit_of_tokens_is_kept_and_said(
        self, generator: Generator, prompts: tuple[str, str], pictures: Sequence[Picture]
    ) -> None:
        samplings = [replace(GREEDY, max_tokens=most) for most in (1, 4)]
        requests = [request_for(prompts[0], pictures[0], sampling) for sampling in samplings]
        for sampling, generations in zip(samplings, ask(generator, requests), strict=True):
            for one in generations:
                assert one.completion_tokens is None or one.completion_tokens <= sampling.max_tokens
                if one.completion_tokens == sampling.max_tokens:
                    assert one.finish_reason == "length"

    def test_log_probabilities_are_of_the_tokens_written(
        self, generator: Generator, prompts: tuple[str, str], pictures: Sequence[Picture]
    ) -> None:
        needs(generator, "logprobs")
        requests = [request_for(prompts[0], picture, s) for picture in pictures for s in (GREEDY, DRAWN)]
        for generations in ask(generator, requests):
            for one in generations:
                assert one.logprobs is not None
                assert len(one.logprobs) == one.completion_tokens
                assert all(value <= 0 for value in one.logprobs)

    def test_a_bad_picture_is_a_value_and_spoils_nothing(
        self, generator: Generator, prompts: tuple[str, str], pictures: Sequence[Picture]
    ) -> None:
        good = [request_for(prompts[0], picture) for picture in pictures[:2]]
        bad = request_for(prompts[0], Broken(), replace(GREEDY, n=2))
        answers = ask(generator, [good[0], bad, good[1]])
        assert texts([answers[0], answers[2]]) == texts(ask(generator, good))
        assert [one.text for one in answers[1]] == [None, None]
        assert answers[1][0].finish_reason == "error"
        assert answers[1][0].error == "image: damaged JPEG header"
        assert not answers[1][0].retryable

    def test_whoever_stops_listening_can_ask_again(
        self, generator: Generator, prompts: tuple[str, str], pictures: Sequence[Picture]
    ) -> None:
        requests = [request_for(prompts[0], picture) for picture in pictures]
        expected = texts(ask(generator, requests))
        first = generator.generate(requests, CountingMeter())
        next(iter(first))
        del first
        assert texts(ask(generator, requests)) == expected

    def test_several_threads_may_ask(
        self, generator: Generator, prompts: tuple[str, str], pictures: Sequence[Picture]
    ) -> None:
        calls = [[request_for(prompts[i % 2], picture)] * (1 + i % 2) for i, picture in enumerate(pictures)]
        expected = [texts(ask(generator, call)) for call in calls]
        with ThreadPoolExecutor(len(calls)) as pool:
            assert [texts(found) for found in pool.map(lambda call: ask(generator, call), calls)] == expected

    def test_what_was_asked_is_counted(
        self, generator: Generator, prompts: tuple[str, str], pictures: Sequence[Picture]
    ) -> None:
        meter = CountingMeter()
        list(generator.generate([request_for(prompts[0], picture) for picture in pictures], meter))
        assert meter.used.requests >= len(pictures)
