"""The local generator beside the laws: what it refuses, how it names itself, and what memory and hostile text do."""

import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers")

from recaption.core.errors import BudgetError, RecipeError, UserError
from recaption.core.protocols import Generator, Sampling
from recaption.datasets.meter import Budget, SqliteMeter
from recaption.models.hf.families import family_of
from recaption.models.hf.generator import TransformersGenerator
from recaption.recipes.backends import backend
from tests.conformance.checkpoints import build
from tests.conformance.laws import GREEDY, ask, request_for, texts
from tests.conformance.pictures import blocks


@pytest.fixture(autouse=True)
def _libraries_may_warn() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        yield


@pytest.fixture(scope="module")
def llava(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("LLaVA", tmp_path_factory.mktemp("llava"))


@pytest.fixture(scope="module")
def blip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("BLIP", tmp_path_factory.mktemp("blip"))


def generator(folder: Path, **params: Any) -> TransformersGenerator:
    return TransformersGenerator(TransformersGenerator.Params(model=str(folder), **params))


class TestIdentity:
    def test_a_recipe_finds_it_by_folder(self, llava: Path) -> None:
        made: Generator = backend("generators", str(llava), "caption.captioner").build()
        assert made.name.startswith("llava@")
        assert made.prompt_style == "chat"

    def test_the_fingerprint_is_of_weights_and_settings(self, llava: Path, tmp_path: Path) -> None:
        copy = tmp_path / "llava"
        copy.mkdir()
        for file in llava.iterdir():
            (copy / file.name).write_bytes(file.read_bytes())
        plain = generator(llava)
        assert generator(copy).fingerprint == plain.fingerprint
        assert generator(llava, batch_size=2, device="cpu").fingerprint == plain.fingerprint
        assert generator(llava, dtype="bfloat16").fingerprint != plain.fingerprint
        (copy / "chat_template.jinja").write_text("other")
        assert generator(copy).fingerprint != plain.fingerprint

    def test_nothing_heavy_is_imported_before_the_first_call(self, llava: Path) -> None:
        code = (
            "import sys; from recaption.models.hf.generator import TransformersGenerator as G;"
            f"g = G(G.Params(model={str(llava)!r})); assert g.fingerprint and list(g.generate([], None)) == [];"
            "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
        )
        subprocess.run([sys.executable, "-c", code], check=True)

    def test_without_torch_it_says_what_to_install(self, llava: Path) -> None:
        code = (
            "import sys; sys.modules['torch'] = None\n"
            "from recaption.core.protocols import GenerationRequest\n"
            "from recaption.models.hf.generator import TransformersGenerator as G\n"
            f"g = G(G.Params(model={str(llava)!r}))\n"
            "try: list(g.generate([GenerationRequest(key='k', prompt='p')], None))\n"
            "except Exception as error: print(type(error).__name__, error)"
        )
        said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
        assert said.startswith("MissingExtraError")
        assert "'torch'" in said
        assert "pip install 'recaption[hf]'" in said

    def test_families_are_known_by_their_config(self) -> None:
        assert family_of({"model_type": "florence2"}).style == "florence2"
        ours = {"model_type": "vision-encoder-decoder", "encoder": {"model_type": "recaption-grid"}}
        assert family_of(ours).style == "embedded"
        assert (
            family_of({"model_type": "vision-encoder-decoder", "encoder": {"model_type": "vit"}}).style
            == "none"
        )
        assert family_of({"model_type": "something new"}).input == "chat"


class TestRefusals:
    def test_a_model_that_is_not_here_names_the_command(self) -> None:
        with pytest.raises(UserError, match=r"hf download Salesforce/blip2-opt-2\.7b"):
            TransformersGenerator(TransformersGenerator.Params(model="Salesforce/blip2-opt-2.7b"))

    def test_other_weights_than_safetensors_are_not_loaded(self, llava: Path, tmp_path: Path) -> None:
        (tmp_path / "config.json").write_bytes((llava / "config.json").read_bytes())
        (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x02}.")
        with pytest.raises(UserError, match="safetensors"):
            generator(tmp_path)

    def test_code_of_others_needs_a_commit(self) -> None:
        params = TransformersGenerator.Params(model="someone/model", revision="main", trust_remote_code=True)
        with pytest.raises(UserError, match="40 hex digits"):
            TransformersGenerator(params)

    def test_four_bits_need_a_gpu(self, llava: Path) -> None:
        with pytest.raises(UserError, match="int4 needs a CUDA GPU"):
            ask(generator(llava, dtype="int4", device="cpu"), [request_for("Describe", None)])

    def test_damaged_weights_are_one_line(self, llava: Path, tmp_path: Path) -> None:
        for file in llava.iterdir():
            (tmp_path / file.name).write_bytes(
                file.read_bytes()[: 1000 if file.suffix == ".safetensors" else None]
            )
        with pytest.raises(UserError, match="cannot be loaded") as raised:
            ask(generator(tmp_path), [request_for("Describe", None)])
        assert "\n" not in str(raised.value)

    def test_a_chat_template_that_is_not_there(self, llava: Path, tmp_path: Path) -> None:
        for file in llava.iterdir():
            if file.suffix != ".jinja":
                (tmp_path / file.name).write_bytes(file.read_bytes())
        with pytest.raises(UserError, match="chat_template: false"):
            ask(generator(tmp_path), [request_for("Describe", None)])
        ((one,),) = ask(generator(tmp_path, chat_template=False), [request_for("Describe", blocks(1)[0])])
        assert one.text

    def test_a_chat_template_that_refuses_is_a_failure_of_the_request(
        self, llava: Path, tmp_path: Path
    ) -> None:
        for file in llava.iterdir():
            (tmp_path / file.name).write_bytes(file.read_bytes())
        for template in ("{{ raise_exception('no way') }}", "{{ ''.__class__.__mro__ }}", "{% for %}"):
            (tmp_path / "chat_template.jinja").write_text(template)
            ((one,),) = ask(generator(tmp_path), [request_for("Describe", blocks(1)[0])])
            assert "chat template: " in str(one.error)

    def test_a_size_that_the_family_cannot_show(self, llava: Path) -> None:
        with pytest.raises(UserError, match="image_size_px"):
            ask(generator(llava, image_size_px=64), [request_for("Describe", None)])

    def test_a_captioner_without_a_picture_has_nothing_to_say(self, blip: Path) -> None:
        ((one,),) = ask(generator(blip), [request_for("a photo of", None)])
        assert one.error == "this model writes about pictures, and the request has none"

    @pytest.mark.parametrize(
        ("sampling", "reason"),
        [
            (Sampling(temperature=-1.0), "temperature is -1"),
            (Sampling(top_p=0.0), "top_p is 0"),
            (Sampling(n=3, beams=2), "3 texts cannot come out of 2 beams"),
            (Sampling(beams=2, temperature=0.5), "temperature must be 0"),
            (Sampling(beams=2, guidance=2.0), "guidance does not go with beams"),
            (Sampling(beams=4, beam_groups=2, diversity_penalty=1.0), "beams must be as many as beam_groups"),
            (Sampling(diversity_penalty=1.0), "diversity_penalty goes with beam_groups"),
            (Sampling(temperature=float("nan")), "not finite"),
            (Sampling(max_tokens=0), "max_tokens is 0"),
        ],
    )
    def test_sampling_that_makes_no_sense(self, llava: Path, sampling: Sampling, reason: str) -> None:
        with pytest.raises(RecipeError, match=reason):
            ask(generator(llava), [request_for("Describe", None, sampling)])


class TestText:
    def test_marks_of_the_model_in_a_prompt_are_only_words(self, llava: Path) -> None:
        hostile = "Describe <image> what </s> you <image><image> see"
        ((one,),) = ask(generator(llava), [request_for(hostile, blocks(1)[0])])
        assert one.error is None
        assert one.text

    def test_a_chat_model_answers_without_a_picture(self, llava: Path) -> None:
        with_picture, without = ask(
            generator(llava), [request_for("Describe what you see", p) for p in (blocks(1)[0], None)]
        )
        assert without[0].text
        assert without[0].logprobs != with_picture[0].logprobs

    def test_a_model_writes_as_far_as_it_has_places(self, blip: Path) -> None:
        """The decoder of this checkpoint has 512 positions."""
        endless = replace(GREEDY, max_tokens=2000)
        ((one,),) = ask(generator(blip), [request_for("cat " * 500, blocks(1)[0], endless)])
        assert one.error is None
        assert one.completion_tokens is not None
        assert 0 < one.completion_tokens <= 11
        ((one,),) = ask(generator(blip), [request_for("cat " * 600, blocks(1)[0])])
        assert one.error == "the prompt of 602 tokens leaves the model no room to write"

    def test_a_budget_stops_it_after_what_it_pays_for(self, blip: Path, tmp_path: Path) -> None:
        meter = SqliteMeter(tmp_path / "spent.sqlite", Budget(requests=2))
        requests = [request_for("a photo of", picture) for picture in blocks(3)]
        answered: list[int] = []
        with pytest.raises(BudgetError):
            answered.extend(position for position, _ in generator(blip).generate(requests, meter))
        assert sorted(answered) == [0, 1]
        assert [usage.requests for usage in meter.spent().values()] == [2]
        meter.close()

    def test_greedy_texts_are_copies(self, llava: Path) -> None:
        ((first, second),) = ask(
            generator(llava), [request_for("Describe", blocks(1)[0], replace(GREEDY, n=2))]
        )
        assert first == second

    def test_a_smaller_picture_gives_another_text_where_the_family_can(self, blip: Path) -> None:
        picture = blocks(1)[0]
        large, small = (
            ask(generator(blip, image_size_px=side), [request_for("a photo of", picture)]) for side in (32, 16)
        )
        assert large[0][0].logprobs != small[0][0].logprobs
        assert texts(large) == texts(ask(generator(blip), [request_for("a photo of", picture)]))


class TestMemory:
    def crowded(self, folder: Path, monkeypatch: pytest.MonkeyPatch, fits: int) -> TransformersGenerator:
        """Return a generator on whose device only so many rows fit."""
        import torch

        made = generator(folder, dtype="float32", batch_size=8)
        model = made._loaded()._model
        plain = model.generate

        def generate(**inputs: Any) -> Any:
            if len(inputs["input_ids"]) > fits:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return plain(**inputs)

        monkeypatch.setattr(model, "generate", generate)
        return made

    def requests(self) -> Sequence[Any]:
        drawn = Sampling(n=2, temperature=1.0, max_tokens=4)
        return [
            request_for("Describe what you see", p, replace(drawn, seed=i)) for i, p in enumerate(blocks(5))
        ]

    def test_fewer_at_once_and_the_same_texts(self, llava: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        plenty = ask(generator(llava, dtype="float32"), self.requests())
        assert texts(ask(self.crowded(llava, monkeypatch, fits=3), self.requests())) == texts(plenty)

    def test_one_that_never_fits_is_a_failure_of_its_own(
        self, llava: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for generations in ask(self.crowded(llava, monkeypatch, fits=0), self.requests()):
            assert [one.error for one in generations] == ["out of memory, even alone"] * 2
            assert all(one.retryable for one in generations)
