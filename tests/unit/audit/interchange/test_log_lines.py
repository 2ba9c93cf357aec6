import json

import pytest

from recaption.audit.interchange import ExportOptions, export_items, import_verdicts
from recaption.audit.types import Draft
from recaption.core.digests import digest_json
from recaption.core.errors import RunFolderError, UserError
from recaption.core.types import Image
from tests.servers.audit_stores import bring
from tests.unit.audit.interchange.audits import HOSTILE, audit, captions, sheet


def judged(store, key, auditor, action="accept", **more):
    number = (
        next((a.id for a in store.auditors() if a.name == auditor), None) or store.add_auditor(auditor)[0].id
    )
    return bring(store, number, key, Draft(action=action, **more), request=digest_json([key, auditor, action]))


def lines(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_what_stands_is_written_and_nothing_else_leaves(tmp_path):
    secret = sheet("a cat", "alt", image=Image(path="/home/me/secret.jpg"))
    with audit(tmp_path, [secret, sheet("a dog")], guideline="private words") as store:
        judged(store, "key 1", "Bo", "reject", reason="no dog", took_ms=1_500, shown=sheet("a dog").version)
        judged(store, "key 0", "Anna", "accept")
        judged(store, "key 0", "Anna", "edit", text="a black cat", guideline="g1")
        counts = export_items(store, tmp_path / "a.jsonl", "jsonl")
        first, second = lines(tmp_path / "a.jsonl")
    assert counts == {"verdicts": 2}
    assert first.pop("at").endswith("+00:00")
    assert first == {
        "key": "key 0",
        "auditor": "Anna",
        "action": "edit",
        "text": "a black cat",
        "version": secret.version,
        "guideline": "g1",
        "captions": [{"id": "new", "role": "subject", "text": "a cat"}],
    }
    assert (second["reason"], second["seconds"], second["version"]) == ("no dog", 1.5, sheet("a dog").version)
    whole = (tmp_path / "a.jsonl").read_text("utf-8")
    assert not any(word in whole for word in ("secret", "private", str(tmp_path)))


def test_the_same_labels_give_the_same_bytes(tmp_path):
    texts = [*HOSTILE[:5], HOSTILE[11], "a cat"]
    people = ["Zoë", "Anna"]
    with audit(tmp_path, captions(*texts)) as store:
        for number in reversed(range(len(texts))):
            for name in people:
                judged(store, f"key {number}", name)
        export_items(store, tmp_path / "a.jsonl", "jsonl")
        export_items(store, tmp_path / "b.jsonl", "jsonl")
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    told = lines(tmp_path / "a.jsonl")
    assert [(t["key"], t["auditor"]) for t in told] == [
        (f"key {n}", name) for n in range(len(texts)) for name in sorted(people)
    ]
    assert [t["captions"][0]["text"] for t in told[::2]] == texts


def test_auditors_may_stay_unnamed(tmp_path):
    with audit(tmp_path, captions("a")) as store:
        judged(store, "key 0", "Zoë")
        judged(store, "key 0", "Anna")
        export_items(store, tmp_path / "a.jsonl", "jsonl", options=ExportOptions(anonymous=True))
        assert [line["auditor"] for line in lines(tmp_path / "a.jsonl")] == ["auditor 1", "auditor 2"]


def test_captions_that_were_compared_are_all_named(tmp_path):
    with audit(tmp_path, [sheet("new", "old", "more")], task="compare") as store:
        judged(store, "key 0", "Bo", "prefer", preferred="old")
        export_items(store, tmp_path / "a.jsonl", "jsonl")
        [line] = lines(tmp_path / "a.jsonl")
    assert line["preferred"] == "old"
    assert [c["id"] for c in line["captions"]] == ["new", "old"]


def test_a_log_is_not_imported_nor_written_over(tmp_path):
    with audit(tmp_path, captions("a")) as store:
        export_items(store, tmp_path / "a.jsonl", "jsonl")
        assert (tmp_path / "a.jsonl").read_bytes() == b""
        with pytest.raises(RunFolderError, match="already there"):
            export_items(store, tmp_path / "a.jsonl", "jsonl")
        with pytest.raises(UserError, match="only written"):
            import_verdicts(store, tmp_path / "a.jsonl", "jsonl")
