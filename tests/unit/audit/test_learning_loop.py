"""The loop in small: people who know the facts judge samples of captions of which it is known how many are good."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import sqrt

import numpy as np
import pytest

from recaption.audit.judgements import Judgement
from recaption.audit.quality import read_quality
from recaption.audit.sampling import Design, Row, draw_sample
from recaption.audit.sheets import Sheet, ShownCaption
from recaption.demo.auditors import DemoAuditor
from recaption.demo.captions import describe
from recaption.demo.world import sample_scenes

SCENES = 240


@pytest.fixture(scope="module")
def words() -> tuple[Mapping[str, Judgement], Mapping[str, str]]:
    """What an auditor says of every caption, and strata that know a little of it: a third are of other scenes."""
    scenes = list(sample_scenes(SCENES, 5))
    person, rng = DemoAuditor(name="ann", edits=0.0), np.random.default_rng(0)
    said, strata = {}, {}
    for i, scene in enumerate(scenes):
        key, wrong = f"s{i}", i % 3 == 0
        text = describe(scenes[(i + 1) % SCENES] if wrong else scene, "dense", i)
        sheet = Sheet(captions=(ShownCaption(id="a", text=text, role="subject", origin="model"),))
        draft = person.judged(key, sheet, scene)
        assert draft.action in ("accept", "reject")
        said[key] = Judgement(key=key, auditor="ann", kind=draft.action, reason=draft.reason or "")
        strata[key] = "low" if rng.random() < (0.8 if wrong else 0.2) else "high"
    return said, strata


@pytest.mark.parametrize("repeats", [15, pytest.param(400, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("stratified", "design"),
    [
        (False, Design(size=60)),
        (True, Design(size=60)),
        (True, Design(share=0.15, shares={"low": 0.35})),
    ],
)
def test_the_interval_holds_the_share_that_is_good(
    words, stratified: bool, design: Design, repeats: int
) -> None:
    said, strata = words
    truth = sum(word.kind == "accept" for word in said.values()) / SCENES
    assert 0.55 < truth < 0.7
    rows = [Row(key, strata[key] if stratified else "all") for key in said]
    held, values = 0, []
    for seed in range(repeats):
        plan = draw_sample(rows, replace(design, seed=seed))
        found = read_quality([said[item.key] for item in plan.fair], plan).accepted
        held += found.wilson.low <= truth <= found.wilson.high
        assert found.value is not None
        values.append(found.value)
    assert held >= 0.93 * repeats - 2 * sqrt(
        0.93 * 0.07 * repeats
    )  # 93 %, but for the error of so many repeats
    assert np.mean(values) == pytest.approx(truth, abs=0.03)
