"""The file of rulings: equal ones are equal bytes, what is hostile comes back as it was, what is torn is refused."""

import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.core.digests import digest_json
from recaption.core.errors import RunFolderError
from recaption.datasets.rulings import MAX_LINE_BYTES, Ruling, read_rulings, rulings_place, write_rulings

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=40)  # lone surrogates and NUL included
WRITTEN = ANY_TEXT.filter(lambda text: bool(text.strip()))
ACCEPT = Ruling(key="a", shown="1", outcome="accept")
EDIT = Ruling(
    key="b",
    shown="2",
    outcome="edit",
    text="A dog\ud800.",
    reason="wrong colour",
    version="v",
    auditors=("Ann", "Bo"),
    said=2,
    of=3,
    guideline="g1",
    at=12.5,
    verdicts=(4, 9),
)


@st.composite
def rulings(draw):
    outcome = draw(st.sampled_from(["accept", "edit", "reject", "prefer"]))
    of = draw(st.integers(1, 5))
    return Ruling(
        key=draw(ANY_TEXT),
        shown=draw(ANY_TEXT),
        outcome=outcome,
        text=draw(WRITTEN) if outcome == "edit" else None,
        preferred=draw(ANY_TEXT) if outcome == "prefer" else None,
        rejected=tuple(draw(st.lists(ANY_TEXT, max_size=2))) if outcome == "reject" else (),
        reason=draw(ANY_TEXT),
        auditors=tuple(draw(st.lists(ANY_TEXT, max_size=3))),
        said=draw(st.integers(1, of)),
        of=of,
        at=draw(st.floats(allow_nan=False, allow_infinity=False)),
        verdicts=tuple(draw(st.lists(st.integers(), max_size=3))),
        audit=draw(st.integers(0, 2)),
        picture=draw(ANY_TEXT),
    )


@given(st.lists(rulings(), max_size=5, unique_by=lambda ruling: (ruling.key, ruling.audit)), st.randoms())
def test_what_is_written_is_read_in_whatever_order_it_came(tmp_path_factory, given_rulings, random):
    folder = tmp_path_factory.mktemp("rulings")
    one, two = folder / "one", folder / "two"
    assert write_rulings(one, given_rulings) == len(given_rulings)
    random.shuffle(given_rulings)
    write_rulings(two, given_rulings)
    assert one.read_bytes() == two.read_bytes()
    assert one.read_bytes().isascii()
    found = read_rulings(one)
    assert sorted(found) == sorted({ruling.key for ruling in given_rulings})
    for key, several in found.items():
        assert list(several) == sorted((r for r in given_rulings if r.key == key), key=lambda r: r.audit)


def test_no_file_is_no_rulings(tmp_path):
    assert read_rulings(rulings_place(tmp_path)) == {}


def test_a_field_that_says_something_else_is_another_digest():
    assert (
        len({replace(EDIT, **change).digest for change in ({}, {"text": "x"}, {"at": 1.0}, {"said": 1})}) == 4
    )


@pytest.mark.parametrize(
    "bad",
    [
        {"outcome": "edit"},
        {"outcome": "edit", "text": " \n"},
        {"outcome": "accept", "text": "x"},
        {"outcome": "prefer"},
        {"outcome": "accept", "rejected": ("x",)},
        {"outcome": "undo"},
        {"outcome": "accept", "said": 2},
        {"outcome": "accept", "said": 0},
        {"outcome": "accept", "at": float("nan")},
    ],
)
def test_what_nobody_can_have_decided_is_no_ruling(bad):
    with pytest.raises(ValueError, match=r"\w"):
        Ruling(key="a", shown="1", **bad)


def test_what_older_files_do_not_say_changes_no_digest():
    old = {**asdict(EDIT)}
    assert (old.pop("audit"), old.pop("picture")) == (0, "")
    assert EDIT.digest == digest_json(old)
    assert len({EDIT.digest, replace(EDIT, audit=1).digest, replace(EDIT, picture="p").digest}) == 3


def test_a_file_that_does_not_say_of_which_audit_its_rulings_are_is_read(tmp_path):
    place = tmp_path / "rulings.jsonl"
    place.write_bytes(b'{"format":1,"of":"recaption rulings","rulings":1}\n' + line() + b"\n")
    assert read_rulings(place) == {"b": (Ruling(key="b", shown="1", outcome="accept"),)}


def test_two_rulings_of_one_audit_on_one_record_are_refused_and_nothing_is_written(tmp_path):
    place = rulings_place(tmp_path)
    write_rulings(place, [ACCEPT])
    before = place.read_bytes()
    with pytest.raises(ValueError, match="two rulings"):
        write_rulings(place, [ACCEPT, replace(EDIT, key="a")])
    with pytest.raises(RunFolderError, match="can be read again"):
        write_rulings(place, [replace(EDIT, text="x" * MAX_LINE_BYTES)])
    assert place.read_bytes() == before
    assert [p.name for p in place.parent.iterdir()] == [place.name]


def line(**changed):
    told = {"key": "b", "shown": "1", "outcome": "accept", **changed}
    return json.dumps({name: value for name, value in told.items() if value is not None}).encode()


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([b""], "line 1, is damaged"),
        ([b"[1]"], "not an object"),
        ([b'{"format":1,"of":"other","rulings":0}'], "this version reads format 1"),
        ([b'{"format":2,"of":"recaption rulings","rulings":0}'], "begins with format 2"),
        ([b'{"format":1,"of":"recaption rulings","rulings":2}', line()], "holds 1 rulings of 2"),
        ([b'{"format":1,"of":"recaption rulings","rulings":0}', line()], "holds 1 rulings of 0"),
        ([b'{"format":1,"of":"recaption rulings","rulings":2}', line(), line()], "a second ruling"),
        (
            [b'{"format":1,"of":"recaption rulings","rulings":2}', line(audit=2), line(audit=1)],
            "line 3, is damaged: a second ruling",
        ),
        *(
            ([b'{"format":1,"of":"recaption rulings","rulings":1}', bad], "line 2, is damaged")
            for bad in (
                b'{"key":',
                b"\xff\xfe",
                b"[" * 100_000,
                line(outcome="maybe"),
                line(outcome=None),
                line(key=3),
                line(auditors="Ann"),
                line(verdicts=[True]),
                line(verdicts=["1"]),
                line(said=True),
                line(audit="1"),
                line(audit=True),
                line(picture=1),
                line(at=None) + b"x",
                b'{"key":"b","shown":"1","outcome":"accept","at":NaN}',
                b'{"key":"b","shown":"1","outcome":"accept","at":1' + b"0" * 400 + b"}",
                line(colour="red"),
                line(text="an accept has none"),
                b'"' + b"x" * MAX_LINE_BYTES + b'"',
            )
        ),
    ],
)
def test_what_is_damaged_or_of_another_version_is_refused_in_one_line(tmp_path, lines, said):
    place = tmp_path / "rulings.jsonl"
    place.write_bytes(b"\n".join(lines) + b"\n")
    with pytest.raises(RunFolderError, match=said) as caught:
        read_rulings(place)
    assert "recaption audit apply" in str(caught.value)
    assert len(str(caught.value)) < 700
    assert "\n" not in str(caught.value)


def test_a_folder_in_its_place_is_said(tmp_path):
    with pytest.raises(RunFolderError, match="cannot be read"):
        read_rulings(tmp_path)
