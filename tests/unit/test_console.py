"""What reaches the terminal: whole lines, bounded, harmless, and just what the data says."""

import io
import re
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from recaption import console
from recaption.core.printable import printable
from recaption.core.protocols import Usage
from recaption.core.types import Caption, Provenance, Record
from recaption.runs.plan import Plan, PlannedStage
from recaption.runs.run import Progress, Summary


@pytest.fixture
def screen(monkeypatch):
    """What is printed to `out`, 80 columns wide and with no styles."""
    shown = io.StringIO()
    monkeypatch.setattr(console.out, "file", shown)
    monkeypatch.setattr(console.out, "width", 80)
    return shown


def record(key, was, now):
    original = Caption(text=was, origin="alt", provenance=Provenance(stage="source"))
    made = Caption(text=now, origin="composed", provenance=Provenance(stage="compose"))
    return Record(key=key, captions=(original, made), chosen=made.id)


def summary(**more):
    zero = ("dropped", "failed", "retryable", "resumed", "calls_paid", "calls_recalled")
    values: dict[str, Any] = {"items": 1, "kept": 1, "seconds": 1.0, "usage": {}, "stats": {}, "notes": ()}
    return Summary(**values | dict.fromkeys(zero, 0) | more)


HOSTILE = "a :dog: [bold]b[/] \\[c] [/] \x1b[31m\n\u202e"


def test_a_printed_text_stands_as_it_is(screen):
    console.out.print(console.safe(HOSTILE))
    assert screen.getvalue() == "a :dog: [bold]b[/] \\[c] [/] \\u001b[31m\\u000a\\u202e\n"


def test_a_table_shows_texts_as_they_are(screen):
    console.show_table(("text",), [(HOSTILE,)])
    assert "a :dog: [bold]b[/] \\[c] [/] \\u001b[31m\\u000a\\u202e" in screen.getvalue()


@given(st.text(max_size=40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_text_is_harmless_to_print(screen, text):
    screen.seek(0)
    screen.truncate()
    console.out.print(console.safe(text))
    shown = screen.getvalue().removesuffix("\n")
    assert shown.rstrip("\\") == printable(text).rstrip("\\")


def test_emoji_codes_on_the_error_console_stay_too(capsys):
    console.err.print(console.safe("a :dog: b"))
    assert capsys.readouterr().err == "a :dog: b\n"


def test_before_and_after_are_bounded(screen):
    console.before_after([record("k", "w" * 100_000, "n" * 100_000)])
    shown = screen.getvalue()
    assert shown.count("w") < 310
    assert shown.count("n") < 310
    assert shown.count("…") == 2


def test_texts_of_ordinary_length_are_whole(screen):
    console.before_after([record("k", "w" * 250, "n" * 250)])
    shown = screen.getvalue()
    assert (shown.count("w"), shown.count("n"), shown.count("…")) == (250, 250, 0)


def test_a_long_key_shows_its_end(screen):
    console.before_after([record("https://example.org/a/very/long/way/to/photo-0001.jpg", "was", "now")])
    shown = screen.getvalue().splitlines()[1].split()[0]
    assert shown == "…" + "https://example.org/a/very/long/way/to/photo-0001.jpg"[-31:]


def test_a_wide_key_keeps_to_its_column(screen):
    console.before_after([record("犬" * 40 + "1", "was", "now")])
    assert screen.getvalue().splitlines()[1].split()[0] == "…" + "犬" * 15 + "1"


def test_notes_are_bounded_in_length_and_number(screen):
    notes = tuple(f"{i} " + "x" * 10_000 for i in range(100))
    console.show_summary(summary(stats={"rejects": {"gather: " + "y" * 10_000: 1}}, notes=notes), "out")
    assert len(screen.getvalue()) < 15_000
    assert "80 more notes" in screen.getvalue()


def test_what_was_spent_and_what_is_marked_is_said(screen):
    usage = {
        "gpt": Usage(requests=1200, prompt_tokens=5, completion_tokens=7, cost=0.25),
        "own [b]": Usage(requests=3),
    }
    console.show_summary(summary(usage=usage, stats={"flags": {"audit": 1050}}), "out")
    shown = " ".join(screen.getvalue().split())
    assert "on gpt: 1,200 requests, 5 tokens in, 7 out, cost 0.2500" in shown
    assert "on own [b]: 3 requests, 0 tokens in, 0 out" in shown
    assert "1,050 marked for audit" in shown
    console.show_summary(summary(), "out")
    assert "marked" not in screen.getvalue().rpartition("Output")[0].rpartition("captioned")[2]


@pytest.mark.parametrize(
    ("seconds", "said"), [(59.6, "about 60 s"), (600, "about 10 min"), (9000, "about 2.5 h"), (0, "about 0 s")]
)
def test_time_is_said_as_people_say_it(screen, seconds, said):
    planned = Plan(
        items=1,
        images=1,
        shards=1,
        stages=(),
        seconds=seconds,
        rate_source="at some rate",
        disk_bytes=10,
        sampled=0,
    )
    console.show_plan(planned)
    assert f"time: {said}, at some rate" in screen.getvalue()
    assert "cost:" not in screen.getvalue()  # nobody is paid


def test_a_rate_keeps_digits_that_tell(screen):
    for items, seconds in ((90, 3600.0), (9, 2.0), (50_000, 2.0)):
        console.show_summary(summary(items=items, kept=items, seconds=seconds), "out")
    shown = screen.getvalue()
    assert "(1.5/min)" in shown
    assert "(4.5/s)" in shown
    assert "(25,000/s)" in shown


def test_a_terminal_sees_when_the_captions_begin_and_what_is_left(monkeypatch):
    shown = io.StringIO()
    monkeypatch.setattr(console, "err", Console(file=shown, force_terminal=True, width=80))
    with console.progress_bar() as watch:
        watch(Progress(done=40, total=None))
        watch(Progress(done=0, total=40))
        time.sleep(0.6)  # before that no rate is told
        watch(Progress(done=10, total=40, failed=3))
    last = Text.from_ansi(shown.getvalue()).plain
    assert "captioning" in last
    assert re.search(r"10/40 +\S+/s, \d+ s left 3 rejected", last)


def test_a_log_file_gets_a_line_a_minute(monkeypatch):
    shown, now = io.StringIO(), [0.0]
    monkeypatch.setattr(console.err, "file", shown)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with console.progress_bar() as watch:  # stderr is no terminal here
        for at, done, total in [(5, 99, None), (30, 0, 100), (61, 8, 100), (70, 9, 100), (150, 30, 100)]:
            now[0] = at
            watch(Progress(done=done, total=total, failed=2))
    assert shown.getvalue().splitlines() == [
        "captioning: 8 of 100, 15.5/min, 6 min left, 2 rejected",
        "captioning: 30 of 100, 15.0/min, 5 min left, 2 rejected",
    ]


@pytest.mark.parametrize(
    ("costs", "said"),
    [
        ({"cost": 2.5, "writing_cost": 2.0}, "cost: at most 2.50\n"),
        ({"writing_cost": 2.0}, "cost: at most 2.00 for what is written, and for what is read unknown"),
        ({}, "cost: unknown: give --price-in and --price-out"),
    ],
)
def test_prices_that_were_given_are_not_asked_for_again(screen, costs, said):
    writing = PlannedStage(name="caption", what="requests", calls=1, is_paid=True, **costs)
    zero: dict[str, Any] = {"items": 1, "images": 1, "shards": 1, "disk_bytes": 1, "sampled": 0}
    console.show_plan(Plan(stages=(writing,), seconds=None, rate_source="unknown", **zero))
    assert said in screen.getvalue()


@pytest.mark.parametrize(
    ("stays", "told"),
    [
        (18, "no text of the model beats the original: it stays for all 18"),
        (9, "the original stays for 9 of the 18 that a model wrote for (50 %)"),
        (0, "the original stays for 0 of the 18 that a model wrote for (0 %)"),
    ],
)
def test_a_summary_says_how_often_the_original_stays(screen, stays, told):
    stats = {"contest": {"a model wrote beside an original": 18, "the original stays": stays}}
    console.show_summary(summary(stats=stats), "out")
    assert told in screen.getvalue()
