"""The laws, on the generator that has no model."""

import pytest

from recaption.core.protocols import Generator
from recaption.models.scripted import ScriptedGenerator
from tests.conformance.laws import GeneratorLaws


class TestTruthful(GeneratorLaws):
    @pytest.fixture
    def generator(self) -> Generator:
        return ScriptedGenerator(ScriptedGenerator.Params())


class TestMixed(GeneratorLaws):
    @pytest.fixture
    def generator(self) -> Generator:
        mix = {"truthful": 2, "hallucinating": 1, "rambling": 1, "boilerplate": 1, "other_language": 1}
        return ScriptedGenerator(ScriptedGenerator.Params.model_validate({"behaviour": mix, "seed": 3}))
