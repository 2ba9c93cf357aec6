"""Parameters are exactly what was meant, or the message says what is not."""

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from recaption.core.errors import RecipeError
from recaption.recipes.strict import StrictModel, validated


class Inner(StrictModel):
    threshold: float = Field(default=0.5, ge=0, le=1)
    language: str = "en"


class Outer(StrictModel):
    budget: str
    limit: int | None = None
    inner: Inner = Inner()
    rules: tuple[Inner, ...] = ()
    by_name: dict[str, Inner | None] = Field(default_factory=dict)


def test_good_values_become_a_model() -> None:
    model = validated(Outer, {"budget": "clip77", "inner": {"threshold": 0.25}}, "r.yaml")
    assert model == Outer(budget="clip77", inner=Inner(threshold=0.25))


@pytest.mark.parametrize(
    ("values", "place", "hint"),
    [
        ({"bugdet": "x", "budget": "y"}, "r.yaml.bugdet", "Did you mean 'budget'?"),
        ({"budget": "x", "inner": {"treshold": 1}}, "r.yaml.inner.treshold", "Did you mean 'threshold'?"),
        (
            {"budget": "x", "rules": [{}, {"langage": "de"}]},
            "r.yaml.rules.1.langage",
            "Did you mean 'language'?",
        ),
        (
            {"budget": "x", "by_name": {"a": {"lang": "de"}}},
            "r.yaml.by_name.a.lang",
            "Did you mean 'language'?",
        ),
    ],
)
def test_unknown_keys_are_refused_with_close_ones_at_any_depth(
    values: dict[str, object], place: str, hint: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        validated(Outer, values, "r.yaml")
    assert f"{place}: unknown key. {hint}" in str(caught.value)


def test_all_faults_are_told_at_once_each_with_its_place() -> None:
    with pytest.raises(RecipeError) as caught:
        validated(Outer, {"limit": "many", "inner": {"threshold": 3}, "extra": 1}, "r.yaml: stages[2].fit")
    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    assert all(line.startswith("r.yaml: stages[2].fit.") for line in lines)
    assert any(".budget: Field required" in line for line in lines)
    assert any(".limit:" in line and "'many'" in line for line in lines)
    assert any(".inner.threshold:" in line and "less than or equal to 1" in line for line in lines)


def test_one_fault_is_told_once() -> None:
    class Chosen(StrictModel):
        prefer: tuple[Inner, ...] = Field(min_length=1)

    with pytest.raises(RecipeError) as caught:
        validated(Chosen, {"prefer": [{"treshold": 1}]}, "r")
    assert str(caught.value).splitlines() == [
        "r.prefer.0.treshold: unknown key. Did you mean 'threshold'? Known: language, threshold."
    ]
    with pytest.raises(RecipeError, match="at least 1 item"):
        validated(Chosen, {"prefer": []}, "r")


def test_an_unknown_choice_is_met_with_close_ones() -> None:
    class Choice(StrictModel):
        mode: Literal["fail", "keep"] = "fail"

    with pytest.raises(RecipeError) as caught:
        validated(Choice, {"mode": "fial"}, "r")
    assert str(caught.value) == "r.mode: unknown value 'fial'. Did you mean 'fail'? Known: fail, keep."


@pytest.mark.parametrize(
    "value",
    ["x" * 10**6, list(range(10**5)), {"a": "b" * 10**6}, 16**10_000],
    ids=["text", "list", "mapping", "number"],
)
def test_a_large_value_is_shown_in_part(value: object) -> None:
    with pytest.raises(RecipeError, match=r"r\.budget") as caught:
        validated(Outer, {"budget": [value]}, "r")
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "nan"])
def test_no_number_is_nan_or_infinite(value: object) -> None:
    with pytest.raises(RecipeError, match="threshold"):
        validated(Inner, {"threshold": value}, "r")


def test_models_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(Inner(), "threshold", 1)  # noqa: B010


VALUES = st.none() | st.integers() | st.text(max_size=8) | st.lists(st.integers())


@given(st.dictionaries(st.text(max_size=8) | st.sampled_from(["budget", "limit", "rules"]), VALUES, max_size=4))
def test_any_mapping_is_a_model_or_a_recipe_error(values: dict[str, object]) -> None:
    try:
        model: Outer | None = validated(Outer, values, "r")
    except RecipeError:
        model = None
    unknown = set(values) - set(Outer.model_fields)
    if unknown or not isinstance(values.get("budget"), str):
        assert model is None
    elif set(values) == {"budget"}:
        assert model == Outer(budget=str(values["budget"]))
