"""Scores of texts about their images: paid for once, NaN with a reason where an image cannot be read."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from recaption.core.errors import BackendError, ImageError
from recaption.core.protocols import Images
from recaption.core.types import Caption, Image, Record, Score
from recaption.datasets.ledger import SqliteLedger
from recaption.evaluation.extract.pair_scores import pair_scores
from recaption.evaluation.measures import Additive
from recaption.evaluation.metrics.agreement import Agreement
from recaption.evaluation.tools import Tools
from tests.unit.evaluation.small_encoder import SmallEncoder, picture, record, subject, tools


class Reds:
    """Likes texts that say red about red pictures."""

    name = "reds@1, made up"
    fingerprint = "reds"
    higher_is_better = True
    value_range: tuple[float | None, float | None] = (0.0, 1.0)
    sees_images = True

    def __init__(self, fewer: int = 0) -> None:
        self.asked: list[tuple[str, str]] = []
        self.fewer = fewer

    def score(self, pairs: Sequence[tuple[Record, Caption]], images: Images) -> list[Score]:
        self.asked += [(one.key, caption.text) for one, caption in pairs]
        return [self._one(one, caption.text, images) for one, caption in pairs][self.fewer :]

    @staticmethod
    def _one(one: Record, text: str, images: Images) -> Score:
        if text == "?":
            return Score(value=None, reason="no opinion")
        try:
            red = images.pixels(one).array[0, 0, 0] == 255
        except ImageError as error:
            return Score(value=None, reason=str(error))
        return Score(value=1.0 if red == ("red" in text) else 0.25)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqliteLedger]:
    opened = SqliteLedger(tmp_path / "calls.sqlite")
    yield opened
    opened.close()


def kit(tmp_path: Path, ledger: SqliteLedger, scorer: Reds, encoders: Sequence[SmallEncoder] = ()) -> Tools:
    made = tools(tmp_path, ledger, encoders, batch_size=2)
    return Tools(
        ledger=ledger,
        meter=made.meter,
        make_images=made.make_images,
        image_text=made.image_text,
        pair_scorers={"reds": scorer},
        options=made.options,
    )


ROWS = [
    (record("a", (255, 0, 0)), (["red"], ["red", "blue"])),
    (record("b", (0, 0, 255)), (["red"], ["blue"])),
    (Record(key="torn", image=Image(data=picture((1, 2, 3))[:30])), (["red"], ["blue"])),
    (None, (["red"], ["blue"])),
    (record("e", (255, 0, 0)), (["?"], ["", " "])),
]


def test_every_text_is_scored_with_its_image_once_for_all_columns(tmp_path: Path, ledger: SqliteLedger) -> None:
    scorer, items = Reds(), subject(ROWS)
    using = kit(tmp_path, ledger, scorer)
    found = pair_scores(items, "reds", using)
    assert found.values["original"][:2].tolist() == [1.0, 0.25]
    assert np.isnan(found.values["original"][2:]).all()
    assert found.owners["new"].tolist() == [0, 0, 1, 2, 3]
    assert found.values["new"][:3].tolist() == [1.0, 0.25, 1.0]
    assert scorer.asked == [
        ("a", "red"),
        ("a", "blue"),
        ("b", "red"),
        ("b", "blue"),
        ("torn", "red"),
        ("torn", "blue"),
        ("e", "?"),
    ]
    told = using.unreadable.by_reason(items)
    assert sorted(key for keys in told.values() for key in keys) == ["2", "3"]
    paid = ledger.paid
    again = pair_scores(items, "reds", kit(tmp_path, ledger, scorer))
    assert (ledger.paid, len(scorer.asked)) == (paid, 7)
    assert again.values["new"][:3].tolist() == [1.0, 0.25, 1.0]


def test_scores_that_do_not_belong_to_their_pairs_are_refused(tmp_path: Path, ledger: SqliteLedger) -> None:
    with pytest.raises(BackendError, match="1 scores for 2 pairs"):
        pair_scores(subject(ROWS[:1]), "reds", kit(tmp_path, ledger, Reds(fewer=1)))


def test_agreement_tells_their_mean_beside_encoders_and_alone(tmp_path: Path, ledger: SqliteLedger) -> None:
    items = subject(ROWS)
    for encoders in ([], [SmallEncoder()]):
        using = kit(tmp_path, ledger, Reds(), encoders)
        metric = Agreement()
        results = {
            one.about.name: one
            for one in metric.score(items, metric.extract(items, using))
            if isinstance(one, Additive)
        }
        found = results["pair_score.reds"]
        assert found.parts["new"].tolist() == [[0.625, 1], [1, 1], [0, 0], [0, 0], [0, 0]]
        assert found.about.better == "higher"
        assert found.about.primary == (not encoders), "an encoder has the headline where there is one"
        assert "reds@1, made up" in found.about.note
        assert ("cosine" in results) == bool(encoders)
