"""Recipes: strict, resolved, digested."""

import pytest
import yaml

from recaption.core.errors import RecipeError, UnknownNameError
from recaption.recipes.recipe import builtin_recipes, load_recipe


def write(tmp_path, text: str) -> str:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("name", sorted(builtin_recipes()))
def test_every_builtin_recipe_resolves_and_reads_back_as_itself(name, tmp_path):
    recipe = load_recipe(name)
    again = load_recipe(write(tmp_path, recipe.to_yaml()))
    assert again.as_dict() == recipe.as_dict()
    assert again.digest == recipe.digest
    assert recipe.description


def test_values_set_on_the_command_line_count_last(tmp_path):
    path = write(tmp_path, "extends: rules\nset: {fit.budget: longclip248, images.max_side_px: 512}\n")
    recipe = load_recipe(path, {"fit.budget": "words", "fit.limit": 9})
    fit = next(s for s in recipe.stages if s.name == "fit")
    assert fit.params.model_dump()["budget"] == "words"
    assert recipe.images.max_side_px == 512
    assert recipe.digest != load_recipe("rules").digest


def test_name_and_description_are_not_part_of_the_work(tmp_path):
    path = write(tmp_path, "extends: text\ndescription: another word for it\n")
    assert load_recipe(path).digest == load_recipe("text").digest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stages: [normalize]", r"stages\[0\].*normalise"),
        ("stagess: [normalise]", r"stagess: unknown key\. Did you mean 'stages'"),
        ("stages:\n- fit: {budgit: clip77}", r"stages\[0\]\.fit\.budgit: unknown key\. Did you mean 'budget'"),
        ("stages:\n- fit: {limit: many}", r"fit\.limit: .*integer.*'many'"),
        ("stages:\n- {normalise: {}, fit: {}}", "one stage per list item"),
        ("description: nothing", "neither `stages` nor `extends`"),
        ("extends: rules\nset: {fitt.budget: words}", "Did you mean 'fit'"),
        ("images: {max_pixel: 3}\nstages: [normalise]", r"images\.max_pixel: unknown key.*max_pixels"),
        ("- a\n- b", "a recipe is a mapping"),
        ("a: [", "not valid YAML"),
        ("a: !!python/object/apply:os.system ['touch canary']", "not valid YAML"),
        ("a: &x [1]\nb: *x", "aliases"),
        ("images: {max_pixels: .nan}\nstages: [normalise]", "max_pixels"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path, text, message):
    with pytest.raises(RecipeError, match=message):
        load_recipe(write(tmp_path, text))
    assert not (tmp_path / "canary").exists()


def test_recipes_that_extend_in_a_circle_are_refused(tmp_path):
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text(yaml.safe_dump({"extends": str(two)}))
    two.write_text(yaml.safe_dump({"extends": str(one)}))
    with pytest.raises(RecipeError, match="circle"):
        load_recipe(str(one))


def test_an_unknown_name_suggests_a_known_one():
    with pytest.raises(UnknownNameError, match="Did you mean 'rules'"):
        load_recipe("rule")


def test_a_missing_file_is_said():
    with pytest.raises(RecipeError, match="no recipe file"):
        load_recipe("nowhere.yaml")
