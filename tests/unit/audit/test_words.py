"""From the log to judgements: what stands is told once, with what was on screen."""

import pytest

from recaption.audit.judgements import Judgement, last_words
from recaption.audit.meaning import UNUSABLE_PICTURE
from recaption.audit.sheets import Sheet, ShownCaption
from recaption.audit.types import AuditItem, Draft
from recaption.audit.web.shell import texts
from recaption.audit.words import judgements, judgements_of, texts_judged, unjudgeable
from recaption.core.errors import RunFolderError
from tests.servers.audit_stores import ACCEPT, bring, edit, judge, take

REJECT = Draft(action="reject", reason="invented", took_ms=2500)


def sheet(text):
    shown = [
        ShownCaption(id=i, text=t, role="subject", origin="model") for i, t in (("a", text), ("b", "other"))
    ]
    return Sheet(captions=tuple(shown)).to_payload()


@pytest.fixture
def audit(make):
    def made(count, people):
        store, *auditors = make(0, people, overlap=2)
        store.add_items(AuditItem(key=f"key {n}", payload=sheet(f"text {n}")) for n in range(count))
        return store, *auditors

    return made


def told(store):
    return [(j.key, j.auditor, j.kind, j.edited) for j in judgements(store)]


def test_a_judgement_says_all_there_is(audit):
    store, a = audit(2, 1)
    judge(store, a, REJECT)
    judge(store, a, Draft(action="edit", text="text 1!", note="x"))
    at = [v.at_ms / 1000 for v in store.verdicts()]
    rejected = {"kind": "reject", "reason": "invented", "seconds": 2.5, "shown": "text 0", "at": at[0]}
    edited = {"kind": "edit", "edited": "text 1!", "shown": "text 1", "at": at[1]}
    assert list(judgements(store)) == [
        Judgement(key="key 0", auditor="auditor 0", **rejected),
        Judgement(key="key 1", auditor="auditor 0", **edited),
    ]


def test_what_was_revised_undone_skipped_or_imported(audit):
    store, a, b = audit(5, 2)
    first = judge(store, a)  # revised, twice, and one step back
    second = store.submit(a, 0, edit("better"), request="1", base=first.verdict)
    store.submit(a, 0, REJECT, request="2", base=second.verdict)
    store.undo(a, request="3")
    judge(store, a)  # taken back altogether
    store.undo(a, request="4")
    fence = take(store, a)[1]
    store.skip(a, fence, request="5")
    bring(store, b, "key 1", REJECT, request="6")
    bring(store, b, "key 1", edit("elsewhere"), request="7")
    skipped = take(store, b)  # skipped, and taken up again
    store.skip(b, skipped[1], request="8")
    store.submit(b, 0, ACCEPT, request="9", fence=take(store, b, skipped=True)[1])
    assert told(store) == [
        ("key 0", "auditor 0", "edit", "better"),
        ("key 1", "auditor 1", "edit", "elsewhere"),
        ("key 0", "auditor 1", "accept", None),
    ]
    # The whole log comes to the same as what stands of it.
    shown = texts_judged(store.items())
    assert list(judgements_of(store.verdicts(), shown)) == list(judgements(store))
    assert {key: len(words) for key, words in last_words(judgements(store)).items()} == {"key 0": 2, "key 1": 1}


def test_an_edit_to_nothing_is_a_rejection(audit):
    store, a = audit(1, 1)
    judge(store, a, edit(" \n"))
    assert [(j.kind, j.reason, j.edited) for j in judgements(store)] == [("reject", "edited to nothing", None)]


def test_an_edit_that_changes_nothing_is_an_acceptance(audit):
    store, a = audit(1, 1)
    judge(store, a, edit("text 0"))
    assert told(store) == [("key 0", "auditor 0", "accept", None)]


def test_a_preference_says_not_how_good_the_caption_is(audit):
    store, a = audit(1, 1)
    judge(store, a, Draft(action="prefer", preferred="b"))
    assert told(store) == []


def test_an_unusable_picture_says_nothing_of_the_caption_and_is_counted(audit):
    store, a, b = audit(4, 2)
    judge(store, a, Draft(action="reject", reason=UNUSABLE_PICTURE))
    judge(store, b, Draft(action="reject", reason=UNUSABLE_PICTURE))  # the same picture
    judge(store, a, Draft(action="edit", text=" ", reason=UNUSABLE_PICTURE))
    judge(store, b, REJECT)
    taken_back = judge(store, a, Draft(action="reject", reason=UNUSABLE_PICTURE))
    store.submit(a, 2, ACCEPT, request="1", base=taken_back.verdict)
    assert told(store) == [("key 1", "auditor 1", "reject", None), ("key 2", "auditor 0", "accept", None)]
    assert unjudgeable(store) == 2


def test_an_unusable_picture_is_a_reason_on_the_page():
    assert all(UNUSABLE_PICTURE in told["reasons"] for told in texts().values())


def test_items_of_something_else_are_refused(make):
    store, _ = make(1)
    with pytest.raises(RunFolderError, match="'key 0' of the audit holds no captions"):
        judgements(store)
