import sys
from dataclasses import replace

import pytest

from recaption.core.errors import BackendError, MissingExtraError, RunFolderError, UserError
from recaption.datasets.typed_json import to_plain
from recaption.evaluation.downstream import training
from recaption.evaluation.downstream.experiment import DownstreamProgress, downstream
from tests.unit.evaluation.downstream.painted import TINY, images, painted, painted_items

pytestmark = pytest.mark.slow
"""Whole experiments, if small ones."""


def without_times(outcome):
    return {**to_plain(outcome), "seconds": 0, "recalled": 0}


@pytest.fixture
def trainings(monkeypatch):
    """Count the trainings that are really done."""
    done = []
    real = training.train

    def counting(pairs, column, seed, options, watch):
        done.append((column, seed))
        return real(pairs, column, seed, options, watch)

    monkeypatch.setattr(training, "train", counting)
    return done


def test_texts_that_say_what_is_there_teach_more_than_texts_that_do_not():
    subject = painted(columns=("says", "silent"))
    flipped = replace(
        subject,
        columns=("silent", "says"),
        items=tuple(replace(item, texts=item.texts[::-1]) for item in subject.items),
    )
    options = TINY.model_copy(update={"steps": 25})
    outcome = downstream(flipped, options, make_images=images)
    figure = outcome.figure("references", "recall_at_10.t2i")
    effect = figure.effects["says"]
    assert effect.delta is not None
    assert effect.low is not None
    assert effect.delta > 0.25
    assert effect.low > 0
    silent = figure.values["silent"].value
    assert silent is not None
    assert silent < 1.6 * figure.chance
    assert outcome.headline == "references"


def test_the_same_texts_twice_make_no_difference_at_all():
    items = tuple(replace(item, texts=(item.texts[0],) * 2) for item in painted_items(120))
    outcome = downstream(
        replace(painted(), columns=("old", "old again"), items=items), TINY, make_images=images
    )
    assert outcome.recalled == 0
    assert all(d == 0 for figure in outcome.figures for d in figure.seed_deltas["old again"])
    assert any(v.value for figure in outcome.figures for v in figure.values.values())
    assert outcome.losses["old"] == outcome.losses["old again"]


def test_equal_input_gives_equal_figures():
    first, second = (downstream(painted(), TINY, make_images=images) for _ in range(2))
    assert without_times(first) == without_times(second)


def test_seeds_differ():
    outcome = downstream(painted(), TINY, make_images=images)
    assert len(set(outcome.losses["says"])) == 2


def test_what_is_trained_is_not_trained_again(tmp_path, trainings):
    first = downstream(painted(), TINY, make_images=images, folder=tmp_path / "deep" / "er")
    assert trainings == [("says", 0), ("silent", 0), ("says", 1), ("silent", 1)]
    trainings.clear()
    again = downstream(painted(), TINY, make_images=images, folder=tmp_path / "deep" / "er")
    assert trainings == []
    assert (first.recalled, again.recalled) == (0, 4)
    assert again.seconds == first.seconds
    assert without_times(first) == without_times(again)


def test_an_interrupted_call_keeps_what_was_finished(tmp_path, trainings):
    def interrupt(progress: DownstreamProgress) -> None:
        if progress.what == "silent, seed 1":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        downstream(painted(), TINY, make_images=images, folder=tmp_path, watch=interrupt)
    trainings.clear()
    downstream(painted(), TINY, make_images=images, folder=tmp_path)
    assert trainings == [("silent", 1)]


def test_one_more_seed_pays_for_that_seed_alone(tmp_path, trainings):
    downstream(painted(), TINY, make_images=images, folder=tmp_path)
    trainings.clear()
    downstream(painted(), TINY.model_copy(update={"seeds": 3}), make_images=images, folder=tmp_path)
    assert trainings == [("says", 2), ("silent", 2)]


@pytest.mark.parametrize("change", [{"steps": 4}, {"batch_size": 23}, {"image_px": 24}, {"held_out": 0.3}])
def test_other_options_train_anew(tmp_path, trainings, change):
    options = TINY.model_copy(update={"seeds": 1, "steps": 2})
    downstream(painted(), options, make_images=images, folder=tmp_path)
    trainings.clear()
    downstream(painted(), options.model_copy(update=change), make_images=images, folder=tmp_path)
    assert len(trainings) == 2


def test_one_changed_text_trains_that_column_anew(tmp_path, trainings):
    options = TINY.model_copy(update={"seeds": 1, "steps": 2})
    subject = painted()
    downstream(subject, options, make_images=images, folder=tmp_path)
    trainings.clear()
    # Words that are known already: the vocabulary, which all columns share, stays as it is.
    items = [replace(item, texts=(("red",), item.texts[1])) for item in subject.items]
    downstream(
        replace(subject, items=tuple(items)),
        options,
        make_images=images,
        folder=tmp_path,
    )
    assert ("says", 0) in trainings


def test_a_damaged_memory_says_what_to_do(tmp_path):
    options = TINY.model_copy(update={"seeds": 1, "steps": 2})
    downstream(painted(), options, make_images=images, folder=tmp_path)
    whole = {file: file.read_text() for file in tmp_path.glob("*.json")}
    assert len(whole) == 2
    for wrong in ('{"hits": 1}', '{"hits": ', '{"hits": {}, "loss": 1.0, "weights": 1, "seconds": 1.0}'):
        for file in whole:
            file.write_text(wrong)
        with pytest.raises(RunFolderError, match="Remove it to train again"):
            downstream(painted(), options, make_images=images, folder=tmp_path)


def test_columns_of_one_seed_start_from_the_same_weights_and_see_the_same_items(monkeypatch):
    class Watched(training._Model):
        def __init__(self, words, options):
            super().__init__(words, options)
            self.start = [p.detach().clone() for p in self.parameters()]
            self.batches = []
            seen[len(seen)] = self

        def images(self, pictures):
            if self.training:
                self.batches.append(pictures.clone())
            return super().images(pictures)

    seen: dict[int, Watched] = {}
    monkeypatch.setattr(training, "_Model", Watched)
    downstream(painted(), TINY.model_copy(update={"steps": 7}), make_images=images)
    one, other, next_seed, _ = seen.values()
    assert all(a.equal(b) for a, b in zip(one.start, other.start, strict=True))
    assert len(one.batches) == 7
    assert all(a.equal(b) for a, b in zip(one.batches, other.batches, strict=True))
    assert not all(a.equal(b) for a, b in zip(one.start, next_seed.start, strict=True))
    assert not all(a.equal(b) for a, b in zip(one.batches, next_seed.batches, strict=True))


def test_torch_is_left_as_it_was():
    import torch

    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    before, inside = torch.get_num_threads(), set()
    torch.set_num_threads(2)
    try:
        options = TINY.model_copy(update={"seeds": 1, "steps": 2, "threads": 1})
        downstream(painted(), options, make_images=images, watch=lambda _: inside.add(torch.get_num_threads()))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert torch.rand(3).equal(expected)
    assert 1 in inside


def test_several_texts_an_item_take_turns_and_are_all_tested():
    items = [
        replace(item, texts=((*item.texts[0], "a second text"), item.texts[1])) for item in painted_items(120)
    ]
    options = TINY.model_copy(update={"seeds": 1, "steps": 2})
    outcome = downstream(replace(painted(), items=tuple(items)), options, make_images=images)
    figure = outcome.figure("says", "recall_at_1.t2i")
    assert figure.pool == 24
    assert figure.values["says"].n == 24


def test_without_references_the_baselines_texts_are_the_common_test_and_that_is_said():
    items = tuple(replace(item, references=()) for item in painted_items(120))
    options = TINY.model_copy(update={"seeds": 1, "steps": 2})
    outcome = downstream(replace(painted(), items=items), options, make_images=images)
    assert outcome.headline == "says"
    assert any("favours that column" in note for note in outcome.notes)
    assert any("One training a column" in note for note in outcome.notes)


def test_too_few_references_are_no_test_and_that_is_said():
    items = [
        replace(item, references=item.references if i < 5 else ()) for i, item in enumerate(painted_items(120))
    ]
    options = TINY.model_copy(update={"seeds": 1, "steps": 2})
    outcome = downstream(replace(painted(), items=tuple(items)), options, make_images=images)
    assert outcome.headline == "says"
    assert any(note.startswith("Not tested with 'references'") for note in outcome.notes)


def test_a_test_of_the_callers_is_the_headline_and_words_nobody_taught_are_told():
    subject = painted()
    mine = [(f"unheard of {item.key}",) for item in subject.items]
    options = TINY.model_copy(update={"seeds": 1, "steps": 2})
    outcome = downstream(subject, options, make_images=images, tests={"mine": mine})
    assert outcome.headline == "mine"
    assert {figure.test for figure in outcome.figures} == {"mine", "says", "silent"}
    assert outcome.unknown["mine"] == 1.0
    assert any("occur in no column's training texts" in note for note in outcome.notes)


def test_texts_that_are_cut_are_told():
    items = [replace(item, texts=(("red " * 9,), item.texts[1])) for item in painted_items(120)]
    options = TINY.model_copy(update={"seeds": 1, "steps": 2})
    outcome = downstream(replace(painted(), items=tuple(items)), options, make_images=images)
    assert outcome.cut == {"says": 1.0, "silent": 0.0}
    assert any("their ends taught nothing" in note for note in outcome.notes)


def test_progress_goes_from_pictures_to_the_last_step():
    told: list[DownstreamProgress] = []
    downstream(painted(), TINY.model_copy(update={"steps": 3}), make_images=images, watch=told.append)
    assert told[0].what == "pictures"
    steps = [p for p in told if p.what != "pictures"]
    assert [p.done for p in steps] == list(range(1, 13))
    assert {p.total for p in steps} == {12}
    assert steps[0].what == "says, seed 0"
    assert steps[-1].what == "silent, seed 1"


def test_without_torch_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "recaption.evaluation.downstream.training")
    monkeypatch.delattr("recaption.evaluation.downstream.training")
    with pytest.raises(MissingExtraError, match=r"torch.*recaption\[hf\]"):
        downstream(painted(), TINY, make_images=images)


def test_a_loss_that_is_no_number_stops_it(monkeypatch):
    monkeypatch.setattr(training, "_FIRST_SCALE", float("nan"))
    with pytest.raises(BackendError, match="the loss of step 1 is nan"):
        downstream(painted(), TINY, make_images=images)


def test_too_few_items_are_refused_before_anything_is_trained(trainings):
    with pytest.raises(UserError, match="too few items"):
        downstream(painted(30), TINY, make_images=images)
    assert trainings == []
