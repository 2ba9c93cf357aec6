"""LanguageTool's findings as a report shows them, by a server of our own that answers like it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recaption.core.errors import BackendError
from recaption.datasets.ledger import SqliteLedger
from recaption.evaluation.metric import Unavailable
from recaption.evaluation.metrics import languagetool as module
from recaption.evaluation.metrics.languagetool import LanguageToolMetric
from recaption.evaluation.options import Options
from recaption.evaluation.subject import Subject
from recaption.evaluation.tools import Tools
from tests.servers.languagetool_server import LanguageToolServer, languagetool
from tests.unit.evaluation.text_subject import NOTHING, named, shown, text_subject

OLD: list[Any] = ["a apple is on the the mat", "a dog", "ein Hund liegt auf dem Sofa", ()]
NEW = ["an apple is on the mat", "a dog", "a dog on the sofa", "a apple"]
PROBES = 1
"""Texts that are sent to learn the version."""


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqliteLedger]:
    opened = SqliteLedger(tmp_path / "calls.sqlite")
    yield opened
    opened.close()


def tools(server: LanguageToolServer, ledger: SqliteLedger) -> Tools:
    options = Options(languagetool=server.url)
    return Tools(ledger=ledger, meter=NOTHING, make_images=NOTHING, options=options)


def columns(n: int) -> Subject:
    texts = [f"a apple number {i}" for i in range(n)]
    return text_subject({"old": texts, "new": texts})


def test_findings_per_hundred_words(ledger: SqliteLedger) -> None:
    subject = text_subject({"old": OLD, "new": NEW})
    with languagetool() as server:
        facts = LanguageToolMetric().extract(subject, tools(server, ledger))
    found = named(LanguageToolMetric().score(subject, facts))
    # Two findings in nine English words; the German text is not sent.
    assert shown(found["languagetool_matches"], "old") == pytest.approx(100 * 2 / 9)
    assert shown(found["languagetool_matches"], "new") == pytest.approx(100 * 1 / 15)
    assert found["languagetool_matches"].parts["old"].tolist() == [[200, 7], [0, 2], [0, 0], [0, 0]]
    assert shown(found["languagetool_clean"], "old") == 0.5
    assert found["languagetool_rules"].rows == [
        ("GRAMMAR", "EN_A_VS_AN", "1", "1"),
        ("GRAMMAR", "ENGLISH_WORD_REPEAT_RULE", "1", "0"),
    ]
    note = found["languagetool_matches"].about.note
    assert note.startswith("LanguageTool 6.6 2025-03-27 11:00:00 +0100, en-US, without casing, typography")
    assert "could not be checked: 0 of 'old', 0 of 'new'" in note
    assert sorted(server.texts[PROBES:]) == sorted({OLD[0], *NEW}), "each distinct text once"


def test_a_second_evaluation_asks_nothing_and_another_version_everything(
    ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = text_subject({"old": OLD, "new": NEW})
    with languagetool() as server:
        first = LanguageToolMetric().extract(subject, tools(server, ledger))
        paid = ledger.paid
        second = LanguageToolMetric().extract(subject, tools(server, ledger))
        assert ledger.paid == paid == 5
        assert len(server.texts) == 5 + 2 * PROBES
        assert first.columns["old"].matches.tolist() == second.columns["old"].matches.tolist()
        assert first.columns["old"].by_rule == second.columns["old"].by_rule
        monkeypatch.setattr("tests.servers.languagetool_server.VERSION", "6.7")
        LanguageToolMetric().extract(subject, tools(server, ledger))
        assert len(server.texts) == 2 * 5 + 3 * PROBES


def test_what_failed_once_is_asked_again_and_what_fails_twice_is_told_and_not_remembered(
    ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_THREADS", 1)
    subject = columns(6)
    with languagetool() as server:
        original = module._asked

        def faulty(*args, **more):
            server.fault, server.faults = "500", 3  # the first text twice, the second once
            return original(*args, **more)

        monkeypatch.setattr(module, "_asked", faulty)
        facts = LanguageToolMetric().extract(subject, tools(server, ledger))
        assert [facts.columns[c].failed for c in ("old", "new")] == [1, 1]
        assert facts.columns["old"].owners.tolist() == [1, 2, 3, 4, 5]
        found = named(LanguageToolMetric().score(subject, facts))
        assert "could not be checked: 1 of 'old', 1 of 'new'" in found["languagetool_matches"].about.note
        assert shown(found["languagetool_matches"], "old") == 25
        monkeypatch.setattr(module, "_asked", original)
        server.fault = ""
        before = len(server.texts)
        facts = LanguageToolMetric().extract(subject, tools(server, ledger))
        assert facts.columns["old"].failed == 0
        assert server.texts[before + PROBES :] == ["a apple number 0"]


def test_a_server_that_fails_for_everything_is_gone_and_what_it_said_before_is_kept(
    ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_AT_ONCE", 4)
    original = module._asked
    with languagetool() as server:
        LanguageToolMetric().extract(columns(8), tools(server, ledger))

        def faulty(*args, **more):
            server.fault = "garbage"
            return original(*args, **more)

        monkeypatch.setattr(module, "_asked", faulty)
        with pytest.raises(BackendError, match="failed for 10 texts in a row: not an answer of LanguageTool"):
            LanguageToolMetric().extract(columns(60), tools(server, ledger))
        monkeypatch.setattr(module, "_asked", original)
        server.fault = ""
        paid = ledger.paid
        LanguageToolMetric().extract(columns(8), tools(server, ledger))
        assert ledger.paid == paid


def test_of_many_items_a_seeded_sample_is_asked_about(
    ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_ITEMS", 5)
    subject = columns(20)
    with languagetool() as server:
        facts = LanguageToolMetric().extract(subject, tools(server, ledger))
        assert len(server.texts) == 5 + PROBES
    found = named(LanguageToolMetric().score(subject, facts))
    assert "English texts of 5 items" in found["languagetool_matches"].about.note
    assert (found["languagetool_matches"].parts["old"][:, 1] > 0).sum() == 5
    assert (found["languagetool_matches"].parts["old"] == found["languagetool_matches"].parts["new"]).all()


def test_without_it_the_metric_is_unavailable(ledger: SqliteLedger) -> None:
    bare = Tools(ledger=ledger, meter=NOTHING, make_images=NOTHING)
    with pytest.raises(Unavailable, match="no LanguageTool"):
        LanguageToolMetric().extract(columns(2), bare)


def test_empty_columns_are_told(ledger: SqliteLedger) -> None:
    subject = text_subject({"old": [(), ()], "new": ["a dog", "a apple"]})
    with languagetool() as server:
        facts = LanguageToolMetric().extract(subject, tools(server, ledger))
    found = named(LanguageToolMetric().score(subject, facts))
    assert shown(found["languagetool_matches"], "old") is None
    assert shown(found["languagetool_matches"], "new") == 25
