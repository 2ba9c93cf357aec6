"""The demo's retrieval holds every text against every picture, and breaks ties by lot."""

import io

import numpy as np
import pytest

from recaption.core.types import Image, Record
from recaption.demo.captions import describe
from recaption.demo.render import Renderer
from recaption.demo.retrieval import retrieval
from recaption.demo.world import sample_scenes
from recaption.media.images import BatchImages
from recaption.recipes.backends import backend
from tests.unit.models.hf.scoring_pairs import pairs


def test_the_table_is_what_the_scorer_says_of_every_pair() -> None:
    renderer, scenes, records = Renderer(96), list(sample_scenes(6, seed=5)), []
    for i, scene in enumerate(scenes):
        buffer = io.BytesIO()
        renderer.render(scene).save(buffer, "PNG")
        records.append(Record(key=str(i), image=Image(data=buffer.getvalue())))
    dense = [describe(scene, "dense", 1) for scene in scenes]
    columns = {"dense": dense, "same": ["a scene"] * 6, "holes": ["", *dense[1:4], " ", dense[1]]}
    found = retrieval(records, columns)
    scorer = backend("scorers", "embedded", "x").build()
    for name, texts in columns.items():
        scores = [s.value for s in scorer.score(pairs(records, texts), BatchImages())]
        table = np.array([-1 if s is None else s for s in scores], dtype=np.float64).reshape(6, 6)
        own = np.diagonal(table)
        assert found[name].mean_score == pytest.approx(own.mean(), abs=1e-5)
        for told, rows in ((found[name].to_text, table), (found[name].to_image, table.T)):
            firsts = [row == row.max() for row in rows]
            shares = [first[i] / first.sum() for i, first in enumerate(firsts)]
            assert told == pytest.approx(np.mean(shares), abs=1e-12)
    assert found["same"].to_text == pytest.approx(1 / 6)
