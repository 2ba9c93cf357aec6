"""From verdicts to rulings: what stands, the majority, the worst of ties, the last of several corrections."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.audit.judgements import last_words, outcomes
from recaption.audit.meaning import UNUSABLE_PICTURE
from recaption.audit.opening import create_store
from recaption.audit.project import About
from recaption.audit.rulings import rulings_in, rulings_of
from recaption.audit.sheets import Sheet, ShownCaption
from recaption.audit.types import AuditItem, Draft, Settings, Verdict
from recaption.audit.words import judgements_of, texts_judged
from recaption.core.errors import RunFolderError
from recaption.core.types import Image

SHEET = Sheet(
    captions=(
        ShownCaption(id="sub", text="A red dog.", role="subject", origin="model"),
        ShownCaption(id="org", text="dog", role="original", origin="alt"),
        ShownCaption(id="can", text="A dog.", role="candidate", origin="model"),
    )
)
COMPARE = About(task="compare", captions=2)


def item(key="k"):
    return AuditItem(key=key, payload=SHEET.to_payload())


def say(number, auditor, action, key="k", **draft):
    return Verdict(
        id=number,
        item=0,
        key=key,
        auditor=auditor,
        draft=Draft(action=action, guideline="g1", shown=SHEET.version, **draft),
        at_ms=1000 * number,
    )


def ruled(*verdicts, about=COMPARE):
    found = rulings_of([item()], verdicts, about)
    return found[0] if found else None


def edit(number, auditor, text, **draft):
    return say(number, auditor, "edit", text=text, **draft)


def prefer(number, auditor, preferred):
    return say(number, auditor, "prefer", preferred=preferred)


def test_one_word_is_a_ruling_with_all_that_is_known_of_it():
    ruling = ruled(edit(7, "Ann", "A brown dog.", reason="colour \n wrong"))
    assert (ruling.key, ruling.shown, ruling.outcome, ruling.text) == ("k", "sub", "edit", "A brown dog.")
    assert (ruling.auditors, ruling.said, ruling.of, ruling.verdicts) == (("Ann",), 1, 1, (7,))
    assert (ruling.at, ruling.guideline, ruling.version) == (7.0, "g1", SHEET.version)
    assert ruling.reason == "colour wrong"


@pytest.mark.parametrize(
    ("actions", "outcome", "said"),
    [
        (["accept", "accept", "reject"], "accept", 2),
        (["accept", "reject"], "reject", 1),
        (["accept", "edit"], "edit", 1),
        (["edit", "reject"], "reject", 1),
        (["accept", "edit", "reject"], "reject", 1),
        (["accept", "accept", "edit", "edit"], "edit", 2),
        (["skip"], None, None),
        (["skip", "accept"], "accept", 1),
    ],
)
def test_most_decide_and_of_ties_the_worst(actions, outcome, said):
    words = [say(n, f"auditor {n}", a, text="x" if a == "edit" else None) for n, a in enumerate(actions, 1)]
    ruling = ruled(*words)
    assert (ruling and ruling.outcome, ruling and ruling.said) == (outcome, said)


def test_of_several_corrections_the_last_of_the_majority_holds():
    words = [edit(1, "Ann", "one"), edit(3, "Bo", "three"), edit(2, "Cy", "two"), say(4, "Di", "reject")]
    ruling = ruled(*words)
    assert (ruling.text, ruling.auditors, ruling.said, ruling.of) == ("three", ("Ann", "Bo", "Cy"), 3, 4)
    assert (ruling.verdicts, ruling.at) == ((1, 2, 3), 3.0)


def test_what_stands_is_the_only_word():
    replaced = replace(say(1, "Ann", "reject"), standing=False)
    assert ruled(replaced, say(2, "Ann", "accept")).outcome == "accept"
    assert ruled(say(2, "Ann", "accept"), replaced).outcome == "accept"
    assert ruled(replaced, say(2, "Ann", "undo")) is None
    assert ruled(replaced, say(2, "Ann", "skip")) is None


def test_an_edit_to_nothing_rejects_and_one_that_changes_nothing_accepts():
    ruling = ruled(edit(1, "Ann", " \n"))
    assert (ruling.outcome, ruling.reason) == ("reject", "edited to nothing")
    assert ruled(edit(1, "Ann", "A red dog.")).outcome == "accept"


def test_an_edit_that_changes_nothing_is_no_voice_for_changing():
    unchanged = edit(2, "Bo", "A red dog.")
    ruling = ruled(edit(1, "Ann", "A brown dog."), unchanged)
    assert (ruling.outcome, ruling.text, ruling.said, ruling.of) == ("edit", "A brown dog.", 1, 2)
    ruling = ruled(edit(1, "Ann", "A brown dog."), unchanged, say(3, "Cy", "accept"))
    assert (ruling.outcome, ruling.text, ruling.auditors) == ("accept", None, ("Bo", "Cy"))


@pytest.mark.parametrize("about", [About(), COMPARE])
def test_an_unusable_picture_says_nothing_of_the_caption(about):
    unusable = say(1, "Ann", "reject", reason=UNUSABLE_PICTURE)
    assert ruled(unusable, about=about) is None
    ruling = ruled(unusable, say(2, "Bo", "accept"), about=about)
    assert (ruling.outcome, ruling.said, ruling.of) == ("accept", 1, 1)


def test_reasons_are_told_once_each_and_bounded():
    words = [say(n, f"a{n}", "reject", reason=r) for n, r in enumerate(["wrong", "wrong", "vague", None], 1)]
    assert ruled(*words).reason == "wrong; vague"
    assert len(ruled(say(1, "Ann", "reject", reason="x" * 100_000)).reason) == 500


def test_a_caption_that_most_prefer_is_preferred():
    ruling = ruled(prefer(1, "Ann", "org"), prefer(2, "Bo", "org"), prefer(3, "Cy", "sub"))
    assert (ruling.outcome, ruling.preferred, ruling.said, ruling.of) == ("prefer", "org", 2, 3)
    ruling = ruled(prefer(1, "Ann", "sub"))
    assert (ruling.outcome, ruling.preferred) == ("prefer", "sub")


@pytest.mark.parametrize(
    ("preferred", "stands"),
    [(["org", "sub"], "sub"), (["can", "org"], "org"), (["org", "sub", "can", "can"], "can")],
)
def test_of_preferences_that_tie_the_one_that_stands_already_or_comes_first_holds(preferred, stands):
    words = [prefer(n, f"auditor {n}", name) for n, name in enumerate(preferred, 1)]
    assert ruled(*words, about=About(task="compare", captions=3)).preferred == stands


def test_none_is_right_rejects_all_that_were_on_the_screen():
    words = [say(1, "Ann", "reject"), prefer(2, "Bo", "org")]
    assert ruled(*words).outcome == "reject"
    assert ruled(*words).rejected == ("org",)
    assert ruled(*words, about=About(task="compare", captions=3)).rejected == ("org", "can")
    assert ruled(*words, about=About()).rejected == ()


def test_a_preference_for_what_was_on_no_screen_is_no_word():
    assert ruled(prefer(1, "Ann", "nowhere")) is None
    assert ruled(prefer(1, "Ann", "nowhere"), say(2, "Bo", "accept")).of == 1


def test_only_a_picture_that_was_ruled_on_is_asked_for():
    seen = replace(SHEET, image=Image(path="k.png")).to_payload()
    items = [AuditItem(key=key, payload=seen) for key in ("k", "skipped", "nobody's")] + [item("no picture")]
    words = [
        say(1, "Ann", "accept"),
        say(2, "Ann", "skip", key="skipped"),
        say(3, "Ann", "accept", "no picture"),
    ]
    asked = []

    def picture(ruling, image):
        asked.append((ruling.key, image.path))
        return "digest"

    found = rulings_of(items, words, picture=picture)
    assert {ruling.key: ruling.picture for ruling in found} == {"k": "digest", "no picture": ""}
    assert asked == [("k", "k.png")]


def test_an_item_that_is_no_sheet_is_refused():
    with pytest.raises(RunFolderError, match="no captions of a run"):
        rulings_of([AuditItem(key="k", payload={"caption": "x"})], [say(1, "Ann", "accept")])
    with pytest.raises(RunFolderError, match="no captions of a run"):
        rulings_of([AuditItem(key="k", payload=Sheet(captions=()).to_payload())], [say(1, "Ann", "accept")])


WRITTEN = (SHEET.subject.text, " ", "A brown dog.")
WORDS = st.lists(
    st.tuples(
        st.sampled_from("ABC"), st.sampled_from(["accept", "edit", "reject", "skip"]), st.sampled_from("kl")
    ),
    max_size=12,
)


def log(words):
    last = {(auditor, key): n for n, (auditor, _, key) in enumerate(words, 1)}
    return [
        replace(
            say(n, auditor, action, key=key, text=WRITTEN[n % 3] if action == "edit" else None),
            standing=last[auditor, key] == n,
        )
        for n, (auditor, action, key) in enumerate(words, 1)
    ]


@given(WORDS, st.randoms())
def test_the_order_in_which_rows_arrive_does_not_matter(words, random):
    said = log(words)
    found = rulings_of([item("k"), item("l")], said)
    random.shuffle(said)
    assert rulings_of([item("l"), item("k")], said) == found


@given(WORDS)
def test_quality_and_rulings_see_the_same_majority(words):
    said = log(words)
    texts = texts_judged([item("k"), item("l")])
    quality = outcomes(last_words(judgements_of(said, texts)))
    assert {ruling.key: ruling.outcome for ruling in rulings_of([item("k"), item("l")], said)} == quality


def test_a_store_gives_the_same_from_its_log_as_from_what_stands(tmp_path):
    with create_store(tmp_path / "store.sqlite", Settings(overlap=2, about=COMPARE.to_json())) as store:
        store.add_items([item("k"), item("l\ud800")])
        people = [store.add_auditor(name)[0].id for name in ("Ann", "Bo")]
        for number, person in enumerate(people):
            for draft in (Draft(action="reject", reason="vague"), Draft(action="prefer", preferred="org")):
                got = store.next_item(person)
                assert got is not None
                assert got.item.position is not None
                store.submit(
                    person, got.item.position, draft, request=f"{number}{draft.action}", fence=got.lease.fence
                )
        store.undo(people[1], request="back")
        found = rulings_in(store)
        same = rulings_of(store.items(), list(store.verdicts()), COMPARE)
        assert [replace(ruling, audit=store.created_ms) for ruling in same] == found
    assert [(r.key, r.outcome, r.said, r.of, r.rejected) for r in found] == [
        ("k", "reject", 2, 2, ("org",)),
        ("l\ud800", "prefer", 1, 1, ()),
    ]
    assert replace(found[0], at=0.0).auditors == ("Ann", "Bo")
