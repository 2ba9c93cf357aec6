import csv
import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recaption.audit.interchange import ExportOptions, ImportOptions, export_items, import_verdicts
from recaption.audit.interchange.csv_sheet import guarded, unguarded
from recaption.audit.interchange.items import plain
from recaption.core.errors import UserError
from recaption.core.types import Image
from tests.growth import grows_in_proportion
from tests.unit.audit.interchange.audits import HOSTILE, audit, captions, names, picture, sheet, standing

NO_PICTURES = ExportOptions(images="none")


def exported(store, target, **options):
    export_items(store, target, "csv", options=ExportOptions(images="none", **options))
    return read(target)


def read(target, delimiter=","):
    return list(
        csv.DictReader(io.StringIO(target.read_bytes().decode("utf-8-sig"), newline=""), delimiter=delimiter)
    )


def saved(target, rows, *, delimiter=",", encoding="utf-8-sig"):
    """Write rows as a spreadsheet saves them."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    target.write_bytes(out.getvalue().encode(encoding))


def filled_in(store, folder, **cells):
    rows = exported(store, folder / "given.csv")
    for row in rows:
        row.update({"auditor": "Anna", **cells})
    saved(folder / "back.csv", rows)
    return folder / "back.csv"


CUTS = st.text(alphabet=";,\t\r\n\"' =+-@＝x")


@given(CUTS | st.text())
def test_a_guarded_cell_computes_nothing_and_can_be_taken_back(text):
    safe = guarded(text)
    assert unguarded(safe) == text
    assert safe[:1] not in set("=+-@\t\r\n＝＋－＠")
    for piece in re.split("[;,\t\r\n]", safe):
        assert piece.strip(' "')[:1] not in set("=+-@＝＋－＠")


@given(st.text(alphabet="ab c.é-=+1", min_size=1))
def test_what_a_person_wrote_is_left_as_it_is(text):
    assert unguarded(text) == text


def test_guarding_takes_time_in_proportion():
    assert grows_in_proportion(lambda lines: unguarded(guarded("\n" * lines)), 100_000)


def test_a_file_with_commas_that_is_cut_at_semicolons_computes_nothing(tmp_path):
    attack = "a cat\";=cmd|' /C calc'!A0;\"\n=1+1;\t@SUM(A1), +1 "
    with audit(tmp_path, captions(attack)) as store:
        [row] = exported(store, tmp_path / "a.csv")
    assert unguarded(row["caption"]) == attack
    for line in (tmp_path / "a.csv").read_text("utf-8-sig").splitlines():
        for cell in line.split(";"):
            assert cell.strip(' "\t')[:1] not in set("=+-@")


def test_no_cell_of_a_hostile_sheet_begins_like_a_formula(tmp_path):
    with audit(tmp_path, captions(*HOSTILE), keys=[f"={n}" for n in range(len(HOSTILE))]) as store:
        rows = exported(store, tmp_path / "a.csv")
        assert (tmp_path / "a.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert len(rows) == len(HOSTILE)
    for row, text in zip(rows, HOSTILE, strict=True):
        assert unguarded(row["caption"]) == plain(text)
        assert not any(cell[:1] in tuple("=+-@\t\r\n＝＋－＠") for cell in row.values() if cell)


def test_no_id_can_be_taken_for_a_number(tmp_path):
    with audit(tmp_path, captions(*map(str, range(300)))) as store:
        for row in exported(store, tmp_path / "a.csv"):
            assert re.match("[iv][0-9a-f]", row["item"])
            assert re.match("[iv][0-9a-f]", row["version"])


texts = st.sampled_from([*HOSTILE, "a cat on a mat", "a copy", ""]) | st.text(max_size=40)
verdicts = st.sampled_from(["accept", "edit", "reject", "skip", ""])
people = st.lists(st.tuples(st.sampled_from(range(len(HOSTILE))), verdicts, texts, texts), max_size=5)


@given(
    said=st.lists(people, min_size=3, max_size=4),
    delimiter=st.sampled_from([",", ";", "\t"]),
    careless=st.booleans(),
)
@settings(max_examples=3)
def test_what_was_filled_in_is_what_stands(tmp_path_factory, said, delimiter, careless):
    folder = tmp_path_factory.mktemp("csv")
    with audit(folder, captions(*HOSTILE), overlap=100) as store:
        given_out = exported(store, folder / "a.csv")
        expected = {}
        for person, answers in enumerate(said):
            rows = [{**row, "auditor": f" Anna {person} "} for row in given_out]
            for number, verdict, text, reason in answers:
                text, reason = plain(text), plain(reason)[:2_000]
                rows[number].update(verdict=f" {verdict.upper()} " if careless else verdict)
                rows[number].update(text=rows[number]["caption"] if text == "a copy" else text, reason=reason)
            for number, row in enumerate(rows):
                word = expected_word(row, HOSTILE[number])
                if word is not None:
                    expected[f"key {number}", f"Anna {person}"] = word
            saved(folder / "b.csv", rows, delimiter=delimiter)
            counts = import_verdicts(store, folder / "b.csv", "csv")
            assert sum(counts.get(kind, 0) for kind in EVERY_ROW) == len(rows)
            log = list(store.verdicts())
            again = import_verdicts(store, folder / "b.csv", "csv")
            assert list(store.verdicts()) == log
            assert (again["imported"], again["revised"]) == (0, 0)
        assert standing(store) == expected


EVERY_ROW = ("imported", "skipped", "not judged", "refused")


def expected_word(row, shown):
    verdict, text = row["verdict"].strip().lower(), row["text"]
    text = unguarded(text) if text == row["caption"] else text  # copied as it stood there, or typed
    text, shown = (t.replace("\r\n", "\n").replace("\r", "\n").strip() for t in (text, plain(shown)))
    changed = text not in ("", shown)
    if verdict == "reject":
        return "reject", None
    if verdict != "skip" and changed:
        return "edit", text
    return ("accept", None) if verdict == "accept" else None


@pytest.mark.parametrize(
    ("caption", "typed", "meant"),
    [
        ("A shop window", "Two signs, '-50 %' and 'SALE'", "Two signs, '-50 %' and 'SALE'"),
        ("A shop window", "'+1' is painted on it", "'+1' is painted on it"),
        ("-50 % on shoes; =SUM", "'-50 % on red shoes; '=SUM", "-50 % on red shoes; =SUM"),
        ("-50 % on shoes", "'-50 % on shoes, '@home' below", "-50 % on shoes, '@home' below"),
    ],
)
def test_only_an_apostrophe_that_was_copied_is_taken_off(tmp_path, caption, typed, meant):
    with audit(tmp_path, captions(caption)) as store:
        import_verdicts(store, filled_in(store, tmp_path, verdict="edit", text=typed, note="'- so"), "csv")
        assert standing(store) == {("key 0", "Anna"): ("edit", meant)}
        assert [verdict.draft.note for verdict in store.verdicts()] == ["'- so"]


def test_an_accept_with_another_text_is_an_edit_and_said_so(tmp_path):
    with audit(tmp_path, captions("a cat")) as store:
        counts = import_verdicts(store, filled_in(store, tmp_path, verdict="accept", text="a black cat"), "csv")
        assert counts["accepted with another text, taken as edits"] == 1
        assert standing(store) == {("key 0", "Anna"): ("edit", "a black cat")}


def test_an_edit_that_changes_nothing_is_refused(tmp_path):
    told: list[str] = []
    with audit(tmp_path, captions("a cat")) as store:
        source = filled_in(store, tmp_path, verdict="edit", text="a cat\r\n")
        counts = import_verdicts(store, source, "csv", tell=told.append)
    assert counts["refused"] == 1
    assert told == ["line 2: says `edit`, but the text is as it was"]


def test_rows_left_empty_are_not_judged(tmp_path):
    with audit(tmp_path, captions("a", "b")) as store:
        counts = import_verdicts(store, filled_in(store, tmp_path, auditor=""), "csv")
        assert counts["not judged"] == 2
        assert counts["imported"] == 0
        assert store.auditors() == []


def test_texts_are_compared_blind_by_letters(tmp_path):
    sheets = [sheet(f"new {n}", f"old {n}", f"more {n}") for n in range(20)]
    with audit(tmp_path, sheets, task="compare", captions=3) as store:
        rows = exported(store, tmp_path / "a.csv")
        assert not {"caption", "original", "text"} & set(rows[0])
        firsts = {row["a"].split()[0] for row in rows}
        assert firsts == {"new", "old", "more"}
        for row in rows:
            best = next(letter for letter in "abc" if row[letter].startswith("old"))
            row.update(verdict=best, auditor="Bo")
        rows[0].update(verdict="none", reason="all wrong")
        saved(tmp_path / "b.csv", rows)
        assert import_verdicts(store, tmp_path / "b.csv", "csv")["imported"] == 20
        drafts = [v.draft for v in store.verdicts()]
    assert [d.action for d in drafts] == ["reject"] + ["prefer"] * 19
    assert {d.preferred for d in drafts[1:]} == {"old"}


def test_one_name_for_the_whole_file(tmp_path):
    with audit(tmp_path, captions("a cat")) as store:
        source = filled_in(store, tmp_path, verdict="accept", auditor="")
        with pytest.raises(UserError, match="line 2 does not say who judged"):
            import_verdicts(store, source, "csv")
        import_verdicts(store, source, "csv", options=ImportOptions(auditor="Cem"))
        assert list(standing(store)) == [("key 0", "Cem")]


def test_a_file_that_was_mended_twice_says_what_it_says_now(tmp_path):
    with audit(tmp_path, captions("a cat")) as store:
        for verdict in ("accept", "reject", "accept"):
            (tmp_path / "given.csv").unlink(missing_ok=True)
            import_verdicts(store, filled_in(store, tmp_path, verdict=verdict), "csv")
            if verdict == "accept":
                continue
        # The third file is the first one, byte for byte, and was imported: it changes nothing.
        assert standing(store) == {("key 0", "Anna"): ("reject", None)}
        (tmp_path / "given.csv").unlink()
        import_verdicts(store, filled_in(store, tmp_path, verdict="accept", note="after all"), "csv")
        assert standing(store) == {("key 0", "Anna"): ("accept", None)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.replace('"verdict"', '"verdikt"'), "unknown column 'verdikt'. Did you mean 'verdict'"),
        (lambda t: t.replace('"version"', '"note"'), "two columns are called 'note'"),
        (lambda t: t.replace('"version"', '""'), "there is no column 'version'"),
        (lambda t: t.rstrip()[:-1] + "\n" * 9, "a quote is never closed"),
        (lambda t: t + '"' + "x" * 4_300_000, "field larger than field limit"),
        (lambda t: t + "y" * 4_300_000, "line 3: a cell of 4,194,304 characters"),
        (lambda t: t + "a," * 50 + "\r\n", "cells under"),
        (lambda t: "", "does not name columns"),
        (lambda t: "\x00" * 100, "not UTF-8 text"),
        (lambda t: t + t.split("\r\n")[1], "'Anna' has judged this item already, in line 2"),
    ],
)
def test_a_damaged_file_gives_one_line_and_changes_nothing(untouched, tmp_path, change, message):
    rows = read(filled_in(untouched, tmp_path, verdict="accept"))
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]), quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows(rows[:1])
    source = tmp_path / "b.csv"
    source.write_bytes(change(out.getvalue()).encode())
    with pytest.raises(UserError, match=message) as error:
        import_verdicts(untouched, source, "csv")
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500
    assert list(untouched.verdicts()) == []


def test_what_excel_saves_as_plain_csv_is_not_guessed(tmp_path):
    with audit(tmp_path, captions("a café")) as store:
        rows = exported(store, tmp_path / "a.csv")
        rows[0].update(verdict="edit", text="ein Café, schön", auditor="Anna")
        saved(tmp_path / "b.csv", rows, encoding="cp1252")
        with pytest.raises(UserError, match="is not UTF-8; save the file as CSV UTF-8"):
            import_verdicts(store, tmp_path / "b.csv", "csv")


def test_an_answer_on_other_captions_is_refused(tmp_path):
    told: list[str] = []
    with audit(tmp_path, captions("a cat")) as store:
        source = filled_in(store, tmp_path, verdict="accept", version="v0123")
        assert import_verdicts(store, source, "csv", tell=told.append)["refused"] == 1
    assert told == ["line 2: was given on other captions than the audit has now"]


def test_items_of_another_audit_are_counted(tmp_path):
    told: list[str] = []
    with (
        audit(tmp_path, captions("a cat"), keys=["other"]) as other,
        audit(tmp_path, captions("a cat")) as store,
    ):
        source = filled_in(other, tmp_path, verdict="accept")
        assert import_verdicts(store, source, "csv", tell=told.append)["unknown items"] == 1
        assert names(store) != names(other)
    assert told == ["line 2: the audit has no such item"]


def test_a_verdict_names_the_captions_it_was_given_on(tmp_path):
    with audit(tmp_path, captions("a cat"), guideline="Be fair.") as store:
        import_verdicts(store, filled_in(store, tmp_path, verdict="accept", note="well"), "csv")
        [verdict] = store.verdicts()
    assert verdict.draft.shown == sheet("a cat", "alt of a cat").version
    assert verdict.draft.note == "well"
    assert verdict.draft.guideline is None  # a sheet of cells has no place for it


def test_pictures_lie_beside_the_sheet(tmp_path):
    with audit(tmp_path, [sheet("a cat", image=Image(data=picture()))]) as store:
        assert export_items(store, tmp_path / "a.csv", "csv")["pictures"] == 1
    [row] = read(tmp_path / "a.csv")
    assert (tmp_path / row["image"]).read_bytes().startswith(b"\xff\xd8")


def test_pieces_of_rows_are_refused_and_empty_rows_are_not_judged(tmp_path):
    told: list[str] = []
    with audit(tmp_path, captions("a cat")) as store:
        source = filled_in(store, tmp_path, verdict="accept")
        with source.open("ab") as file:
            file.write(b",,,,\r\n\r\nleft over,,,\r\n")
        counts = import_verdicts(store, source, "csv", tell=told.append)
    assert (counts["imported"], counts["not judged"], counts["refused"]) == (1, 1, 1)
    assert told == ["line 5: names no item"]
