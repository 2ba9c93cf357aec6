from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as Pillow

from recaption.core.errors import UserError
from recaption.core.types import Image, Record
from recaption.evaluation.downstream.data import prepare, shuffled
from recaption.evaluation.subject import Item, Subject
from tests.unit.evaluation.downstream.painted import TINY, images, painted, painted_items, png


def with_items(subject: Subject, items: list[Item]) -> Subject:
    return replace(subject, items=tuple(items))


def test_items_are_split_and_their_texts_go_with_them():
    subject = painted(100)
    pairs = prepare(subject, {"references": [i.references for i in subject.items]}, TINY, images)
    assert pairs.train_pixels.shape == (76, 16, 16, 3)
    assert pairs.test_pixels.shape == (24, 16, 16, 3)
    assert set(pairs.columns) == {"says", "silent"}
    assert list(pairs.tests) == ["references", "says", "silent"]
    assert pairs.columns["says"].owners.tolist() == list(range(76))
    assert pairs.left_out == {}
    # The first column's first word is the colour on the left; equal words, equal pictures there.
    left = pairs.train_pixels[:, 8, 3].astype(int)
    words = pairs.columns["says"].ids[:, 0]
    for word in set(words.tolist()):
        assert len({tuple(colour) for colour in left[words == word]}) == 1


def test_a_picture_is_squeezed_as_a_whole():
    wide = np.zeros((20, 200, 3), dtype=np.uint8)
    wide[:, 100:] = 255
    items = painted_items(60)
    record = Record(key="wide", image=Image(data=_png(wide)))
    subject = with_items(painted(60), [replace(items[0], key="wide", record=record), *items[1:]])
    pairs = prepare(subject, {}, TINY, images)
    found = [
        p for p in (*pairs.train_pixels, *pairs.test_pixels) if p[8, 2].max() < 20 and p[8, 13].min() > 235
    ]
    assert found


def test_the_split_hangs_on_the_keys_and_the_seed_alone():
    items = painted_items(80)
    ahead = prepare(with_items(painted(80), items), {}, TINY, images)
    back = prepare(with_items(painted(80), items[::-1]), {}, TINY, images)
    other = prepare(painted(80, seed=1), {}, TINY, images)
    held = [{p.tobytes() for p in pairs.test_pixels} for pairs in (ahead, back, other)]
    assert held[0] == held[1]
    assert held[0] != held[2]


def test_no_picture_is_there_twice():
    items = painted_items(90)
    again = [replace(item, key=f"again-{item.key}") for item in items[:30]]
    pairs = prepare(with_items(painted(90), items + again), {}, TINY, images)
    assert pairs.left_out == {"image seen before": 30}
    pixels = [p.tobytes() for p in (*pairs.train_pixels, *pairs.test_pixels)]
    assert len(set(pixels)) == len(pixels) == 90


def test_what_takes_no_part_is_counted():
    items = painted_items(80)
    items[0] = replace(items[0], record=None)
    items[1] = replace(items[1], record=Record(key="1"))
    items[2] = replace(items[2], texts=(("red",), ()))
    items[3] = replace(items[3], texts=((" ",), ("a picture",)))
    items[4] = replace(items[4], record=Record(key="4", image=Image(data=b"no picture")))
    pairs = prepare(with_items(painted(80), items), {}, TINY, images)
    assert pairs.left_out == {
        "no image": 2,
        "without a text in 'silent'": 1,
        "without a text in 'says'": 1,
        "image cannot be decoded": 1,
    }
    assert len(pairs.train_pixels) + len(pairs.test_pixels) == 75


def test_of_too_many_items_a_sample_is_taken():
    pairs = prepare(painted(100), {}, TINY.model_copy(update={"max_items": 60}), images)
    assert pairs.left_out == {"not in the sample": 40}
    assert len(pairs.train_pixels) + len(pairs.test_pixels) == 60


def test_too_few_items_say_what_is_missing_and_why():
    items = [replace(item, record=None) for item in painted_items(30)] + painted_items(30)
    with pytest.raises(UserError, match=r"too few items.*30 can be used, 24 of them.*24 others.*no image: 30"):
        prepare(with_items(painted(30), items), {}, TINY, images)


def test_no_images_at_all():
    items = [replace(item, record=None) for item in painted_items(80)]
    with pytest.raises(UserError, match=r"0 can be used.*no image: 80"):
        prepare(with_items(painted(80), items), {}, TINY, images)


def test_tests_must_fit_the_subject():
    with pytest.raises(UserError, match="the name of a column"):
        prepare(painted(80), {"says": [()] * 80}, TINY, images)
    with pytest.raises(UserError, match="texts of 3 items; there are 80"):
        prepare(painted(80), {"mine": [("a",)] * 3}, TINY, images)


def test_the_digest_tells_pictures_and_tests():
    digests = {
        prepare(painted(80), {}, TINY, images).digest,
        prepare(painted(80, seed=1), {}, TINY, images).digest,
        prepare(painted(80), {"mine": [("red",)] * 80}, TINY, images).digest,
    }
    assert len(digests) == 3
    assert prepare(painted(80), {}, TINY, images).digest in digests


def test_shuffled_texts_are_all_there_and_nobody_keeps_his_own():
    items = [replace(item, texts=((item.key,), ("x",))) for item in painted_items(50)]
    items[7] = replace(items[7], texts=((), ("x",)))
    subject = shuffled(with_items(painted(50), items), "says")
    assert subject.columns == ("says", "silent", "shuffled")
    says, mixed = subject.texts("says"), subject.texts("shuffled")
    assert sorted(says) == sorted(mixed)
    assert mixed[7] == ()
    assert all(a != b for i, (a, b) in enumerate(zip(says, mixed, strict=True)) if i != 7)


def test_progress_counts_pictures():
    told: list[tuple[int, int]] = []
    prepare(painted(100), {}, TINY, images, lambda done, total: told.append((done, total)))
    assert told == [(64, 100), (100, 100)]


def _png(array: np.ndarray) -> bytes:
    from io import BytesIO

    file = BytesIO()
    Pillow.fromarray(array).save(file, "PNG")
    return file.getvalue()


def test_marks_make_pictures_differ():
    assert png("red", "blue", 1) != png("red", "blue", 2)
