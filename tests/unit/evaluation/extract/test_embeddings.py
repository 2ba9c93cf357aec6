"""Embeddings are paid for once: by text and image, whatever column, metric, batch or process asks."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from recaption.core.errors import BackendError, ImageError
from recaption.core.protocols import Embedder
from recaption.core.types import Image, Record
from recaption.datasets.ledger import SqliteLedger
from recaption.evaluation.extract.embeddings import (
    MOST_SENTENCES,
    embeddings,
    reference_vectors,
    sentence_vectors,
    text_vectors,
)
from recaption.evaluation.metric import Unavailable
from recaption.evaluation.subject import Subject
from recaption.media.images import BatchImages
from recaption.models.repetition import RepetitionScorer
from tests.unit.evaluation.small_encoder import SmallEncoder, _read, picture, record, subject, tools

COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 100, 0), (0, 90, 200), (120, 120, 120), (9, 200, 9)]


def seven(**changes: str) -> Subject:
    rows = [
        (record(str(i), colour), ([f"r {i}", "g"], [f"b {i}. And g. Or r!"]))
        for i, colour in enumerate(COLOURS)
    ]
    return subject(rows, references=[["a reference", f"r {i}"] for i in range(7)])


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqliteLedger]:
    opened = SqliteLedger(tmp_path / "calls.sqlite")
    yield opened
    opened.close()


def test_the_small_encoder_is_one() -> None:
    assert isinstance(SmallEncoder(), Embedder)


def test_vectors_come_with_their_owners(tmp_path: Path, ledger: SqliteLedger) -> None:
    encoder = SmallEncoder()
    given = seven()
    found = embeddings(given, "small", tools(tmp_path, ledger, [encoder], batch_size=3))
    assert found.images.known.all()
    for vector, colour in zip(found.images.vectors, COLOURS, strict=True):
        assert vector == pytest.approx(np.array(colour) / np.linalg.norm(colour), abs=1e-6)
    original, new = found.texts["original"], found.texts["new"]
    assert original.owners.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]
    assert new.owners.tolist() == list(range(7))
    for column, texts in found.texts.items():
        for (owner, text), vector, at, tokens in zip(
            given.flat(column), texts.vectors, texts.owners, texts.tokens, strict=True
        ):
            assert (owner, len(text.split())) == (at, tokens)
            assert vector.tobytes() == _read(text).vector.tobytes()
    assert len(set(original.ids[1::2])) == 1
    assert (found.encoder, found.suffix, found.space.text_limit) == ("small, float32", "", 8)


def test_equal_texts_and_equal_images_are_asked_for_once(tmp_path: Path, ledger: SqliteLedger) -> None:
    encoder = SmallEncoder()
    rows = [(record(str(i), COLOURS[i % 2]), (["g"], ["g", "r"])) for i in range(9)]
    embeddings(subject(rows), "small", tools(tmp_path, ledger, [encoder], batch_size=2))
    assert encoder.texts_asked == ["g", "r"]
    assert len(encoder.images_asked) == 2


def test_only_what_is_asked_for_is_made_and_that_once(tmp_path: Path, ledger: SqliteLedger) -> None:
    encoder = SmallEncoder()
    given, kit = seven(), tools(tmp_path, ledger, [encoder])
    first = embeddings(given, "small", kit)
    assert embeddings(given, "small", kit) is first
    asked = len(encoder.texts_asked)
    assert asked == 7 + 1 + 7
    sentences = sentence_vectors(given, "small", kit)
    assert encoder.texts_asked[asked:] == ["b 0.", "And g.", "Or r!", *(f"b {i}." for i in range(1, 7))]
    assert len(sentences["original"]) == 0
    assert sentences["new"].owners.tolist() == [i for i in range(7) for _ in range(3)]
    text_vectors(given, "small", kit, "seen: ")
    reference_vectors(given, "small", kit, "seen: ")
    assert all(text.startswith("seen: ") for text in encoder.texts_asked[asked + 9 :])
    assert text_vectors(given, "small", kit, "seen: ") is text_vectors(given, "small", kit, "seen: ")


def test_a_second_evaluation_pays_nothing_and_decodes_nothing(tmp_path: Path) -> None:
    found = []
    for encoder in (SmallEncoder(), SmallEncoder()):
        ledger = SqliteLedger(tmp_path / "calls.sqlite")
        made: list[BatchImages] = []
        kit = tools(tmp_path, ledger, [encoder], made, batch_size=3)
        given = seven()
        found.append((embeddings(given, "small", kit), sentence_vectors(given, "small", kit)))
        reference_vectors(given, "small", kit, "seen: ")
        ledger.close()
        paid, decodes = encoder.calls, sum(batch.decodes for batch in made)
    assert (paid, decodes) == (0, 0)
    (one, one_by_sentence), (two, two_by_sentence) = found
    assert one.space == two.space
    assert one.images.vectors.tobytes() == two.images.vectors.tobytes()
    for column in ("original", "new"):
        for a, b in ((one.texts, two.texts), (one_by_sentence, two_by_sentence)):
            assert a[column].vectors.tobytes() == b[column].vectors.tobytes()
            assert a[column].tokens.tolist() == b[column].tokens.tolist()


def test_another_encoder_is_another_question(tmp_path: Path, ledger: SqliteLedger) -> None:
    one, other = SmallEncoder(), SmallEncoder("other")
    kit = tools(tmp_path, ledger, [one, other])
    assert embeddings(seven(), "small", kit).suffix == ""
    found = embeddings(seven(), "other", kit)
    assert other.calls == one.calls > 0
    assert found.suffix == "@other"
    assert found.titled("Cosine") == "Cosine (other)"


KILLED = """
import os, sys
from pathlib import Path
from recaption.datasets.ledger import SqliteLedger
from recaption.evaluation.extract.embeddings import embeddings
from tests.unit.evaluation.extract.test_embeddings import seven
from tests.unit.evaluation.small_encoder import SmallEncoder, tools
folder, batches = Path(sys.argv[1]), int(sys.argv[2])
encoder = SmallEncoder()
def before():
    global batches
    batches -= 1
    if batches < 0:
        os._exit(9)
encoder.before = before
embeddings(seven(), "small", tools(folder, SqliteLedger(folder / "calls.sqlite"), [encoder], batch_size=2))
"""


@pytest.mark.parametrize("batches", [0, 6, 8])
def test_what_was_paid_before_a_kill_is_not_paid_again(batches: int, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), str(batches)], check=False)
    assert done.returncode == 9
    encoder, ledger = SmallEncoder(), SqliteLedger(tmp_path / "calls.sqlite")
    paid = sqlite3.connect(tmp_path / "calls.sqlite").execute("SELECT count(*) FROM calls").fetchone()[0]
    assert (paid == 0) if batches == 0 else (0 < paid < 7 + 15)
    embeddings(seven(), "small", tools(tmp_path, ledger, [encoder], batch_size=2))
    ledger.close()
    assert len(encoder.images_asked) + len(encoder.texts_asked) == 7 + 15 - paid


def test_a_failure_ends_it_at_once_and_what_came_before_stays_paid(
    tmp_path: Path, ledger: SqliteLedger
) -> None:
    encoder = SmallEncoder()

    def before() -> None:
        if len(encoder.images_asked) >= 5:
            raise BackendError("gone")

    encoder.before = before
    rows = [(record(str(i), (i, 1, 1)), [["r"], ["r"]]) for i in range(100)]
    with pytest.raises(BackendError, match="gone"):
        embeddings(subject(rows), "small", tools(tmp_path, ledger, [encoder], batch_size=1))
    asked = len(encoder.images_asked)
    assert 5 <= asked <= 8
    assert ledger.paid == asked


def test_an_image_that_cannot_be_had_is_counted_by_its_reason(tmp_path: Path, ledger: SqliteLedger) -> None:
    torn = Record(key="torn", image=Image(data=picture((1, 2, 3))[:30]))
    rows = [
        (record("a", (255, 0, 0)), (["r"], ["r"])),
        (None, (["g"], ["g"])),
        (Record(key="none"), (["g"], ["g"])),
        (torn, (["g"], ["g"])),
        (None, (["g"], ["g"])),
    ]
    kit = tools(tmp_path, ledger, [SmallEncoder()])
    found = embeddings(subject(rows), "small", kit)
    assert found.images.known.tolist() == [True, False, False, False, False]
    told = kit.unreadable.by_reason(subject(rows))
    assert {reason: told[reason] for reason in ("there is no image", "the record has no image")} == {
        "there is no image": ["1", "4"],
        "the record has no image": ["2"],
    }
    assert sorted(key for keys in told.values() for key in keys) == ["1", "2", "3", "4"]
    assert not found.images.vectors[1:].any()
    assert "4 of 5 images could not be read" in found.note


def test_the_same_bytes_under_another_key_are_one_picture(tmp_path: Path, ledger: SqliteLedger) -> None:
    colours = [(255, 0, 0), (0, 255, 0), (255, 0, 0), None, (0, 255, 0), (0, 0, 255)]
    rows = [(record(str(i), c) if c else None, (["r"], ["r"])) for i, c in enumerate(colours)]
    encoder = SmallEncoder()
    found = embeddings(subject(rows), "small", tools(tmp_path, ledger, [encoder], batch_size=1))
    assert found.images.ids.tolist() == [0, 1, 0, -1, 1, 2]
    assert len(encoder.images_asked) == 3, "each picture is paid for once"


def test_a_failure_that_may_pass_is_asked_for_again(tmp_path: Path, ledger: SqliteLedger) -> None:
    class Short(SmallEncoder):
        def embed_images(self, records, images):
            self.images_asked += [r.key for r in records]
            return [ImageError("too little memory at the moment", retryable=True) for _ in records]

    rows = [(record("a", (255, 0, 0)), (["r"], ["r"]))]
    short = tools(tmp_path, ledger, [Short()])
    embeddings(subject(rows), "small", short)
    assert short.unreadable.by_reason(subject(rows)) == {"too little memory at the moment": ["0"]}
    again = embeddings(subject(rows), "small", tools(tmp_path, ledger, [SmallEncoder()]))
    assert again.images.known.all()


def test_nothing_at_all_is_no_trouble(tmp_path: Path, ledger: SqliteLedger) -> None:
    nothing: list[list[tuple[None, list[list[str]]]]] = [[], [(None, [[], []])], [(None, [["", " \n"], [""]])]]
    for rows in nothing:
        found = embeddings(subject(rows), "small", tools(tmp_path, ledger, [SmallEncoder()]))
        assert not found.images.known.any()
        assert [len(texts) for texts in found.texts.values()] == [0, 0]


def test_hostile_texts_are_read_within_bounds(tmp_path: Path, ledger: SqliteLedger) -> None:
    texts = [
        "\ud800 \x00 \u202e r",
        "A red one. " * 100_000,
        "狗在草地上。猫在睡觉。",
        "Wow!! ... ?!",
        "g" * 1_000_000,
    ]
    given = subject([(record("a", (255, 0, 0)), (texts, []))])
    kit = tools(tmp_path, ledger, [SmallEncoder()])
    found, sentences = embeddings(given, "small", kit), sentence_vectors(given, "small", kit)["original"]
    assert len(found.texts["original"]) == len(texts)
    assert np.bincount(sentences.owners).tolist() == [0, MOST_SENTENCES, 2]


def test_a_scorer_without_embeddings_is_not_asked(tmp_path: Path, ledger: SqliteLedger) -> None:
    other = RepetitionScorer(RepetitionScorer.Params())
    with pytest.raises(Unavailable, match="no embeddings"):
        embeddings(seven(), "x", tools(tmp_path, ledger, image_text={"x": other}))


def test_an_encoder_that_loses_count_is_gone(tmp_path: Path, ledger: SqliteLedger) -> None:
    class Short(SmallEncoder):
        def embed_texts(self, texts, prefix=""):
            return super().embed_texts(texts, prefix)[:-1]

    with pytest.raises(BackendError, match="14 embeddings came back for 15"):
        embeddings(seven(), "small", tools(tmp_path, ledger, [Short()]))
