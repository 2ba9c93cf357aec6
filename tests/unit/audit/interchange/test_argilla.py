import json
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recaption.audit.interchange import ExportOptions, ImportOptions, export_items, import_verdicts
from recaption.audit.interchange.items import plain
from recaption.audit.project import About
from recaption.core.errors import RunFolderError, UserError
from recaption.core.types import Image
from tests.unit.audit.interchange.audits import HOSTILE, audit, captions, picture, sheet, standing

NO_PICTURES = ExportOptions(images="none")
SHAPES = ("nested", "flat", "server")


def exported(store, target):
    export_items(store, target, "argilla", options=NO_PICTURES)
    return json.loads((target / "records.json").read_bytes())


def response(user, status="submitted", **values):
    return {"user_id": user, "status": status, "values": values}


def in_shape(record, responses, shape):
    """Return a record with its responses as one of the SDK's exports or the server's answers have them."""
    if shape == "server":
        as_told = [{**r, "values": {q: {"value": v} for q, v in r["values"].items()}} for r in responses]
        return {**record, "id": "9d2f", "external_id": record["id"], "responses": as_told}
    questions = defaultdict(list)
    for r in responses:
        for question, value in r["values"].items():
            questions[question].append((value, r["user_id"], r["status"]))
    if shape == "nested":
        told = {q: [{"value": v, "user_id": u} for v, u, _ in all_of_it] for q, all_of_it in questions.items()}
        return {**record, "responses": told, "status": "completed", "_server_id": "9d2f"}
    flat = {"id": record["id"], "status": "completed", **record["fields"], **record["metadata"]}
    flat |= {f"{q}.responses": None for q in ("verdict", "text", "reason", "note")}
    for question, all_of_it in questions.items():
        values, users, statuses = (list(column) for column in zip(*all_of_it, strict=True))
        flat |= {f"{question}.responses": values, f"{question}.responses.users": users}
        flat[f"{question}.responses.status"] = statuses
    return flat


def saved(records, target):
    target.write_text(json.dumps(records))
    return target


def test_records_suggest_the_caption(tmp_path):
    with audit(tmp_path, captions(*HOSTILE), guideline="Be fair.", overlap=2) as store:
        records = exported(store, tmp_path / "a")
    assert [r["suggestions"]["text"]["value"] for r in records] == [plain(text) for text in HOSTILE]
    assert len({r["id"] for r in records}) == len(records)
    told = json.loads((tmp_path / "a" / ".argilla" / "settings.json").read_bytes())
    assert (told["guidelines"], told["distribution"]["min_submitted"]) == ("Be fair.", 2)
    assert [q["name"] for q in told["questions"]] == ["verdict", "text", "reason", "note"]


def test_pictures_are_inside_the_records_or_on_the_web(tmp_path):
    sheets = [sheet("a", image=Image(data=picture(side=2_000))), sheet("b")]
    with audit(tmp_path, sheets) as store:
        counts = export_items(store, tmp_path / "a", "argilla", options=ExportOptions(max_side_px=64))
        assert (counts["pictures"], counts["without a picture"]) == (1, 1)
        first, second = json.loads((tmp_path / "a" / "records.json").read_bytes())
        assert first["fields"]["image"].startswith("data:image/jpeg;base64,")
        assert len(first["fields"]["image"]) < 5_000
        assert "image" not in second["fields"]
        copy = ExportOptions(images="copy", image_prefix="https://pictures.example/audit/")
        export_items(store, tmp_path / "b", "argilla", options=copy)
        first, _ = json.loads((tmp_path / "b" / "records.json").read_bytes())
        assert first["fields"]["image"] == f"https://pictures.example/audit/images/{first['id']}.jpg"
        assert (tmp_path / "b" / "images" / f"{first['id']}.jpg").is_file()
        with pytest.raises(UserError, match="begins with http"):
            export_items(store, tmp_path / "c", "argilla", options=ExportOptions(images="copy"))
        with pytest.raises(RunFolderError, match="already there"):
            export_items(store, tmp_path / "a", "argilla")
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("shape", SHAPES)
def test_several_users_answer(tmp_path, shape):
    with audit(tmp_path, captions("a cat", "a dog"), guideline="Be fair.") as store:
        records = exported(store, tmp_path / "a")
        said = [
            [
                response("u1", verdict="accept", text="a cat"),
                response("u2", verdict="accept", text="a black cat"),
            ],
            [response("u1", verdict="reject", text="a dog", reason="it is a wolf")],
        ]
        source = saved([in_shape(r, s, shape) for r, s in zip(records, said, strict=True)], tmp_path / "b.json")
        counts = import_verdicts(store, source, "argilla", options=ImportOptions(names={"argilla:u2": "Bo"}))
        assert standing(store) == {
            ("key 0", "argilla:u1"): ("accept", None),
            ("key 0", "Bo"): ("edit", "a black cat"),
            ("key 1", "argilla:u1"): ("reject", None),
        }
        assert counts["imported"] == 3
        assert {v.draft.guideline for v in store.verdicts()} == {
            About.of(store.settings.about).guideline_version
        }
        assert [v.draft.reason for v in store.verdicts()][-1] == "it is a wolf"


@pytest.mark.parametrize("shape", ["flat", "server"])
def test_drafts_and_what_was_discarded_are_told_apart(tmp_path, shape):
    with audit(tmp_path, captions("a cat")) as store:
        [record] = exported(store, tmp_path / "a")
        said = [
            response("u1", "draft", verdict="accept"),
            response("u2", "discarded", verdict="reject"),
            response("u3", "submitted", verdict="accept"),
            response("u4", "lost", verdict="accept"),
            response("u5", "discarded"),
        ]
        told: list[str] = []
        counts = import_verdicts(
            store, saved([in_shape(record, said, shape)], tmp_path / "b.json"), "argilla", tell=told.append
        )
        assert list(standing(store)) == [("key 0", "argilla:u3")]
    skipped = 2 if shape == "server" else 1  # elsewhere nothing is written of a response without answers
    assert (counts["imported"], counts["drafts"], counts["skipped"], counts["refused"]) == (1, 1, skipped, 1)
    assert told == ["record 1, user u4: unknown status 'lost'"]


def test_what_was_never_submitted_lacks_a_verdict(tmp_path):
    with audit(tmp_path, captions("a cat")) as store:
        [record] = exported(store, tmp_path / "a")
        source = saved([in_shape(record, [response("u1", text="half a sent")], "nested")], tmp_path / "b.json")
        assert import_verdicts(store, source, "argilla")["drafts"] == 1


@pytest.mark.parametrize("shape", ["nested", "server"])
def test_answers_to_other_questions_are_counted_and_long_ids_are_cut(tmp_path, shape):
    told: list[str] = []
    with audit(tmp_path, captions("a cat")) as store:
        [record] = exported(store, tmp_path / "a")
        said = [response("u" * 100_000, verdict="edit", **{"mood" * 20_000: "fine"})]
        source = saved([in_shape(record, said, shape)], tmp_path / "b.json")
        counts = import_verdicts(store, source, "argilla", tell=told.append)
    assert (counts["refused"], counts["other answers"]) == (1, 1)
    assert len(told[0]) < 200


def test_a_folder_of_the_sdk_will_do(tmp_path):
    with audit(tmp_path, captions("a cat")) as store:
        [record] = exported(store, tmp_path / "a")
        saved([in_shape(record, [response("u1", verdict="accept")], "nested")], tmp_path / "a" / "records.json")
        assert import_verdicts(store, tmp_path / "a", "argilla")["imported"] == 1


texts = st.sampled_from([*HOSTILE, "a cat", ""]) | st.text(
    alphabet=st.characters(exclude_categories=["Cs"]), max_size=30
)
answers = st.lists(
    st.tuples(st.sampled_from(range(len(HOSTILE))), st.sampled_from(["accept", "edit", "reject"]), texts),
    max_size=6,
    unique_by=lambda answer: answer[0],
)


@settings(max_examples=3)
@given(said=st.lists(answers, min_size=3, max_size=4), shape=st.sampled_from(SHAPES))
def test_what_was_answered_is_what_stands(tmp_path_factory, said, shape):
    folder = tmp_path_factory.mktemp("argilla")
    with audit(folder, captions(*HOSTILE), overlap=100) as store:
        records = exported(store, folder / "a")
        expected, made = {}, defaultdict(list)
        for person, given_by in enumerate(said):
            for number, verdict, text in given_by:
                made[number].append(response(f"u{person}", verdict=verdict, text=plain(text)))
                even, shown = (
                    t.replace("\r\n", "\n").replace("\r", "\n").strip()
                    for t in (plain(text), plain(HOSTILE[number]))
                )
                changed = even not in ("", shown)
                if verdict != "edit" or changed:
                    action = "reject" if verdict == "reject" else "edit" if changed else "accept"
                    expected[f"key {number}", f"argilla:u{person}"] = (
                        action,
                        even if action == "edit" else None,
                    )
        source = saved([in_shape(r, made[n], shape) for n, r in enumerate(records)], folder / "b.json")
        counts = import_verdicts(store, source, "argilla")
        assert standing(store) == expected
        assert counts["imported"] + counts["refused"] == sum(map(len, said))
        log = list(store.verdicts())
        assert import_verdicts(store, source, "argilla")["unchanged"] == len(expected)
        assert list(store.verdicts()) == log


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"fields": {}}, "has no `id`"),
        ({"id": "i1", "responses": "none"}, "`responses` is text, not an object"),
        ({"id": "i1", "responses": {"verdict": {"a": 1}}}, "`verdict` is an object, not a list"),
        (
            {"id": "i1", "responses": {"verdict": [{"value": 7, "user_id": "u"}]}},
            "answer to `verdict` is not text",
        ),
        (
            {"id": "i1", "responses": {"verdict": [{"value": "a", "user_id": "u"}] * 2}},
            "answers `verdict` twice",
        ),
        (
            {"id": "i1", "responses": {"verdict": [{"value": "a", "user_id": {}}]}},
            "`user_id` is an object, not an id",
        ),
        ({"id": "i1", "verdict.responses": ["a"], "verdict.responses.users": []}, "are not equally long"),
        ({"id": "i1", **{f"verdict.responses{e}": [7] for e in ("", ".users", ".status")}}, "are text"),
        (
            {"id": "i1", "responses": {"verdict": [{"value": "accept", "user_id": "None"}]}},
            "does not say who judged",
        ),
    ],
)
def test_a_wrong_record_gives_one_line_and_changes_nothing(untouched, tmp_path, record, message):
    with pytest.raises(UserError, match=message) as error:
        import_verdicts(untouched, saved([record], tmp_path / "b.json"), "argilla")
    assert "\n" not in str(error.value)
    assert list(untouched.verdicts()) == []
