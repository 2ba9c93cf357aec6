"""Questions with and without pictures and forms, and what decides whether one was asked before."""

from recaption.core.protocols import Context, Sampling
from recaption.core.types import Image, Record
from recaption.media.images import BatchImages
from recaption.stages.asking import Ask, answer
from tests.unit.evaluation.judge_bench import TableJudge, bench, photo

SCHEMA = {"type": "object"}


def context(desk, max_side_px=None):
    return Context(images=BatchImages(max_side_px=max_side_px), ledger=desk.ledger, meter=desk.meter)


def picture(number):
    return BatchImages().picture(Record(key="k", image=Image(data=photo(number))))


def test_a_question_about_texts_alone_is_asked_without_a_picture_and_remembered(tmp_path):
    judge = TableJudge(lambda request: "yes" if request.image is None else "no")
    with bench(tmp_path) as desk:
        for size in (None, 64):  # how pictures are decoded decides nothing where there is none
            ask = Ask("k", "Well?", None, Sampling())
            answer([ask], judge, context(desk, size))
            assert ask.draws[0].text == "yes"
        assert ask.digest == ""
        assert desk.ledger.paid == 1


def test_a_form_reaches_the_generator_and_makes_another_question(tmp_path):
    judge = TableJudge(lambda request: "{}" if request.schema == SCHEMA else "none")
    with bench(tmp_path) as desk:
        asks = [Ask("k", "Well?", None, Sampling(), schema) for schema in (SCHEMA, None)]
        answer(asks, judge, context(desk))
        assert [ask.draws[0].text for ask in asks] == ["{}", "none"]
        assert desk.ledger.paid == 2
        again = asks[0].again([0], 1, 0.5)
        assert again.schema == SCHEMA


def test_a_picture_makes_another_question(tmp_path):
    judge = TableJudge(lambda request: request.image.digest[:6] if request.image else "none")
    with bench(tmp_path) as desk:
        asks = [Ask("k", "Well?", shown, Sampling()) for shown in (None, picture(1), picture(2), picture(1))]
        answer(asks, judge, context(desk))
        said = [ask.draws[0].text for ask in asks]
        assert said == ["none", asks[1].digest[:6], asks[2].digest[:6], said[1]]
        assert desk.ledger.paid == 3
