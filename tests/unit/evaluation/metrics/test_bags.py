"""Bags of look-alikes: made by the other encoder, scored by this one."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recaption.datasets.ledger import SqliteLedger
from recaption.evaluation.measures import Additive, Listing
from recaption.evaluation.metrics.bags import Bags, BagsFacts, hits_within
from tests.unit.evaluation.facts import Texts, made_embeddings, made_texts, only_items, unit
from tests.unit.evaluation.small_encoder import SmallEncoder, record, subject, tools


def test_hits_count_within_the_own_bag_alone() -> None:
    images = unit(np.eye(6))
    bags = np.array([[3, 0, 5], [1, 4, 2]])
    texts: Texts = [
        (0, [2, 9, 0, 1, 0, 1]),
        (1, [0, 1, 0, 0, 2, 0]),
        (4, [7, 0, 3, 0, 3, 0]),
        (5, [0, 0, 0, 1, 0, 0]),
    ]
    hits, owners = hits_within(made_texts(texts), images, bags, 6)
    assert owners.tolist() == [0, 1, 4, 5]
    assert hits.tolist() == [1, 0, 0.5, 0]


def test_items_without_a_bag_are_not_asked() -> None:
    hits, owners = hits_within(
        made_texts([(0, [1, 0]), (2, [1, 0])]), unit(np.eye(3, 2)), np.array([[0, 1]]), 3
    )
    assert (hits.tolist(), owners.tolist()) == ([1], [0])


@given(st.integers(2, 6), st.integers(0, 10**6))
@settings(max_examples=30)
def test_equal_images_are_told_apart_by_lot(size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    images = np.tile(unit(rng.normal(size=(1, 77))), (size, 1))
    texts = made_texts([(i, rng.normal(size=77).tolist()) for i in range(size)])
    hits, _ = hits_within(texts, images, rng.permutation(size)[None], size)
    assert hits.tolist() == pytest.approx([1 / size] * size)


def test_it_is_said_who_made_the_bags_and_what_chance_is() -> None:
    found = made_embeddings(np.eye(4), {"a": [(0, [1, 0, 0, 0])], "b": []}, known=[True, True, True, False])
    facts = BagsFacts(
        embeddings=found,
        maker="other, float32",
        bags={2: np.array([[0, 1], [2, 3]]), 3: np.zeros((0, 3), dtype=np.int64)},
        closeness={2: 0.71, 3: 0.0},
    )
    figure, listing = Bags().score(only_items(4), [facts])
    assert isinstance(figure, Additive)
    assert figure.about.name == "bag2_recall_at_1"
    for told in ("2 of 4 items in 1 bags made by other, float32", "chance is 50.0 %"):
        assert told in figure.about.note
    assert figure.parts["a"].tolist() == [[1, 1], [0, 0], [0, 0], [0, 0]]
    assert np.isnan(figure.formula(figure.parts["b"].sum(axis=0)))
    assert isinstance(listing, Listing)
    assert list(listing.rows) == [("2", "2", "4", "0.710"), ("3", "0", "0", "–")]


def test_each_encoder_is_given_bags_of_another(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    colours = [tuple(int(c) for c in rng.integers(0, 256, 3)) for _ in range(24)]
    rows = [
        (record(str(i), (r, g, b)), [["a thing"], ["r" * (1 + r // 30) + "g" * (g // 30) + "b" * (b // 30)]])
        for i, (r, g, b) in enumerate(colours)
    ]
    pale = [*rows, (None, [["nothing"], ["nothing"]])]
    given_subject = subject(pale)
    ledger = SqliteLedger(tmp_path / "calls.sqlite")
    kit = tools(tmp_path, ledger, [SmallEncoder("one"), SmallEncoder("two")], bag_sizes=(2, 3))
    metric = Bags()
    facts = metric.extract(given_subject, kit)
    ledger.close()
    assert [one.maker for one in facts] == ["two, float32", "one, float32"]
    found = {
        figure.about.name: figure
        for figure in metric.score(given_subject, facts)
        if isinstance(figure, Additive)
    }
    assert list(found) == [
        "bag2_recall_at_1",
        "bag3_recall_at_1",
        "bag2_recall_at_1@two",
        "bag3_recall_at_1@two",
    ]
    for figure in found.values():
        assert (figure.parts["original"][:, 1] == figure.parts["new"][:, 1]).all(), (
            "the same bags for all columns"
        )
        assert figure.parts["original"][24].tolist() == [0, 0]
        assert (figure.parts["new"].sum(axis=0) >= figure.parts["original"].sum(axis=0)).all()


def test_one_encoder_makes_no_bags(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "calls.sqlite")
    kit = tools(tmp_path, ledger, [SmallEncoder()])
    assert Bags().extract(subject([]), kit) == ()
    ledger.close()
