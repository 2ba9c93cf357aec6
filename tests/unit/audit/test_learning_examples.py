"""What verdicts teach: labels of captions, pairs of texts, and what is left out and said so."""

from __future__ import annotations

import pytest

from recaption.audit import examples as module
from recaption.audit.examples import Examples, examples_of, without
from recaption.audit.meaning import UNUSABLE_PICTURE
from recaption.audit.project import About
from recaption.audit.sheets import Sheet, ShownCaption
from recaption.audit.types import AuditItem, Draft, Verdict
from recaption.core.errors import RunFolderError

TEXTS = {"a": "A red ball.", "b": "ball cheap", "c": "A blue ball."}
SHEET = Sheet(
    captions=tuple(
        ShownCaption(id=name, text=text, role=role, origin="model", scores={"image_text": score})  # type: ignore[arg-type]
        for (name, text), role, score in zip(
            TEXTS.items(), ("subject", "original", "candidate"), (0.3, 0.1, 0.2), strict=True
        )
    )
)
COMPARE = About(task="compare", captions=3)


def said(*words: tuple[str, Draft] | tuple[str, Draft, str], about: About = About(), **more) -> Examples:  # noqa: B008
    """What words teach: who said what, of item `k` or another."""
    whose = [(word[0], word[2] if len(word) > 2 else "k") for word in words]
    last = {who: i for i, who in enumerate(whose)}
    verdicts = [
        Verdict(id=i, item=0, key=key, auditor=name, draft=word[1], at_ms=i, standing=last[name, key] == i)
        for i, (word, (name, key)) in enumerate(zip(words, whose, strict=True))
    ]
    keys = sorted({verdict.key for verdict in verdicts})
    return examples_of([AuditItem(key=k, payload=SHEET.to_payload()) for k in keys], verdicts, about, **more)


def told(examples: Examples) -> tuple[list[tuple[str, bool, float]], list[tuple[str, str, str, float]]]:
    texts = [text.text for text in examples.texts]
    return (
        [(texts[label.text], label.accepted, label.weight) for label in examples.labels],
        [(texts[p.better], texts[p.worse], p.kind, p.weight) for p in examples.pairs],
    )


ACCEPT, REJECT, SKIP = Draft(action="accept"), Draft(action="reject", reason="invented"), Draft(action="skip")
EDIT = Draft(action="edit", text="A round red ball.")


def test_acceptances_and_rejections_are_labels():
    assert told(said(("ann", ACCEPT))) == ([(TEXTS["a"], True, 1.0)], [])
    assert told(said(("ann", REJECT))) == ([(TEXTS["a"], False, 1.0)], [])
    assert said(("ann", ACCEPT)).texts[0].scores == {"image_text": 0.3}


def test_an_edit_is_better_than_the_caption_which_was_not_accepted():
    found = said(("ann", EDIT))
    assert told(found) == ([(TEXTS["a"], False, 1.0)], [("A round red ball.", TEXTS["a"], "edit", 1.0)])
    scores = {text.text: dict(text.scores) for text in found.texts}
    assert scores == {TEXTS["a"]: {"image_text": 0.3}, "A round red ball.": {}}


def test_an_edit_to_another_candidate_has_its_scores():
    found = said(("ann", Draft(action="edit", text=TEXTS["c"])))
    assert {text.text: dict(text.scores) for text in found.texts}[TEXTS["c"]] == {"image_text": 0.2}


def test_an_edit_may_change_nothing_or_leave_nothing():
    assert told(said(("ann", Draft(action="edit", text=TEXTS["a"])))) == ([(TEXTS["a"], True, 1.0)], [])
    assert told(said(("ann", Draft(action="edit", text=" ")))) == ([(TEXTS["a"], False, 1.0)], [])


@pytest.mark.parametrize(
    ("drafts", "accepted", "weight", "pairs"),
    [
        ((ACCEPT, ACCEPT, REJECT), True, 2 / 3, 0),
        ((ACCEPT, REJECT), False, 1 / 2, 0),
        ((ACCEPT, EDIT), False, 1 / 2, 1),
        ((ACCEPT, ACCEPT, EDIT), True, 2 / 3, 1),
        ((ACCEPT, EDIT, REJECT), False, 2 / 3, 1),
    ],
)
def test_every_item_weighs_the_same_and_in_doubt_the_worst_counts(drafts, accepted, weight, pairs):
    found = said(*((f"auditor {i}", draft) for i, draft in enumerate(drafts)))
    ((_, yes, share),), edits = told(found)
    assert (yes, len(edits)) == (accepted, pairs)
    assert share == pytest.approx(weight)
    assert all(edit[3] == pytest.approx(1 / len(drafts)) for edit in edits)


def test_the_last_word_counts_and_a_skip_is_none():
    assert told(said(("ann", REJECT), ("ann", ACCEPT))) == ([(TEXTS["a"], True, 1.0)], [])
    assert said(("ann", REJECT), ("ann", SKIP)).keys == ()


def test_what_was_replaced_does_not_count():
    stale = Verdict(id=5, item=0, key="k", auditor="ann", draft=REJECT, at_ms=5, standing=False)
    item = AuditItem(key="k", payload=SHEET.to_payload())
    assert examples_of([item], [stale]).keys == ()


def test_the_card_that_was_preferred_beats_the_others_on_the_screen():
    found = said(("ann", Draft(action="prefer", preferred="c")), about=COMPARE)
    expected = [(TEXTS["c"], TEXTS["a"], "prefer", 0.5), (TEXTS["c"], TEXTS["b"], "prefer", 0.5)]
    assert told(found) == ([], expected)
    two = said(("ann", Draft(action="prefer", preferred="b")), about=About(task="compare", captions=2))
    assert told(two) == ([], [(TEXTS["b"], TEXTS["a"], "prefer", 1.0)])


def test_what_teaches_nothing_is_counted():
    found = said(
        ("ann", REJECT, "k"),
        ("ann", Draft(action="prefer", preferred="gone"), "l"),
        ("ann", Draft(action="prefer", preferred="a", shown="another version"), "m"),
        ("ann", Draft(action="reject", reason=UNUSABLE_PICTURE), "n"),
        about=COMPARE,
    )
    assert found.keys == ()
    assert found.texts == ()
    assert sorted(found.left_out.values()) == [1, 1, 1, 1]


def test_an_unusable_picture_is_no_voice_against_the_caption():
    found = said(("ann", ACCEPT), ("bob", Draft(action="reject", reason=UNUSABLE_PICTURE)))
    assert told(found) == ([(TEXTS["a"], True, 1.0)], [])
    assert found.left_out == {"the picture could not be judged": 1}


def test_what_was_on_the_screen_is_what_is_learned_from():
    good = said(("ann", Draft(action="accept", shown=SHEET.version)))
    assert good.keys == ("k",)


def test_of_very_many_items_a_seeded_sample_is_taken(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MOST_ITEMS", 5)
    words = [("ann", ACCEPT, f"k{i}") for i in range(20)]
    one, same, other = said(*words, seed=1), said(*reversed(words), seed=1), said(*words, seed=2)
    assert len(one.keys) == 5
    assert one.keys == same.keys != other.keys
    assert list(one.left_out.values()) == [15]


def test_items_whose_image_is_gone_go_with_all_their_texts():
    found = said(("ann", EDIT, "k"), ("ann", ACCEPT, "l"), ("bob", EDIT, "m"))
    left = without(found, [0], "no image")
    assert left.keys == ("l", "m")
    assert told(left)[0] == [(TEXTS["a"], True, 1.0), (TEXTS["a"], False, 1.0)]
    assert told(left)[1] == [("A round red ball.", TEXTS["a"], "edit", 1.0)]
    assert [text.item for text in left.texts] == [0, 1, 1]
    assert left.left_out == {"no image": 1}
    assert without(found, [], "no image") is found


def test_an_item_that_is_no_sheet_is_refused():
    verdict = Verdict(id=1, item=0, key="k", auditor="ann", draft=ACCEPT, at_ms=1)
    with pytest.raises(RunFolderError, match="holds no captions"):
        examples_of([AuditItem(key="k", payload={"captions": []})], [verdict])
