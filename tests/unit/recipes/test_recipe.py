"""Recipes: strict, resolved, digested."""

import io
from typing import get_args

import pytest
import yaml
from PIL import Image as Pillow

from recaption.core import builtins
from recaption.core.errors import RecipeError, UnknownNameError
from recaption.media.images import Limits, decode
from recaption.recipes.recipe import ImageFormat, builtin_recipes, load_recipe


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
        (
            "images: {formats: [JPG]}\nstages: [normalise]",
            r"formats\.0: unknown value 'JPG'\. Did you mean 'JPEG'.*Known: AVIF",
        ),
        ("stages: [normalise]\nstages: [triage]", r"the key 'stages' stands twice.*line 2"),
        ("stages:\n- fit: {limit: 9, budget: words, limit: 8}", r"the key 'limit' stands twice.*line 2"),
        ("stages: [!!bool maybe]", "not valid YAML"),
        ("stages: [!!int '']", "not valid YAML"),
        ("stages: [fit, select, fit]\nset: {fit.limit: 9}", r"set 'fit\.limit': ambiguous.* 2 stages .*'fit'"),
        ("extends: rules\nset: {fit: 5}", r"set 'fit': expected STAGE\.PARAMETER.* takes: budget,"),
        ("extends: rules\nset: {images: 5}", r"set 'images': expected STAGE\.PARAMETER.* takes: formats,"),
        ("extends: rules\nset: {gather.without_image.a: 5}", r"'without_image' is a value"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path, text, message):
    with pytest.raises(RecipeError, match=message):
        load_recipe(write(tmp_path, text))
    assert not (tmp_path / "canary").exists()


def test_a_long_value_is_shown_in_part(tmp_path):
    with pytest.raises(RecipeError, match=r"fit\.limit: .*integer") as caught:
        load_recipe(write(tmp_path, f"stages:\n- fit: {{budget: words, limit: {'x' * 100_000}}}"))
    assert len(str(caught.value)) < 300


def test_a_stage_alone_cannot_be_set():
    with pytest.raises(RecipeError) as caught:
        load_recipe("rules", {"fit": 5})
    assert "--set 'fit': expected STAGE.PARAMETER=VALUE; fit takes: budget, " in str(caught.value)
    assert "Did you mean" not in str(caught.value)


def test_one_more_expert_is_asked_beside_the_default_ones(tmp_path):
    path = write(tmp_path, "stages: [gather]\n")
    (spec,) = load_recipe(path, {"gather.experts.ocr": {}}).stages
    assert spec.params.model_dump()["experts"] == {"pixels": {}, "ocr": {}}
    (spec,) = load_recipe(path, {"gather.experts": {"ocr": {}}}).stages
    assert spec.params.model_dump()["experts"] == {"ocr": {}}
    (spec,) = load_recipe(path).stages
    assert spec.params.model_dump()["experts"] == {"pixels": {}}


def test_values_given_are_not_changed():
    given: dict[str, object] = {"gather.experts": {"pixels": {}}, "gather.experts.ocr": {}}
    load_recipe("rules", given)
    assert given == {"gather.experts": {"pixels": {}}, "gather.experts.ocr": {}}


def test_what_a_recipe_extends_stands_beside_it(tmp_path, monkeypatch):
    (tmp_path / "mine" / "deep").mkdir(parents=True)
    (tmp_path / "mine" / "base.yaml").write_text("extends: deep/first.yml\nset: {fit.limit: 9}\n")
    (tmp_path / "mine" / "deep" / "first.yml").write_text("extends: text\nset: {fit.budget: words}\n")
    (tmp_path / "mine" / "top.yaml").write_text("extends: base.yaml\n")
    monkeypatch.chdir(tmp_path)
    fit = next(s for s in load_recipe("mine/top.yaml").stages if s.name == "fit").params.model_dump()
    assert (fit["budget"], fit["limit"]) == ("words", 9)


def test_a_file_called_like_a_builtin_does_not_stand_in_its_place(tmp_path, monkeypatch):
    (tmp_path / "rules").write_text("stages: [normalise]\n")
    expected = load_recipe("rules")
    monkeypatch.chdir(tmp_path)
    assert load_recipe("rules").digest == expected.digest
    assert len(load_recipe("./rules").stages) == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x" * 5000 + ".yaml", "cannot be read|no recipe file"),
        ("a\0b.yaml", "cannot be read|no recipe file"),
        ("/", "no recipe file"),
        ("x" * 5000, "unknown recipe"),
        ("a\0b", "unknown recipe"),
    ],
)
def test_a_name_that_no_file_can_have_is_refused(name, message):
    with pytest.raises((RecipeError, UnknownNameError), match=message) as caught:
        load_recipe(name)
    assert len(str(caught.value)) < 600


def test_a_recipe_in_another_encoding_is_refused(tmp_path):
    (tmp_path / "latin.yaml").write_bytes("description: caf\xe9\nstages: [normalise]".encode("latin-1"))
    with pytest.raises(RecipeError, match=r"latin\.yaml: not UTF-8"):
        load_recipe(str(tmp_path / "latin.yaml"))


@pytest.mark.parametrize("attribute", ["version", "Params"])
def test_a_stage_that_lacks_what_a_stage_has_is_named(attribute, monkeypatch):
    class Bare:
        version = "1"
        Params = Limits

    setattr(Bare, attribute, None)
    monkeypatch.setattr("recaption.stages.fit.Fit", Bare)
    with pytest.raises(
        RecipeError, match=rf"stages\[2\].*'fit' \({builtins.BUILTINS['stages']['fit']}\).*`{attribute}`"
    ):
        load_recipe("text")


@pytest.mark.parametrize("name", get_args(ImageFormat))
def test_every_format_that_a_recipe_may_allow_can_be_decoded(name):
    Pillow.init()
    assert name in Pillow.OPEN
    if name in Pillow.SAVE:
        buffer = io.BytesIO()
        Pillow.new("RGB", (32, 32), "red").save(buffer, name)
        assert decode(buffer.getvalue(), Limits(formats=(name,))).size[0] >= 32


def test_recipes_that_extend_in_a_circle_are_refused(tmp_path):
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text(yaml.safe_dump({"extends": str(two)}))
    two.write_text(yaml.safe_dump({"extends": str(one)}))
    with pytest.raises(RecipeError, match="circle"):
        load_recipe(str(one))
    one.write_text(yaml.safe_dump({"extends": f"../{tmp_path.name}/one.yaml"}))
    with pytest.raises(RecipeError, match="circle"):
        load_recipe(str(one))


def test_an_unknown_name_suggests_a_known_one():
    with pytest.raises(UnknownNameError, match="Did you mean 'rules'"):
        load_recipe("rule")


def test_a_missing_file_is_said():
    with pytest.raises(RecipeError, match="no recipe file"):
        load_recipe("nowhere.yaml")
