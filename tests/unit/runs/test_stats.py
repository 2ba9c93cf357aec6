"""Tallies: equal causes are one kind, nothing is counted twice or lost, and the hostile do not make them grow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.core.errors import ImageError
from recaption.core.types import Caption, Evidence, Image, Provenance, Record, Rejected
from recaption.media.image_bytes import read_bytes
from recaption.runs.stats import merge, tally


def reject(reason, stage="gather"):
    return Rejected(key="k", stage=stage, kind="failed", reason=reason)


def kinds(*reasons):
    return tally([reject(reason) for reason in reasons])["rejects"]


def said(image):
    with pytest.raises(ImageError) as caught:
        read_bytes(image)
    return f"image: {caught.value}"


def test_forty_missing_files_are_one_kind(tmp_path):
    names = [f"photo {i}.jpg" if i % 2 else f"{i:04}.jpeg" for i in range(40)]
    reasons = [said(Image(path=str(tmp_path / name))) for name in names]
    assert len(set(reasons)) == 40
    assert kinds(*reasons) == {"gather: image: …: No such file or directory": 40}


def test_members_cut_at_different_places_are_one_kind(tmp_path):
    (tmp_path / "a.tar").write_bytes(bytes(1024))
    reasons = [said(Image(path=str(tmp_path / "a.tar"), offset=i, length=5000 + i)) for i in (1, 512, 1000)]
    assert len(kinds(*reasons)) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("./a.jpg: gone", "./b/c.jpg: gone"),
        ("/data/a.jpg: gone", "…hotos/of my dog/b.jpg: gone"),
        ("C:\\data\\a.jpg: gone", "D:\\b.jpg: gone"),
        ("cannot read https://a.example/x.jpg?y=1: 404", "cannot read http://b.example: 404"),
        ("row 7: 3 cells under 2 columns", "row 1,024: 31 cells under 20 columns"),
        ("no image in the folder is called 'a'", 'no image in the folder is called "it\'s"'),
        ("the archive ends in the middle of b'x'", "the archive ends in the middle of b'yy'"),
        ("duplicate key in 00000.tar, first in 00001.tar; mind", "duplicate key in a.tar, first in b.tar; mind"),
        ("00000.parquet cannot be read: torn", "train/x.parquet cannot be read: torn"),
        ("512 x 30 pixels", "1 x 99999 pixels"),
        ("512x30 pixels", "1x9 pixels"),
        ("no sample 0f8fad5b-d9cb-469f-a165-70867728950e", "no sample 7c9e6679-7425-40de-944b-e07fc1f90ae7"),
        ("no file called 'aaa" + "a" * 600, "no file called 'bbb" + "b" * 600),
    ],
)  # fmt: skip
def test_equal_causes_are_one_kind(one, other):
    assert list(kinds(one, other).values()) == [2]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("image: format GIF is not allowed", "image: format JPEG2000 is not allowed"),
        ("image: format JPEG is not allowed", "image: format JPEG2000 is not allowed"),
        ("/a.jpg: No such file or directory", "/a.jpg: Permission denied"),
        ("the image doesn't open", "the image can't be read, isn't it"),
        ("read and/or write", "read and/or seek"),
        ("the image has no bytes", "the record has no image"),
    ],
)
def test_different_causes_stay_apart(one, other):
    assert len(kinds(one, other)) == 2


def test_words_stay_as_they_are():
    reason = "the sample has neither an image nor a text"
    assert kinds(reason) == {f"gather: {reason}": 1}
    assert tally([reject("x", "a"), reject("x", "b")])["rejects"] == {"a: x": 1, "b: x": 1}


def word(number):
    return "".join("abcdefghij"[int(digit)] for digit in str(number))


def test_the_kinds_of_a_shard_are_bounded_and_add_up():
    reasons = ["often"] * 5 + [word(i) for i in range(1000)] + ["often"] * 5
    found = kinds(*reasons)
    assert len(found) == 51
    assert found["gather: often"] == 10
    assert (
        found["other reasons"] == 1010 - sum(n for kind, n in found.items() if kind != "other reasons") == 951
    )


@given(st.lists(st.text(st.characters(exclude_categories=()), max_size=60)))
def test_every_reject_is_counted_once_and_briefly(reasons):
    found = tally([reject(reason) for reason in reasons]).get("rejects", {})
    assert sum(found.values()) == len(reasons)
    assert all(len(kind) <= len("gather: ") + 80 * len("\\U0010f800") for kind in found)
    "".join(found).encode()


def test_records_are_counted_by_what_stands_for_them():
    original = Caption(
        text="DOG", origin="alt", provenance=Provenance(stage="source"), flags={"shouting": "all capitals"}
    )
    cleaned = Caption(
        text="Dog",
        origin="alt",
        provenance=Provenance(stage="normalise", details={"rules": {"case": 2}, "tokens_lost": 3}),
    )
    seen = (Evidence(kind="tag", label="dog", source="s"),)
    some = [
        Record(key="a", captions=(original, cleaned), chosen=cleaned.id, evidence=seen),
        Record(key="b", captions=(original,), chosen=original.id),
        Record(key="c"),
    ]
    assert tally(some) == {
        "chosen": {
            "(came without a text)": 1,
            "none": 1,
            "the original, cleaned": 1,
            "the original, unchanged": 1,
        },
        "flags": {"shouting": 2},
        "rules": {"case": 2},
        "evidence": {"tag": 1},
        "fit": {"captions shortened": 1, "tokens lost": 3},
    }


def test_shards_add_up():
    assert merge([{"flags": {"a": 1}}, {"flags": {"a": 2, "b": 9}, "rules": {"c": 1}}]) == {
        "flags": {"b": 9, "a": 3},
        "rules": {"c": 1},
    }


def test_names_are_text_that_a_marker_can_hold():
    flagged = Caption(text="x", origin="alt", provenance=Provenance(stage="source"), flags={"\ud800": "r"})
    found = tally([reject("lone \ud800"), reject("lone \ud800"), Record(key="a", captions=(flagged,))])
    assert found["rejects"] == {"gather: lone \\ud800": 2}
    assert found["flags"] == {"\\ud800": 1}


def wrote(origin, best):
    source = Caption(text="a text", origin="alt", provenance=Provenance(stage="source"))
    made = Caption(text="another", origin=origin, provenance=Provenance(stage="caption"))
    chosen = {"original": source, "made": made}[best]
    return Record(key="k", captions=(source, made), chosen=chosen.id)


def test_it_is_counted_how_often_the_original_stays_where_a_model_wrote():
    records = [wrote("model", "made"), wrote("model", "original"), wrote("composed", "original")]
    without = Caption(text="alone", origin="model", provenance=Provenance(stage="caption"))
    records.append(Record(key="k", captions=(without,), chosen=without.id))
    assert tally(records)["contest"] == {"a model wrote beside an original": 2, "the original stays": 1}
    assert "contest" not in tally(records[2:])


def test_a_models_digest_is_not_part_of_a_cause():
    reasons = [f"llava@{digest}: image: not a known format" for digest in ("55a9b169", "0ab00000")]
    assert kinds(*reasons) == {"gather: llava: image: not a known format": 2}


def test_a_long_cause_says_that_it_is_cut():
    (kind,) = kinds("word " * 40)
    assert kind.endswith("…")
    assert len(kind) == len("gather: ") + 80
