"""The laws, on the captioner that comes with the package."""

from typing import Any

import pytest

pytest.importorskip("transformers")

from recaption.models.hf.embedded import EmbeddedGenerator
from recaption.recipes.backends import backend
from tests.conformance.laws import GeneratorLaws, ask, request_for
from tests.conformance.pictures import blocks


@pytest.fixture(scope="module")
def embedded() -> EmbeddedGenerator:
    return EmbeddedGenerator(EmbeddedGenerator.Params(batch_size=8))


class TestEmbedded(GeneratorLaws):
    @pytest.fixture
    def generator(self, embedded: EmbeddedGenerator) -> EmbeddedGenerator:
        return embedded

    def test_a_recipe_finds_it_by_its_word(self) -> None:
        made = backend("generators", "embedded", "caption.captioner").build()
        assert made.name.startswith("embedded@")
        assert made.prompt_style == "embedded"

    def test_aspects_differ(self, generator: EmbeddedGenerator) -> None:
        picture = blocks(1)[0]
        answers = ask(generator, [request_for(token, picture) for token in ("<brief>", "<text>", "<dense>")])
        assert len({one.text for (one,) in answers}) == 3

    def test_transformers_has_no_cause_to_warn_of_padding(
        self, generator: EmbeddedGenerator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import transformers

        asked: list[bool] = []

        def warn(self: Any, input_ids: Any, attention_mask: Any) -> None:
            asked.append(attention_mask is not None)

        monkeypatch.setattr(transformers.PreTrainedModel, "warn_if_padding_and_no_attention_mask", warn)
        ask(generator, [request_for("<brief>", blocks(1)[0])])
        assert asked
        assert all(asked)
