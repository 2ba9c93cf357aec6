"""Counts are those of the real encoder, for any text."""

import builtins
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.core.errors import MissingExtraError, UserError
from recaption.core.registry import known_names, resolve
from recaption.media import budgets
from recaption.media.budgets import Budget, characters, clip77, longclip248, siglip64, t5_512, words

pytest.importorskip("instant_clip_tokenizer", reason="wheels exist for CPython 3.11 and 3.12")


def test_known_counts_with_start_and_end() -> None:
    # "a photo of a cat" is 320 1125 539 320 2368 in CLIP's vocabulary.
    assert clip77().count("a photo of a cat") == 5 + 2
    assert clip77().count("A  Photo\nof\ta CAT ") == 5 + 2
    assert clip77().count("") == 2
    assert longclip248().count("a photo of a cat") == 7


def test_limits_are_those_of_the_encoders() -> None:
    assert (clip77().limit, longclip248().limit, clip77().specials) == (77, 248, 2)
    assert clip77(limit=40).limit == 40
    assert "instant-clip-tokenizer" in clip77().source


@pytest.mark.parametrize("limit", [0, 2, -5, 78])
def test_a_limit_the_encoder_cannot_have_is_refused(limit: int) -> None:
    with pytest.raises(UserError, match="limit from 3 to 77"):
        clip77(limit=limit)


def test_counts_are_whole_beyond_the_limit() -> None:
    assert clip77().count("dog " * 500) == 502
    assert not clip77().fits("dog " * 76)
    assert clip77().fits("dog " * 75)


def test_composed_and_decomposed_letters_count_alike() -> None:
    assert clip77().count("e\u0301te\u0301 cafe\u0301") == clip77().count("été café")


@pytest.mark.parametrize("text", ["\ud800", "a \udfff b", "\x00", "😀" * 50, "&amp;", "\u202e", "ﬁ", "İ"])
def test_hostile_texts_are_counted(text: str) -> None:
    assert clip77().count(text) > 2


@given(st.lists(st.text(st.characters(exclude_categories=()), max_size=12), max_size=8))
def test_words_between_spaces_count_alone(parts: list[str]) -> None:
    budget = clip77()
    apart = sum(budget.count(part) - 2 for part in parts)
    assert budget.count(" ".join(parts)) - 2 == apart


@given(st.text(max_size=80))
def test_counts_equal_the_tokenizer_itself(text: str) -> None:
    import unicodedata

    from instant_clip_tokenizer import Tokenizer

    global _reference
    _reference = _reference or Tokenizer()
    assert clip77().count(text) == len(_reference.encode(unicodedata.normalize("NFC", text))) + 2


_reference: Any = None


def test_long_texts_count_as_their_words_do() -> None:
    text = "a red dog\non the grass, " * 2000
    assert len(text) > budgets.LONGEST_CAPTION
    assert clip77().count(text) - 2 == 2000 * (clip77().count("a red dog on the grass,") - 2)


def test_a_huge_word_is_counted_in_time_that_grows_with_it() -> None:
    assert clip77().count("中" * 100_000) > 248


def test_many_threads_count_the_same() -> None:
    texts = [f"a photo of {i} cats near tree number {i * 7}" for i in range(400)]
    budget = clip77()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(budget.count, texts)) == budget.count_many(texts)


def test_every_budget_of_the_registry_resolves() -> None:
    for name in known_names("budgets"):
        assert callable(resolve("budgets", name))


def test_words_and_characters() -> None:
    assert words(limit=3).count("a dog – on 3.5 don't") == 5
    assert words(limit=3).count("一只猫 and a dog") == 6
    assert words(limit=9).count("... – _ !") == 0
    assert characters(limit=5).count("ab c") == 4
    assert characters(limit=5).fits("abcde")
    assert not characters(limit=5).fits("abcdef")


@pytest.mark.parametrize("factory", [words, characters])
def test_words_and_characters_need_a_limit_and_no_tokenizer(factory: Any) -> None:
    with pytest.raises(UserError, match="needs a limit"):
        factory()
    with pytest.raises(UserError, match="needs a limit"):
        factory(limit=0)
    with pytest.raises(UserError, match="uses no tokenizer"):
        factory(limit=5, tokenizer="x")


def test_without_its_library_clip_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(budgets, "_clip_counter", _absent)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match=r"recaption\[hf\]"):
        clip77()


def _absent() -> Any:
    raise ImportError("no wheel for this Python")


@pytest.mark.parametrize("factory", [siglip64, t5_512])
def test_a_tokenizer_that_is_not_there_is_named_with_the_way_to_get_it(
    factory: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError, match=r"hf download google.*tokenizer\.json.*tokenizer:"):
        factory()
    with pytest.raises(UserError, match="no tokenizer of 'no such/repo/at all'"):
        factory(tokenizer="no such/repo/at all")


def test_a_folder_without_a_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no tokenizer\.json in"):
        siglip64(tokenizer=str(tmp_path))


def test_a_tokenizer_file_without_the_library_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "tokenizer.json"
    file.write_text("{}")
    real_import = builtins.__import__

    def no_tokenizers(name: str, *rest: Any) -> Any:
        if name == "tokenizers":
            raise ImportError(name)
        return real_import(name, *rest)

    monkeypatch.setattr(builtins, "__import__", no_tokenizers)
    with pytest.raises(MissingExtraError, match=r"recaption\[hf\]"):
        t5_512(tokenizer=str(file))


@pytest.fixture
def tokenizer_file(tmp_path: Path) -> Path:
    """A tiny real tokenizer that adds an end token, and whose file asks for truncation and padding."""
    library = pytest.importorskip("tokenizers", reason="the `hf` extra is not installed")
    vocabulary = {"[UNK]": 0, "</s>": 1, "a": 2, "dog": 3, "cat": 4}
    tokenizer = library.Tokenizer(library.models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = library.pre_tokenizers.Whitespace()
    tokenizer.post_processor = library.processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=4)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return tmp_path / "tokenizer.json"


def test_a_given_tokenizer_counts_whole_texts(tokenizer_file: Path) -> None:
    assert json.loads(tokenizer_file.read_text())["truncation"]["max_length"] == 4
    for place in (tokenizer_file, tokenizer_file.parent):
        budget = siglip64(tokenizer=str(place))
        assert budget.count_many(["", "a dog", "a dog " * 50, "\ud800"]) == [1, 3, 101, 2]
        assert (budget.limit, budget.specials) == (64, 1)
        assert "tokenizer.json" in budget.source


def test_clip_may_count_with_a_given_tokenizer(tokenizer_file: Path) -> None:
    assert clip77(tokenizer=str(tokenizer_file)).count("a dog") == 3


def test_a_file_that_is_no_tokenizer_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers", reason="the `hf` extra is not installed")
    bad = tmp_path / "tokenizer.json"
    bad.write_text('{"model": 3}')
    with pytest.raises(UserError, match="not a tokenizer file"):
        t5_512(tokenizer=str(bad))


def test_a_budget_is_a_plain_value() -> None:
    assert clip77() == clip77()
    assert isinstance(clip77(), Budget)
