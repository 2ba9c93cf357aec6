import json
import math
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recaption.audit.interchange import ExportOptions, ImportOptions, export_items, import_verdicts
from recaption.audit.interchange.items import plain
from recaption.core.errors import RunFolderError, UserError
from recaption.core.types import Image
from tests.unit.audit.interchange.audits import HOSTILE, audit, captions, picture, sheet, standing

NO_PICTURES = ExportOptions(images="none")


def exported(store, target):
    export_items(store, target, "label-studio", options=NO_PICTURES)
    return json.loads(target.read_bytes())


def annotation(number, *, verdict=None, text=None, reason=None, **more):
    """Return an annotation as the server writes it."""
    result = []
    if verdict is not None:
        result.append(region("verdict", "choices", {"choices": [verdict]}))
    for name, value in (("text", text), ("reason", reason)):
        if value is not None:
            result.append(region(name, "textarea", {"text": [value]}))
    return {
        "id": number,
        "completed_by": 1,
        "result": result,
        "was_cancelled": False,
        "ground_truth": False,
        "created_at": "2026-01-01T00:00:00.000000Z",
        "updated_at": "2026-01-01T00:00:00.000000Z",
        "lead_time": 4.25,
        **more,
    }


def region(name, kind, value):
    return {
        "id": f"r{name}",
        "from_name": name,
        "to_name": "image",
        "type": kind,
        "origin": "manual",
        "value": value,
    }


def taken_back(tasks, target, *annotations):
    """Write an export in which the first task has the annotations, the second those after it and so on."""
    for number, task in enumerate(tasks, start=1):
        task.update(id=number, project=3, drafts=[], annotations=[])
    for task, given_to_it in zip(tasks, annotations, strict=False):
        task["annotations"] = given_to_it
    target.write_text(json.dumps(tasks))
    return target


def test_tasks_hold_the_caption_as_a_pre_annotation(tmp_path):
    with audit(tmp_path, captions(*HOSTILE)) as store:
        tasks = exported(store, tmp_path / "a.json")
    assert [task["predictions"][0]["result"][0]["value"]["text"] for task in tasks] == [
        [plain(t)] for t in HOSTILE
    ]
    assert all(
        set(task["data"]) == {"image", "key", "item", "version", "caption", "original"} for task in tasks
    )
    assert not any("\x00" in text or "\ud800" in text for task in tasks for text in task["data"].values())


def test_the_interface_is_xml_whatever_the_guideline_holds(tmp_path):
    guideline = "<View>&\"'\n$price is right\n\x00\x1b"
    with audit(tmp_path, captions("a"), guideline=guideline) as store:
        exported(store, tmp_path / "a.json")
    root = ElementTree.fromstring((tmp_path / "a.xml").read_bytes())
    headers = [h.get("value") for h in root.iter("Header")]
    assert headers[:2] == ["<View>&\"'", " $price is right"]
    variables = {e.get("value") for e in root.iter() if (e.get("value") or "").startswith("$")}
    assert variables == {"$image", "$caption", "$original"}


def test_pictures_are_encoded_anew_under_names_that_say_nothing(tmp_path):
    secret = tmp_path / "home" / "secret name.jpg"
    secret.parent.mkdir()
    secret.write_bytes(picture())
    sheets = [sheet("a", image=Image(path=str(secret))), sheet("b", image=Image(data=b"<html>")), sheet("c")]
    told: list[str] = []
    with audit(tmp_path, sheets) as store:
        counts = export_items(store, tmp_path / "my tasks.json", "label-studio", tell=told.append)
    assert counts == {"items": 3, "pictures": 1, "without a picture": 2}
    tasks = json.loads((tmp_path / "my tasks.json").read_bytes())
    [copy] = (tmp_path / "my tasks_images").iterdir()
    assert tasks[0]["data"]["image"] == f"/data/local-files/?d=my%20tasks_images/{copy.name}"
    assert copy.read_bytes().startswith(b"\xff\xd8")
    assert b"taken at home" not in copy.read_bytes()
    assert "secret" not in (tmp_path / "my tasks.json").read_text()
    assert any(f"DOCUMENT_ROOT='{tmp_path}'" in line and "my tasks_images" in line for line in told)
    assert [line for line in told if "no picture of 'key 1'" in line and "HTML is not allowed" in line]


def test_images_are_linked_below_the_folder_that_is_served(tmp_path):
    inside, outside = tmp_path / "served" / "sub" / "ü 1.jpg", tmp_path / "other.jpg"
    sheets = [
        sheet("a", image=Image(path=str(inside))),
        sheet("b", image=Image(path=str(outside))),
        sheet("c", image=Image(path=str(inside), offset=0, length=3)),
        sheet("d", image=Image(url="https://example.org/d.jpg")),
        sheet("e", image=Image(url="javascript:alert(1)")),
    ]
    options = ExportOptions(images="link", image_root=tmp_path / "served", image_prefix="/pictures/")
    with audit(tmp_path, sheets) as store:
        counts = export_items(store, tmp_path / "a.json", "label-studio", options=options)
        with pytest.raises(UserError, match="image root"):
            export_items(store, tmp_path / "b.json", "label-studio", options=ExportOptions(images="link"))
    images = [task["data"]["image"] for task in json.loads((tmp_path / "a.json").read_bytes())]
    assert images == ["/pictures/sub/%C3%BC%201.jpg", "—", "—", "https://example.org/d.jpg", "—"]
    assert counts["without a picture"] == 3


def test_nothing_is_written_over(tmp_path):
    (tmp_path / "a.xml").write_text("mine")
    with audit(tmp_path, captions("a")) as store:
        with pytest.raises(RunFolderError, match="already there"):
            exported(store, tmp_path / "a.json")
        assert not (tmp_path / "a.json").exists()


def test_two_people_a_skip_a_draft_and_what_they_did(tmp_path):
    told: list[str] = []
    with audit(tmp_path, captions("a cat", "a dog", "a cow")) as store:
        tasks = exported(store, tmp_path / "a.json")
        source = taken_back(
            tasks,
            tmp_path / "b.json",
            [
                annotation(1, verdict="accept", text="a cat", completed_by=7),
                annotation(
                    2, verdict="accept", text="a black cat", completed_by={"id": 8, "email": "bo@example.org"}
                ),
            ],
            [annotation(3, was_cancelled=True), annotation(4, verdict="reject", reason="no dog", text="a dog")],
            [annotation(5)],
        )
        tasks[2]["drafts"] = [{"result": []}, {"result": []}]
        source.write_text(json.dumps(tasks))
        counts = import_verdicts(
            store,
            source,
            "label-studio",
            tell=told.append,
            options=ImportOptions(names={"label-studio:7": "Anna"}),
        )
        assert standing(store) == {
            ("key 0", "Anna"): ("accept", None),
            ("key 0", "bo@example.org"): ("edit", "a black cat"),
            ("key 1", "label-studio:1"): ("reject", None),
        }
        assert [v.draft.took_ms for v in store.verdicts()] == [4_250] * 3
        assert [v.draft.reason for v in store.verdicts()][-1] == "no dog"
    assert counts == {
        "imported": 3,
        "revised": 0,
        "unchanged": 0,
        "skipped": 1,
        "unknown items": 0,
        "refused": 1,
        "accepted with another text, taken as edits": 1,
        "drafts": 2,
        "new auditors": 3,
    }
    assert told == ["task 3, annotation 1: says nothing of the item"]


def test_a_later_export_revises_and_the_same_changes_nothing(tmp_path):
    with audit(tmp_path, captions("a cat")) as store:
        tasks = exported(store, tmp_path / "a.json")
        for at, verdict, kind in (
            ("T1", "accept", "imported"),
            ("T1", "accept", "unchanged"),
            ("T2", "reject", "revised"),
        ):
            source = taken_back(tasks, tmp_path / "b.json", [annotation(1, verdict=verdict, updated_at=at)])
            assert import_verdicts(store, source, "label-studio")[kind] == 1
        # Back to what it was, which is a change of its own: the annotation was saved once more.
        source = taken_back(tasks, tmp_path / "b.json", [annotation(1, verdict="accept", updated_at="T3")])
        assert import_verdicts(store, source, "label-studio")["revised"] == 1
        assert standing(store) == {("key 0", "label-studio:1"): ("accept", None)}


def test_what_was_revised_on_the_page_is_not_undone_by_the_same_file(tmp_path):
    with audit(tmp_path, captions("a cat")) as store:
        source = taken_back(
            exported(store, tmp_path / "a.json"), tmp_path / "b.json", [annotation(1, verdict="accept")]
        )
        import_verdicts(store, source, "label-studio")
        [verdict] = store.verdicts()
        draft = type(verdict.draft)(action="reject")
        store.submit(store.auditors()[0].id, verdict.item, draft, request="page", base=verdict.id)
        assert import_verdicts(store, source, "label-studio")["unchanged"] == 1
        assert standing(store) == {("key 0", "label-studio:1"): ("reject", None)}


def test_of_two_annotations_by_one_person_the_later_holds(tmp_path):
    with audit(tmp_path, captions("a cat")) as store:
        source = taken_back(
            exported(store, tmp_path / "a.json"),
            tmp_path / "b.json",
            [
                annotation(2, verdict="reject", updated_at="2026-02"),
                annotation(1, verdict="accept", updated_at="2026-01"),
            ],
        )
        counts = import_verdicts(store, source, "label-studio")
        assert (counts["imported"], counts["older answers"]) == (1, 1)
        assert standing(store) == {("key 0", "label-studio:1"): ("reject", None)}


texts = st.sampled_from([*HOSTILE, "a cat", ""]) | st.text(
    alphabet=st.characters(exclude_categories=["Cs"]), max_size=30
)
answers = st.lists(
    st.tuples(st.sampled_from(range(len(HOSTILE))), st.sampled_from(["accept", "edit", "reject"]), texts),
    max_size=6,
    unique_by=lambda answer: answer[0],
)


@settings(max_examples=3)
@given(said=st.lists(answers, min_size=3, max_size=4))
def test_what_was_annotated_is_what_stands(tmp_path_factory, said):
    folder = tmp_path_factory.mktemp("ls")
    with audit(folder, captions(*HOSTILE), overlap=100) as store:
        tasks = exported(store, folder / "a.json")
        expected: dict[tuple[str, str], tuple[str, str | None]] = {}
        made: dict[int, list[dict[str, Any]]] = {}
        for person, given_by in enumerate(said):
            for number, verdict, text in given_by:
                text = plain(text)
                made.setdefault(number, []).append(
                    annotation(
                        len(expected) + 1000 * person + number, verdict=verdict, text=text, completed_by=person
                    )
                )
                even, shown = (even_text(t) for t in (text, plain(HOSTILE[number])))
                changed = even not in ("", shown)
                if verdict == "reject" or verdict == "accept" or changed:
                    action = "reject" if verdict == "reject" else "edit" if changed else "accept"
                    expected[f"key {number}", f"label-studio:{person}"] = (
                        action,
                        even if action == "edit" else None,
                    )
        source = taken_back(tasks, folder / "b.json", *(made.get(n, []) for n in range(len(tasks))))
        counts = import_verdicts(store, source, "label-studio")
        assert standing(store) == expected
        assert counts["imported"] == len(expected)
        assert counts["imported"] + counts["refused"] == sum(map(len, said))
        log = list(store.verdicts())
        assert import_verdicts(store, source, "label-studio")["unchanged"] == len(expected)
        assert list(store.verdicts()) == log


def even_text(text):
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def test_the_best_of_several_is_told_by_its_letter(tmp_path):
    sheets = [sheet("new", "old"), sheet("only")]
    told: list[str] = []
    with audit(tmp_path, sheets, task="compare") as store:
        tasks = exported(store, tmp_path / "a.json")
        assert "predictions" not in tasks[0]
        best = next(letter for letter in "ab" if tasks[0]["data"][letter] == "old")
        source = taken_back(
            tasks, tmp_path / "b.json", [annotation(1, verdict=best.upper())], [annotation(2, verdict="B")]
        )
        import_verdicts(store, source, "label-studio", tell=told.append)
        [verdict] = store.verdicts()
        assert (verdict.draft.action, verdict.draft.preferred) == ("prefer", "old")
    assert told == ["task 2, annotation 1: unknown verdict 'B'. Known: A, none."]


def broken(**change):
    return [{**annotation(1, verdict="accept"), **change}]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (broken(lead_time=math.nan), "`lead_time` is not a finite number"),
        (broken(lead_time="soon"), "`lead_time` is text, not a number"),
        (broken(lead_time=True), "`lead_time` is true or false, not a number"),
        (broken(was_cancelled="no"), "`was_cancelled` is text, not true or false"),
        (broken(result={"a": 1}), "`result` is an object, not a list"),
        (broken(result=["a"]), "task 1, annotation 1, result 1 is text, not an object"),
        (
            broken(result=[region("verdict", "choices", {"choices": [1]})]),
            "`value.choices` holds something else",
        ),
        (broken(result=[region("verdict", "choices", 7)]), "`value` is a number, not an object"),
        (broken(completed_by=[1]), "`completed_by` is a list, not an id"),
        (broken(updated_at=3), "`updated_at` is a number, not text"),
        (broken(id=1.5), "`id` is a number, not an id"),
        (broken() + broken(), "annotation 2 has the id of an answer before it"),
        (broken(completed_by=None), "does not say who judged"),
    ],
)
def test_a_wrong_annotation_gives_one_line_and_changes_nothing(untouched, tmp_path, change, message):
    source = taken_back(exported(untouched, tmp_path / "a.json"), tmp_path / "b.json", change)
    with pytest.raises(UserError, match=message) as error:
        import_verdicts(untouched, source, "label-studio")
    assert "\n" not in str(error.value)
    assert (list(untouched.verdicts()), untouched.auditors()) == ([], [])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 200_000, "nested too deep"),
        ('[{"data": ' + '{"a":' * 100_000, "nested too deep"),
        ('[{"data": "' + "x" * 9_000_000, r"longer than 8,388,608 characters"),
        ("x" * 9_000_000, r"not JSON|longer than"),
        ('[{"annotations": [', "not JSON|ends"),
        ("[1, 2]", "task 1 is a number, not an object"),
        ('[{"id": ' + "9" * 5_000 + "}]", "not JSON"),
        ('[{"image": "a.jpg", "verdict": "accept", "annotator": 1}]', "JSON-MIN and CSV leave out"),
        ('[{"data": []}]', "`data` is a list, not an object"),
    ],
)
def test_a_hostile_file_gives_one_line(untouched, tmp_path, text, message):
    source = tmp_path / "b.json"
    source.write_text(text)
    with pytest.raises(UserError, match=message) as error:
        import_verdicts(untouched, source, "label-studio")
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500


def test_a_folder_a_missing_file_and_an_unknown_format_are_said(untouched, tmp_path):
    for source, message in ((tmp_path, "is a folder"), (tmp_path / "no", "does not exist")):
        with pytest.raises(UserError, match=message):
            import_verdicts(untouched, source, "label-studio")
    with pytest.raises(UserError, match="Did you mean 'label-studio'"):
        export_items(untouched, tmp_path / "x", "labelstudio")


def test_tasks_of_others_are_refused_and_said(untouched, tmp_path):
    told: list[str] = []
    source = tmp_path / "b.json"
    source.write_text(json.dumps([{"id": 1, "data": {"image": "x"}, "annotations": broken()}]))
    assert import_verdicts(untouched, source, "label-studio", tell=told.append)["refused"] == 1
    assert told == ["task 1: is not a task of this audit: its data name no `item`"]


def test_hostile_names_are_made_fit(tmp_path):
    names = ["  Anna\n\tBo\x1b[31m ", "x" * 500, "x" * 499, "\u202eevil"]
    with audit(tmp_path, captions("a"), overlap=9) as store:
        source = taken_back(
            exported(store, tmp_path / "a.json"),
            tmp_path / "b.json",
            [annotation(n, verdict="accept", completed_by=name) for n, name in enumerate(names)],
        )
        import_verdicts(store, source, "label-studio")
        made = [person.name for person in store.auditors()]
    assert made[0] == "Anna Bo [31m"
    assert len(set(made)) == 4
    assert all(len(name) <= 64 and name.isprintable() for name in made)
