"""The Vendi score of embeddings: bounds, equal texts, fair numbers of texts."""

import numpy as np
import pytest

from recaption.evaluation.extract.embeddings import TextVectors
from recaption.evaluation.measures import Whole
from recaption.evaluation.metrics.embedding_vendi import EmbeddingVendi, SpreadFacts
from recaption.evaluation.subject import Item, Subject


def vectors(rows: list[list[float]], owners: list[int] | None = None) -> TextVectors:
    given = np.array(rows, dtype=np.float32).reshape(len(rows), -1)
    places = np.arange(len(rows)) if owners is None else np.array(owners)
    zeros = np.zeros(len(rows), dtype=np.int64)
    return TextVectors(vectors=given, owners=places, ids=places, tokens=zeros, unseen=zeros)


def values(**columns: TextVectors) -> dict[str, float | None]:
    items = tuple(Item(key=str(i), texts=(("x",),) * len(columns)) for i in range(8))
    subject = Subject(columns=tuple(columns), items=items)
    (figure,) = EmbeddingVendi().score(subject, [SpreadFacts("", "e", columns)])
    assert isinstance(figure, Whole)
    return {column: value.value for column, value in figure.values.items()}


def test_equal_texts_are_one_and_unrelated_texts_are_as_many_as_they_are():
    found = values(same=vectors([[1.0, 0, 0, 0]] * 4), different=vectors(np.eye(4).tolist()))
    assert found["same"] == pytest.approx(1 / 4)
    assert found["different"] == pytest.approx(1.0)


def test_columns_are_compared_over_equally_many_texts_one_an_item():
    found = values(few=vectors(np.eye(2).tolist()), many=vectors(np.eye(8).tolist()))
    assert found == {"few": pytest.approx(1.0), "many": pytest.approx(1.0)}
    doubled = vectors([[1.0, 0], [1.0, 0], [0, 1.0], [0, 1.0]], owners=[0, 0, 1, 1])
    assert values(a=doubled)["a"] == pytest.approx(1.0)


def test_one_text_has_no_spread_and_says_so():
    assert values(one=vectors([[1.0, 0.0]]), two=vectors(np.eye(2).tolist()))["one"] is None
