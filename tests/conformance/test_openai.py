"""The laws, on a model behind a server: one that answers well, and one that fails three calls of ten."""

from collections.abc import Iterator

import pytest

pytest.importorskip("aiohttp")

from recaption.core.protocols import Generator
from recaption.models.openai.generator import OpenAIGenerator
from tests.conformance.laws import GeneratorLaws
from tests.servers.plans import Plan
from tests.servers.running import serving


def _behind(plan: Plan) -> Iterator[Generator]:
    with serving(plan) as (_, url):
        generator = OpenAIGenerator(
            OpenAIGenerator.Params(url=url + "/v1", model="m", backoff_s=0.01, timeout_s=0.5, hang_s=0.1)
        )
        yield generator
        generator.close()


class TestOpenAI(GeneratorLaws):
    @pytest.fixture
    def generator(self) -> Iterator[Generator]:
        yield from _behind(Plan())


class TestOpenAIThatIgnoresN(GeneratorLaws):
    @pytest.fixture
    def generator(self) -> Iterator[Generator]:
        yield from _behind(Plan(ignore_n=True))


class TestOpenAIThatFails(GeneratorLaws):
    @pytest.fixture
    def generator(self) -> Iterator[Generator]:
        # Not empty answers: another draw is asked for after these, as the first would come out empty again.
        faults = ("429", "500", "503", "reset_before_headers", "hang", "half_json")
        yield from _behind(Plan(rates=dict.fromkeys(faults, 0.05), seed=1, hang_s=2.0))
