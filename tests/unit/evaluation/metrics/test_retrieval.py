"""Retrieval: known values of a small table, ties by lot, chance where texts belong to others."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recaption.core.types import Image, Record
from recaption.datasets.ledger import SqliteLedger
from recaption.evaluation.cosines import deranged
from recaption.evaluation.extract.pools import pool, pools
from recaption.evaluation.measures import Additive, Control, Listing, Remark, Result, Whole
from recaption.evaluation.metrics.retrieval import Retrieval
from recaption.evaluation.metrics.self_retrieval import SelfRetrieval
from tests.unit.evaluation.facts import Texts, made_embeddings, made_pools, made_texts, only_items, unit
from tests.unit.evaluation.small_encoder import SmallEncoder, record, subject, tools

AXES = np.eye(3)
# The check of the design notes: rows are texts, columns are images; scaled to unit length, with a fourth axis that no
# image has, so that the scores of a text keep their order.
TABLE = [(0.30, 0.10, 0.05), (0.20, 0.25, 0.05), (0.10, 0.40, 0.00), (0.35, 0.33, 0.10), (0.12, 0.11, 0.11)]
OWNERS = [0, 0, 1, 1, 2]


def texts_of(table: Sequence[Sequence[float]], owners: Sequence[int]) -> Texts:
    """Unit vectors whose first components are the scores."""
    return [(o, [*row, float(np.sqrt(1 - np.square(row).sum()))]) for o, row in zip(owners, table, strict=True)]


def by_name(results: Sequence[Result]) -> dict[str, Any]:
    named = {one.about.name if isinstance(one, Additive | Whole) else one.name: one for one in results}
    assert len(named) == len(results)
    return named


def value(figure: Additive, column: str = "a") -> float:
    return float(figure.formula(figure.parts[column].sum(axis=0)))


def score(texts: dict[str, Texts], images: Any = None, *, n: int = 3, **more: Any) -> dict[str, Any]:
    seen = np.eye(n, 4) if images is None else images
    return by_name(Retrieval().score(only_items(n), [made_pools(seen, texts, **more)]))


def test_the_small_table_gives_its_known_values() -> None:
    found = score({"a": texts_of(TABLE, OWNERS)})
    # Over texts it is 0.40 (`test_ranks.py`); here every image weighs the same, whatever it has of them.
    assert value(found["recall_at_1.t2i"]) == pytest.approx((1 / 2 + 1 / 2 + 0) / 3)
    assert value(found["recall_at_1.i2t"]) == pytest.approx(0.667, abs=5e-4)
    assert value(found["recall_at_5.t2i"]) == 1
    assert found["recall_at_1.t2i"].parts["a"].tolist() == [[0.5, 1], [0.5, 1], [0, 1]]
    assert found["recall_at_1.i2t"].parts["a"].tolist() == [[0, 1], [1, 1], [1, 1]]
    assert found["median_rank.t2i"].values["a"].value == 2
    assert found["median_rank.i2t"].values["a"].value == 1
    assert value(found["mrr.t2i"]) == pytest.approx((3 / 4 + 3 / 4 + 1 / 2.5) / 3)
    curve = found["recall_curve"]
    assert isinstance(curve, Listing)
    assert curve.header == ("column", "direction", "K = 1", "K = 2")
    assert ("a", "text → image", "40.0 %", "90.0 %") in curve.rows
    assert ("a", "image → text", "66.7 %", "100.0 %") in curve.rows


def test_the_first_encoder_alone_has_the_headline() -> None:
    texts = {"a": texts_of(TABLE, OWNERS)}
    primary = [name for name, one in score(texts).items() if isinstance(one, Additive) and one.about.primary]
    assert primary == ["recall_at_1.t2i"]
    second = score(texts, suffix="@other")
    assert all("@other" in name for name in second)
    assert not any(one.about.primary for one in second.values() if isinstance(one, Additive))


def test_notes_say_how_large_the_pool_is_and_how_many_texts_an_image_has() -> None:
    found = score({"a": texts_of(TABLE, OWNERS), "b": texts_of(TABLE[:1], [0])}, known=[True, True, False])
    note = found["recall_at_1.t2i"].about.note
    assert "among 2 images" in note
    assert "a 2, b 1" in note
    assert "by lot" in note
    assert "1 of 3 images could not be read" in note


def test_a_text_that_all_share_finds_each_image_by_lot() -> None:
    same: Texts = [(i, [1.0, 1.0, 1.0, 0.0]) for i in range(3)]
    found = score({"a": same})
    assert value(found["recall_at_1.t2i"]) == pytest.approx(1 / 3)
    assert value(found["recall_at_1.i2t"]) == pytest.approx(1 / 3)
    assert found["median_rank.t2i"].values["a"].value == 2
    lost, lot, won = next(row for row in found["retrieval_ties"].rows if row[1] == "image → text")[3:]
    assert (lost, lot, won) == ("0.0 %", "33.3 %", "100.0 %")


def test_texts_that_several_items_share_can_be_left_out() -> None:
    texts: Texts = [(0, [1, 0, 0, 0]), (0, [1, 0, 0, 0]), (1, [0, 1, 1, 0]), (2, [0, 1, 1, 0])]
    found = score({"a": texts, "b": texts[:2]})
    assert value(found["recall_at_1.t2i"]) == pytest.approx((1 + 1 / 2 + 1 / 2) / 3)
    assert value(found["recall_at_1_unshared.t2i"]) == 1, "said twice of one image it is still that image's own"
    assert found["recall_at_1_unshared.t2i"].parts["a"].tolist() == [[1, 1], [0, 0], [0, 0]]
    assert "recall_at_1_unshared.t2i" not in score({"b": texts[:2]})


def ceilings(found: dict[str, Any]) -> dict[tuple[str, str], tuple[str, ...]]:
    return {(row[0], row[1]): tuple(row[2:]) for row in found["retrieval_ceiling"].rows}


def test_a_picture_that_stands_under_several_keys_is_said_to_bound_recall() -> None:
    # Items 0, 1 and 2 are one picture, and every text points at its own as well as it can.
    seen = [[1, 0, 0], [1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    texts: Texts = [(0, [9, 1, 0]), (1, [9, 2, 0]), (2, [9, 3, 0]), (3, [0, 1, 0]), (4, [0, 0, 1])]
    found = score({"a": texts}, seen, n=5, pictures=[0, 0, 0, 1, 2])
    # Three texts find one of three copies by lot; three copies all find the same text, which belongs to one of them.
    assert value(found["recall_at_1.t2i"]) == pytest.approx(3 / 5)
    assert value(found["recall_at_1.i2t"]) == pytest.approx(3 / 5)
    assert ceilings(found) == {
        ("a", "text → image"): ("3", "0", "60.0 %"),
        ("a", "image → text"): ("3", "0", "60.0 %"),
    }
    remark = found["recall_bounded"]
    assert isinstance(remark, Remark)
    assert "3 of 5 items share their picture with another item" in remark.text
    assert "a 60.0 % and 60.0 %" in remark.text
    assert "3 share their picture with another" in found["recall_at_1.t2i"].about.note


def test_a_text_that_stands_on_several_pictures_bounds_recall_as_well() -> None:
    texts: Texts = [(0, [1, 0, 0]), (1, [1, 0, 0]), (2, [0, 0, 1])]
    own: Texts = [(i, row) for i, row in enumerate(np.eye(3).tolist())]
    found = score({"a": texts, "b": own}, np.eye(3), pictures=[0, 1, 2])
    assert ceilings(found)["a", "text → image"] == ("0", "2", "66.7 %")
    assert ceilings(found)["b", "image → text"] == ("0", "0", "100.0 %")
    assert value(found["recall_at_1.t2i"]) == pytest.approx(2 / 3)
    assert "2 items of a share their text" in found["recall_bounded"].text
    assert "picture" not in found["recall_bounded"].text


def test_where_nothing_is_there_twice_nothing_bounds_recall() -> None:
    own: Texts = [(i, row) for i, row in enumerate(np.eye(3).tolist())]
    found = score({"a": own}, np.eye(3))
    assert "retrieval_ceiling" not in found
    assert "recall_bounded" not in found


def test_a_bound_just_below_a_hundred_is_not_said_to_be_a_hundred() -> None:
    n = 4000
    angles = np.linspace(0, 1, n)
    seen = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    texts: Texts = [(i, row.tolist()) for i, row in enumerate(seen)]
    found = score({"a": texts}, seen, n=n, pictures=[1, *range(1, n)])
    assert ceilings(found)["a", "text → image"] == ("2", "0", "below 100 %")


def test_the_same_text_on_the_same_picture_is_bounded_once() -> None:
    # Two copies with one text: the text finds either by lot, and so does the picture.
    texts: Texts = [(0, [1, 0]), (1, [1, 0]), (2, [0, 1])]
    found = score({"a": texts}, [[1, 0], [1, 0], [0, 1]], pictures=[0, 0, 1])
    assert value(found["recall_at_1.t2i"]) == pytest.approx(2 / 3)
    assert ceilings(found)["a", "text → image"] == ("2", "2", "66.7 %")
    assert ceilings(found)["a", "image → text"] == ("2", "2", "66.7 %")


def test_a_text_whose_image_could_not_be_read_is_no_competitor() -> None:
    texts: Texts = [(0, [0.5, 0.1, 0, 1]), (1, [0, 1, 0, 0]), (2, [9, 0, 1, 0])]
    assert value(score({"a": texts})["recall_at_1.i2t"]) == pytest.approx(2 / 3)
    found = score({"a": texts}, known=[True, True, False])
    assert value(found["recall_at_1.i2t"]) == 1
    assert found["recall_at_1.i2t"].parts["a"].tolist() == [[1, 1], [1, 1], [0, 0]]


@pytest.mark.parametrize("known", [[True] * 3, [False] * 3])
def test_without_texts_or_images_there_is_a_reason_and_no_figure(known: list[bool]) -> None:
    found = score({"a": [] if known[0] else texts_of(TABLE, OWNERS)}, known=known)
    for one in found.values():
        if isinstance(one, Additive):
            assert not one.parts["a"].any()
        if isinstance(one, Whole):
            assert one.values["a"].value is None
            assert one.values["a"].reason
    assert not any(isinstance(one, Control) for one in found.values())
    assert found["recall_curve"].rows[0][2] == "–"


def test_texts_given_to_other_items_find_them_by_chance() -> None:
    rng = np.random.default_rng(0)
    images = unit(rng.normal(size=(400, 32)))
    good: Texts = [(i, row.tolist()) for i, row in enumerate(images + 0.1 * rng.normal(size=images.shape))]
    same: Texts = [(i, [1.0] * 32) for i in range(400)]
    several: Texts = [pair for pair in good for _ in range(3)]
    found = score({"good": good, "same": same, "several": several}, images, n=400)
    assert value(found["recall_at_1.t2i"], "good") > 0.9
    for column in ("good", "same", "several"):
        control = found[f"chance.t2i.{column}"]
        assert isinstance(control, Control)
        assert control.holds
        assert control.value < 0.02


def test_what_is_found_too_often_is_no_chance() -> None:
    images = np.eye(60)
    wrong = deranged(np.arange(60), seed=0)
    texts: Texts = [(i, images[wrong[i]].tolist()) for i in range(60)]
    control = score({"a": texts}, images, n=60)["chance.t2i.a"]
    assert (control.value, control.holds) == (1.0, False)


def test_images_that_are_there_twice_are_found_by_lot() -> None:
    images = np.eye(30, 60)[np.arange(60) % 30]
    found = score({"a": [(i, images[i].tolist()) for i in range(60)]}, images, n=60)
    assert value(found["recall_at_1.t2i"]) == pytest.approx(1 / 2)
    assert found["chance.t2i.a"].holds


def test_a_large_pool_is_a_seeded_sample() -> None:
    rng = np.random.default_rng(0)
    found = made_embeddings(rng.normal(size=(50, 8)), {})
    texts = made_texts([(i % 50, rng.normal(size=8).tolist()) for i in range(70)])
    some = pool(found.images, texts, seed=3, most=20)
    assert len(some.images) == 20
    assert set(some.owners.tolist()) <= set(some.images.tolist())
    assert len(some.to_image) == len(some.owners) == len(some.texts)
    assert len(some.to_text) == len(some.asked)
    again, other = (pool(found.images, texts, seed=seed, most=20) for seed in (3, 4))
    assert np.array_equal(some.images, again.images)
    assert not np.array_equal(some.images, other.images)


def test_both_metrics_ask_for_ranks_once_and_the_same_facts_give_the_same_figures(tmp_path: Path) -> None:
    colours = {"r": (255, 0, 0), "g": (0, 255, 0), "b": (0, 0, 255)}
    rows = [(record(name, colour), [[name], ["x", name * 2]]) for name, colour in colours.items()]
    torn = Record(key="torn", image=Image(data=b"no image"))
    given = subject([*rows, (torn, [["r"], ["r"]])])
    ledger = SqliteLedger(tmp_path / "calls.sqlite")
    kit = tools(tmp_path, ledger, [SmallEncoder("one"), SmallEncoder("two")])
    metric = Retrieval()
    facts = metric.extract(given, kit)
    assert SelfRetrieval().extract(given, kit).pools[0] is facts[0] is pools(given, "one", kit)
    ledger.close()
    found = by_name(metric.score(given, facts))
    assert value(found["recall_at_1.t2i"], "original") == 1
    # `x` holds no colour, and fits all images alike.
    assert value(found["recall_at_1.t2i"], "new") == pytest.approx((3 + 3 * 1 / 3) / 6, abs=1e-6)
    # One column has two texts an image, so that only first texts are searched: `x` ties with all.
    assert value(found["recall_at_1.i2t@two"], "new") == pytest.approx(1 / 3)
    assert "the first text of each" in found["recall_at_1.i2t"].about.note
    again = by_name(metric.score(given, facts))
    told = [json.dumps({n: getattr(one, "parts", one), "c": one}, default=repr) for n, one in found.items()]
    assert told == [
        json.dumps({n: getattr(one, "parts", one), "c": one}, default=repr) for n, one in again.items()
    ]
