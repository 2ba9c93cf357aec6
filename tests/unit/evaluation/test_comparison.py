"""Columns against the baseline: pairs, intervals, wins, and what counts where a text or a value is missing."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.evaluation.comparison import compared, effects_within, item_values, paired_values
from recaption.evaluation.measures import (
    About,
    Additive,
    Control,
    Listing,
    Result,
    Value,
    Whole,
    mean_parts,
    ratio,
)
from recaption.evaluation.subject import Item, Subject

N = 40


def subject(
    n: int = N, columns: tuple[str, ...] = ("old", "new"), missing: frozenset[int] = frozenset()
) -> Subject:
    """Return items with a text in each column, but for those without one in the last."""
    items = tuple(
        Item(key=str(i), texts=(("a",),) * (len(columns) - 1) + ((() if i in missing else ("b",)),))
        for i in range(n)
    )
    return Subject(columns=columns, items=items, seed=5)


def figure(
    parts: Mapping[str, Sequence[float | None]], *, better: str | None = "higher", pooled: bool = False
) -> Additive:
    about = About(name="x", title="X", group="agreement", better=better)  # type: ignore[arg-type]
    n = len(next(iter(parts.values())))
    return Additive(about=about, parts={c: mean_parts(v, n) for c, v in parts.items()}, pooled=pooled)


def test_a_mean_its_difference_and_who_won():
    rng = np.random.default_rng(0)
    old = rng.normal(0.0, 1.0, N)
    new = old + rng.normal(0.5, 0.1, N)
    (row,) = compared([figure({"old": list(old), "new": list(new)})], subject())
    effect = row.effects["new"]
    assert math.isclose(row.values["old"].value or 0, old.mean())
    assert math.isclose(effect.delta or 0, (new - old).mean())
    assert effect.low is not None
    assert effect.high is not None
    # Paired: the interval of the difference is that of the differences, far narrower than those of the two means.
    spread = (new - old).std() / math.sqrt(N)
    assert abs((effect.high - effect.low) / (2 * 1.96 * spread) - 1) < 0.15
    assert effect.is_clear
    assert (effect.wins, effect.ties, effect.losses) == (N, 0, 0)
    assert effect.n == N


def test_a_column_against_itself_differs_by_exactly_nothing():
    rng = np.random.default_rng(1)
    values = list(rng.normal(size=N))
    (row,) = compared([figure({"old": values, "new": values})], subject())
    effect = row.effects["new"]
    assert (effect.delta, effect.low, effect.high, effect.ties) == (0.0, 0.0, 0.0, N)


def test_only_items_with_both_values_are_compared_and_each_column_keeps_its_own():
    old = [1.0] * 10 + [0.0] * 10
    new: list[float | None] = [None] * 10 + [0.5] * 10
    (row,) = compared([figure({"old": old, "new": new})], subject(20))
    assert row.values["old"].value == 0.5
    assert row.values["new"] == Value(value=0.5, n=10)
    assert row.effects["new"].delta == 0.5  # of the ten items that have both, not 0.0
    assert row.effects["new"].n == 10


def test_a_pooled_share_counts_texts_that_name_nothing_but_not_items_without_a_text():
    invented = {"old": np.array([[0.0, 2.0]] * 10), "new": np.array([[1.0, 2.0]] * 5 + [[0.0, 0.0]] * 5)}
    about = About(name="chair", title="", group="faithfulness", better="lower")
    one = Additive(about=about, parts=invented, pooled=True)
    (row,) = compared([one], subject(10, missing=frozenset({9})))
    effect = row.effects["new"]
    assert effect.n == 9  # five that name something, four that name nothing
    assert effect.delta == 0.5
    assert (effect.wins, effect.ties, effect.losses) == (0, 0, 5)


def test_lower_is_better_where_it_is_said():
    (row,) = compared([figure({"old": [1.0] * N, "new": [0.0] * N}, better="lower")], subject())
    assert row.effects["new"].wins == N


def test_every_column_is_held_against_the_first():
    columns = ("old", "rules", "model")
    one = figure({"old": [0.0] * N, "rules": [1.0] * N, "model": [3.0] * N})
    (row,) = compared([one], subject(columns=columns))
    assert {c: e.delta for c, e in row.effects.items()} == {"rules": 1.0, "model": 3.0}


def test_a_formula_of_many_sums_has_intervals_too():
    def of_three(sums: np.ndarray) -> np.ndarray:
        return np.where(
            sums[..., 2] > 0, sums[..., 0] * sums[..., 1] / np.maximum(sums[..., 2], 1) ** 2, np.nan
        )

    rng = np.random.default_rng(3)
    parts = {c: np.stack([rng.random(N), rng.random(N), np.ones(N)], axis=1) for c in ("old", "new")}
    about = About(name="f", title="", group="references", better="higher")
    (row,) = compared([Additive(about=about, parts=parts, formula=of_three)], subject())
    told = row.values["new"]
    assert told.value is not None
    assert told.low is not None
    assert told.high is not None
    assert told.low < told.value < told.high


def test_nothing_known_is_none_with_a_reason_and_never_nan():
    (row,) = compared([figure({"old": [None] * N, "new": [None] * N})], subject())
    assert row.values["old"].value is None
    assert row.values["old"].reason
    assert row.effects["new"].delta is None
    assert not row.effects["new"].is_clear


def test_figures_of_columns_as_a_whole_have_a_difference_without_an_interval():
    about = About(name="vendi", title="", group="sameness")
    whole = Whole(about=about, values={"old": Value(value=2.0, n=5), "new": Value(value=3.0, n=4)})
    lost = Whole(
        about=about, values={"old": Value(value=2.0, n=5), "new": Value(value=None, n=0, reason="none")}
    )
    first, second = compared([whole, lost], subject())
    assert first.effects["new"].delta == 1.0
    assert first.effects["new"].low is None
    assert second.effects == {}


def test_tables_and_controls_are_no_rows():
    told: list[Result] = [
        Listing(name="a", title="", header=("x",)),
        Control(name="c", title="", value=0, expected="", holds=True),
    ]
    assert compared(told, subject()) == []


def test_no_items_have_no_values():
    (row,) = compared([figure({"old": [], "new": []})], subject(0))
    assert row.values["old"].value is None


def test_a_subset_is_compared_by_itself():
    old = [0.0] * N
    new = [1.0] * (N // 2) + [-1.0] * (N // 2)
    inside = np.arange(N) < N // 2
    assert effects_within([figure({"old": old, "new": new})], subject(), inside, 1)[0]["new"].delta == 1.0
    assert effects_within([figure({"old": old, "new": new})], subject(), ~inside, 1)[0]["new"].delta == -1.0


def test_values_of_items_and_of_pairs():
    one = figure({"old": [1.0, None, 3.0], "new": [2.0, 5.0, None]})
    assert np.isnan(item_values(one, "old")).tolist() == [False, True, False]
    where, before, after = paired_values(one, "new", subject(3))
    assert (where.tolist(), before.tolist(), after.tolist()) == ([0], [1.0], [2.0])


def test_the_mean_over_texts_of_an_item_is_its_value():
    parts = mean_parts([1.0, 3.0, None, 5.0], 3, owners=[0, 0, 1, 2])
    values = ratio(parts)
    assert values[0] == 2.0
    assert math.isnan(values[1])
    assert values[2] == 5.0


@given(
    st.lists(
        st.tuples(st.none() | st.floats(-1e6, 1e6), st.none() | st.floats(-1e6, 1e6)), min_size=1, max_size=30
    )
)
def test_swapping_the_columns_turns_everything_round(pairs: list[tuple[float | None, float | None]]):
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    (there,) = compared([figure({"old": first, "new": second})], subject(len(pairs)))
    (back,) = compared([figure({"old": second, "new": first})], subject(len(pairs)))
    a, b = there.effects["new"], back.effects["new"]
    assert (a.wins, a.losses, a.ties, a.n) == (b.losses, b.wins, b.ties, b.n)
    assert a.wins + a.ties + a.losses == a.n
    if a.delta is None or b.delta is None:
        assert a.delta is b.delta
    else:
        assert a.delta == pytest.approx(-b.delta)


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_the_interval_of_a_paired_difference_covers_the_truth(shift: float):
    """95 % intervals cover 93 to 97 %, but for the error of 300 repeats (1.3 %)."""
    rng = np.random.default_rng(11)
    covered = 0
    for repeat in range(300):
        old = rng.gamma(2.0, 1.0, 120)
        new = old + rng.normal(shift, 0.5, 120)
        one = figure({"old": list(old), "new": list(new)})
        who = Subject(columns=("old", "new"), items=subject(120).items, seed=repeat)
        effect = compared([one], who)[0].effects["new"]
        assert effect.low is not None
        assert effect.high is not None
        covered += effect.low <= shift <= effect.high
    assert 0.91 <= covered / 300 <= 0.985


def test_an_item_weighs_the_same_however_many_texts_it_has():
    """The same value in both columns on every item, 5 old texts or 1: nothing has changed."""
    rng = np.random.default_rng(2)
    values = rng.random(200)
    owners = [i for i in range(200) for _ in range(1 + 4 * (values[i] > 0.5))]
    old = mean_parts([float(values[i]) for i in owners], 200, owners)
    about = About(name="x", title="", group="agreement", better="higher")
    one = Additive(about=about, parts={"old": old, "new": mean_parts(list(values), 200)})
    effect = compared([one], subject(200))[0].effects["new"]
    assert effect.delta == pytest.approx(0.0, abs=1e-12)
    assert effect.ties == 200


def test_a_handful_of_items_has_no_interval_and_so_no_verdict():
    for n, clear in ((19, False), (20, True)):
        (row,) = compared([figure({"old": [0.0] * n, "new": [1.0] * n})], subject(n))
        assert row.effects["new"].delta == 1.0
        assert row.effects["new"].is_clear is clear
        assert (row.values["new"].low is not None) is clear


def test_a_difference_says_what_it_is_the_difference_of():
    old = [1.0] * 30 + [0.2] * 30
    new: list[float | None] = [None] * 30 + [0.1] * 30
    effect = compared([figure({"old": old, "new": new})], subject(60))[0].effects["new"]
    assert [effect.before, effect.after] == pytest.approx([0.2, 0.1])
    assert effect.delta == pytest.approx(-0.1)
