"""Models in recipes: what a wrong word is told."""

import pytest

from recaption.core.errors import RecipeError
from recaption.recipes.backends import backend


@pytest.mark.parametrize(
    ("kind", "word", "told"),
    [
        ("generators", "", "it is empty"),
        ("generators", "embeded", "Did you mean 'embedded'"),
        ("generators", "hf=owner/model", "unknown generator 'hf'"),
        ("generators", "clip=owner/model", "unknown generator 'clip'"),
        ("scorers", "clop=owner/model", "Did you mean 'clip'"),
        ("scorers", "http://host/v1#model", "scorers work on this machine"),
        ("generators", "http://host/v1", "says no model"),
    ],
)
def test_a_wrong_word_is_told_what_is_wrong_with_it(kind, word, told):
    with pytest.raises(RecipeError, match=rf"^here: .*{told}"):
        backend(kind, word, "here")


def test_a_folder_may_have_an_equals_sign_in_its_name(tmp_path):
    folder = tmp_path / "rate=1" / "model"
    folder.mkdir(parents=True)
    assert backend("generators", str(folder), "here").params.model == str(folder)  # type: ignore[attr-defined]
    assert backend("generators", "runs/rate=1/model", "here").name == "transformers"
