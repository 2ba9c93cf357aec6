from collections import Counter

from recaption.demo.alt import alt_kinds, noisy_alt
from recaption.demo.facts import judge
from recaption.demo.world import sample_scenes

SCENES = list(sample_scenes(1500, seed=2))
ALTS = [noisy_alt(scene, i) for i, scene in enumerate(SCENES)]


def test_the_seed_decides() -> None:
    assert [noisy_alt(s, i) for i, s in enumerate(SCENES[:50])] == ALTS[:50]
    assert len({noisy_alt(SCENES[0], i)[0] for i in range(100)}) > 50


def test_kinds_come_as_often_as_the_data_says() -> None:
    found = Counter(kind for _, kind in ALTS)
    for kind, share in alt_kinds().items():
        assert abs(found[kind] / len(ALTS) - share) < 0.035


def test_good_ones_are_true_and_wrong_ones_are_not() -> None:
    for (text, kind), scene in zip(ALTS, SCENES, strict=True):
        verdict = judge(text, scene)
        if kind == "good":
            assert verdict.fully_correct, text
        if kind == "wrong":
            assert verdict.contradicted, text


def test_each_kind_is_noisy_in_its_own_way() -> None:
    by_kind: dict[str, list[str]] = {}
    for text, kind in ALTS:
        by_kind.setdefault(kind, []).append(text)
    assert all(t == t.upper() for t in by_kind["shouting"])
    assert all("#" in t for t in by_kind["hashtags"])
    assert all("&" in t for t in by_kind["entities"])
    assert all("â" in t or "Ã" in t for t in by_kind["mojibake"])
    assert all("\ufffd" not in t for t in by_kind["mojibake"]), "the slip must be one that can be undone"
    assert all(t.encode("cp1252").decode("utf-8") for t in by_kind["mojibake"])
    assert all(len(t) > 45 for t in by_kind["seo"])
    assert all(len(t) < 25 for t in by_kind["short"])
    assert not any("{" in t or "}" in t for t, _ in ALTS)


def test_file_names_and_vague_words_say_little() -> None:
    for (text, kind), scene in zip(ALTS, SCENES, strict=True):
        if kind == "vague":
            assert judge(text, scene).precision is None, text
