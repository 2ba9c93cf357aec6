"""Sidecars: one line a file, never twice, the old text never lost."""

import pytest

from recaption.core.errors import RecipeError
from recaption.core.types import Image, Record
from recaption.datasets.writers import export
from tests.unit.datasets.samples import on_disk, picture, record, without_image


def tree(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_the_folder_mirrors_the_keys(tmp_path):
    records = [
        record("a/b.jpg", better="One."),
        record("c", better="Two."),
        record("日本/x y.webp", better="三。"),
    ]
    assert export(records, "sidecar", tmp_path / "out") == {"written": 3}
    assert tree(tmp_path / "out") == {"a/b.txt": b"One.", "c.txt": b"Two.", "日本/x y.txt": "三。".encode()}


def test_two_images_of_one_name_get_two_sidecars(tmp_path):
    export([record("a.jpg", better="One."), record("a.png", better="Two.")], "sidecar", tmp_path)
    assert tree(tmp_path) == {"a.txt": b"One.", "a.png.txt": b"Two."}


@pytest.mark.parametrize(
    "key",
    ["../../evil", "/etc/evil", "a//b", "", ".", "..", "a\0b", "\ud800", "a\\..\\b", "n" * 417, "é" * 400],
)
def test_hostile_keys_stay_below_the_target(tmp_path, key):
    assert export([record(key)], "sidecar", tmp_path / "in" / "out")["written"] == 1
    (path,) = (tmp_path).rglob("*.txt")
    assert path.resolve().is_relative_to((tmp_path / "in" / "out").resolve())
    assert ".." not in path.parts


def test_hostile_keys_do_not_meet(tmp_path):
    keys = ["a/../b", "a/_/b", "a\0b", "a_b", "a\x01b", "a//b", "a/_b"]
    assert export([record(key) for key in keys], "sidecar", tmp_path)["written"] == len(keys)
    assert len(tree(tmp_path)) == len(keys)


def test_one_line_whatever_the_text_holds(tmp_path):
    export([record("a", better="one\r\n  two\u2028three\tfour \ud800 \n")], "sidecar", tmp_path)
    assert tree(tmp_path) == {"a.txt": "one two three\tfour \ufffd".encode()}


def test_trigger_words_stand_around_the_text(tmp_path):
    export([record("a")], "sidecar", tmp_path, {"prefix": "ohwx, ", "suffix": " --", "extension": ".caption"})
    assert tree(tmp_path) == {"a.caption": b"ohwx, A red ball. --"}


MODES = {
    "skip": {"a.txt": b"old"},
    "overwrite": {"a.txt": b"A red ball.", "a.txt.orig": b"old"},
    "append": {"a.txt": b"old, A red ball.", "a.txt.orig": b"old"},
    "prepend": {"a.txt": b"A red ball., old", "a.txt.orig": b"old"},
}


@pytest.mark.parametrize("mode", MODES)
def test_modes_where_a_text_is_there(tmp_path, mode):
    (tmp_path / "a.txt").write_bytes(b"old")
    counts = export([record("a")], "sidecar", tmp_path, {"mode": mode})
    assert counts == ({"written": 0, "skipped": 1} if mode == "skip" else {"written": 1})
    assert tree(tmp_path) == MODES[mode]


@pytest.mark.parametrize("mode", ["overwrite", "append", "prepend"])
def test_writing_twice_says_nothing_twice(tmp_path, mode):
    (tmp_path / "a.txt").write_bytes(b"old")
    for _ in range(2):
        counts = export([record("a"), record("new")], "sidecar", tmp_path, {"mode": mode})
    assert counts == {"written": 0, "unchanged": 2}
    assert tree(tmp_path) == {**MODES[mode], "new.txt": b"A red ball."}


def test_the_oldest_text_is_saved_once(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xff not utf-8")
    for text in ("One.", "Two."):
        export([record("a", better=text)], "sidecar", tmp_path, {"mode": "overwrite"})
    assert tree(tmp_path) == {"a.txt": b"Two.", "a.txt.orig": b"\xff not utf-8"}


def test_beside_the_images_and_never_over_them(tmp_path):
    image = on_disk(tmp_path, "deep/photo.v2.JPG")
    before = tree(tmp_path)
    records = [
        record("x", image=image),
        record("y", image=Image(path="/x.tar", offset=0, length=3)),
        record("z", image=Image(data=b"")),
        without_image(record("w")),
    ]
    counts = export(records, "sidecar", tmp_path / "unused", {"beside": True})
    assert counts == {"written": 1, "no_file": 3}
    assert tree(tmp_path) == {**before, "deep/photo.v2.txt": b"A red ball."}


@pytest.mark.parametrize(
    "params",
    [
        {"extension": "jpg"},
        {"extension": ".PNG"},
        {"extension": "orig"},
        {"extension": "a/b"},
        {"beside": True, "images": True},
    ],
)
def test_parameters_that_would_do_harm_are_refused(tmp_path, params):
    with pytest.raises(RecipeError, match="export to sidecar"):
        export([], "sidecar", tmp_path, params)


def test_with_images_the_folder_is_ready_for_a_trainer(tmp_path):
    photo = Image(data=picture(1, "JPEG"))
    records = [
        record("a/b.JPEG", better="One.", image=photo),
        record("a/b", better="Two.", image=Image(data=picture(2, "JPEG"))),
        record("c.png", better="Three.", image=photo),
        without_image(record("d")),
        record("e", image=Image(data=b"<html>")),
    ]
    counts = export(records, "sidecar", tmp_path, {"images": True})
    assert counts == {"written": 3, "no_image": 1, "unreadable_image": 1}
    found = tree(tmp_path)
    assert found.pop("a/b.txt") == b"One."
    assert found.pop("c.txt") == b"Three."
    assert found.pop("a/b.JPEG") == found.pop("c.jpg") == photo.data
    (text,) = [name for name in found if name.endswith(".txt")]
    assert found == {text: b"Two.", text.replace(".txt", ".jpg"): picture(2, "JPEG")}


def test_an_image_that_is_there_is_not_written_over(tmp_path):
    (tmp_path / "a.png").write_bytes(b"mine")
    counts = export([record("a")], "sidecar", tmp_path, {"images": True})
    assert counts == {"written": 0, "conflicting_image": 1}
    assert tree(tmp_path) == {"a.png": b"mine"}


def test_what_cannot_be_written_is_counted(tmp_path):
    records = [Record(key="none"), record("blank", text=" ", better="\n"), record("a"), record("a")]
    counts = export(records, "sidecar", tmp_path)
    assert counts == {"written": 1, "no_text": 2, "duplicate_key": 1}


def test_a_sidecar_that_cannot_be_read_is_left_alone(tmp_path):
    (tmp_path / "a.txt").mkdir()
    counts = export([record("a")], "sidecar", tmp_path, {"mode": "overwrite"})
    assert counts == {"written": 0, "unreadable_sidecar": 1}


def test_no_part_stays(tmp_path):
    (tmp_path / ".1234.recaption.part").write_text("from a kill")
    export([record("a")], "sidecar", tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
