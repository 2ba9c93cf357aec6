from typing import Any, cast

import pytest

from recaption.audit.interchange import recording
from recaption.audit.interchange.answers import Answer, Aside
from recaption.audit.interchange.items import Outing, item_name
from recaption.audit.interchange.options import ExportOptions, ImportOptions
from recaption.audit.interchange.recording import MOST_TOLD, auditor_name, take_in
from recaption.audit.types import AuditItem
from recaption.core.errors import BackendError, RunFolderError, UnknownNameError, UserError
from tests.unit.audit.interchange.audits import audit, captions, sheet, standing


def answer(number=0, auditor="Anna", *, choice="accept", source=None, text="a cat", **more):
    return Answer(
        place=f"answer {number} of {auditor}",
        item=item_name(f"key {number}"),
        version=f"v{sheet('a cat', 'alt of a cat').version}",
        auditor=auditor,
        choice=choice,
        text=text,
        source=source or f"{number} {auditor} {choice}",
        **more,
    )


def taken(store, *answers, **options):
    told: list[str] = []
    counts = take_in(Outing.of(store), answers, ImportOptions(**options), told.append)
    return counts, told


def test_what_comes_too_late_is_refused_with_the_stores_words(tmp_path):
    with audit(tmp_path, captions("a cat"), overlap=1) as store:
        counts, told = taken(store, answer(), answer(auditor="Bo"))
        assert standing(store) == {("key 0", "Anna"): ("accept", None)}
    assert (counts["imported"], counts["refused"]) == (1, 1)
    assert told[0].startswith("answer 0 of Bo: not saved")


def test_whoever_was_taken_off_is_refused(tmp_path):
    with audit(tmp_path, captions("a cat")) as store:
        person, _ = store.add_auditor("Anna")
        store.dismiss_auditor(person.id)
        counts, told = taken(store, answer())
    assert counts["refused"] == 1
    assert "was taken off this audit" in told[0]


def test_the_place_that_somebody_holds_is_used(tmp_path):
    with audit(tmp_path, captions("a cat"), overlap=1) as store:
        person, _ = store.add_auditor("Anna")
        assert store.next_item(person.id) is not None
        assert taken(store, answer())[0]["imported"] == 1
        assert store.progress().leased == 0


def test_a_damaged_end_leaves_nothing_behind(tmp_path):
    def breaks():
        yield answer()
        raise UserError("damaged")

    with audit(tmp_path, captions("a cat")) as store:
        with pytest.raises(UserError, match="damaged"):
            take_in(Outing.of(store), breaks(), ImportOptions(), print)
        assert (list(store.verdicts()), store.auditors()) == ([], [])


def test_an_import_that_broke_off_goes_on_where_it_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(recording, "AT_ONCE", 3)
    answers = [answer(n, choice="aceppt" if n in (1, 6) else "accept") for n in range(8)]
    with audit(tmp_path, captions(*["a cat"] * 8)) as store:
        record = store.record
        told: list[str] = []

        def gone(verdicts):
            if any(verdict.key == "key 5" for verdict in verdicts):
                raise BackendError("the database is gone")
            return record(verdicts)

        with monkeypatch.context() as patch:
            patch.setattr(store, "record", gone)
            with pytest.raises(BackendError):
                take_in(Outing.of(store), answers, ImportOptions(), told.append)
        assert [line[: len("answer 1")] for line in told] == ["answer 1"]
        assert standing(store).keys() == {("key 0", "Anna"), ("key 2", "Anna")}
        counts, told = taken(store, *answers)
    assert (counts["unchanged"], counts["imported"], counts["refused"]) == (2, 4, 2)
    assert [line[: len("answer 1")] for line in told] == ["answer 1", "answer 6"]


def test_the_lines_told_are_bounded_and_the_rest_is_counted(tmp_path):
    with audit(tmp_path, captions("a cat")) as store:
        strangers = [answer(number) for number in range(1, MOST_TOLD + 12)]
        counts, told = taken(store, *strangers)
    assert counts["unknown items"] == len(strangers)
    assert len(told) == MOST_TOLD + 1
    assert told[-1] == "and 11 more like these"


def test_what_is_told_cannot_drive_a_terminal(tmp_path):
    with audit(tmp_path, captions("a cat")) as store:
        _, told = taken(
            store, Aside("refused", "line \x1b[31m1", "no\nsuch\u202ething"), answer(choice="\x1b]0;x\x07")
        )
    assert all(line.isprintable() for line in told)


def test_a_thousand_names_are_not_a_thousand_people(tmp_path, monkeypatch):
    monkeypatch.setattr(recording, "MAX_NEW_AUDITORS", 3)
    with audit(tmp_path, captions(*["a cat"] * 6)) as store:
        counts, told = taken(store, *(answer(n, f"person {n}") for n in range(6)))
        assert len(store.auditors()) == 3
    assert counts["refused"] == 3
    assert "more than 3 people" in told[0]


def test_a_rejected_text_that_was_changed_is_kept_as_a_note(tmp_path):
    with audit(tmp_path, captions("a cat")) as store:
        taken(store, answer(choice="reject", text="a dog", note="odd"))
        [verdict] = store.verdicts()
    assert verdict.draft.note == "odd\nThe text was changed to: a dog"
    assert verdict.draft.text is None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"text": "x" * 20_001}, "the text has 20,001 characters"),
        ({"reason": "x" * 2_001}, "a reason or note of more than 2,000"),
        ({"choice": "aceppt"}, "unknown verdict 'aceppt'. Did you mean 'accept'"),
        ({"choice": "edit"}, "the text is as it was"),
        ({"choice": ""}, "says nothing of the item"),
    ],
)
def test_what_cannot_be_taken_is_said(untouched, change, why):
    counts, told = taken(untouched, answer(**change))
    assert counts["refused"] == 1
    assert why in told[0]


def test_a_store_of_something_else_is_said(tmp_path):
    with audit(tmp_path, []) as store:
        store.add_items([AuditItem(key="key 0", payload={"caption": "a cat"})])
        with pytest.raises(RunFolderError, match="holds no captions of a run"):
            taken(store, answer())


@pytest.mark.parametrize(
    ("name", "clean"), [("  Anna  Bo ", "Anna Bo"), ("e\u0301", "é"), ("\x00\n", ""), ("x" * 64, "x" * 64)]
)
def test_names_are_evened(name, clean):
    assert auditor_name(name) == clean


def test_options_that_make_no_sense_are_refused():
    with pytest.raises(UnknownNameError, match="'copy'"):
        ExportOptions(images=cast(Any, "copi"))
    with pytest.raises(UserError, match="64 to 4,096"):
        ExportOptions(max_side_px=9)
    with pytest.raises(UserError, match="delimited"):
        ExportOptions(delimiter=cast(Any, "|"))
