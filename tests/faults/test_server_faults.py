"""What a captioning run makes of a server that fails: nothing lost, nothing spoilt, few calls wasted.

The server is real and goes wrong by a seeded plan; every bar here is read from its log. `benchmarks/faults.py` runs
the same with thousands.
"""

import pytest

pytest.importorskip("aiohttp")

from benchmarks.captioning import captioned, command, finish, make_pictures
from benchmarks.faults import ask, kills, pictures, waited
from recaption.datasets.meter import Budget, SqliteMeter
from tests.servers.plans import MODES, USABLE, Plan
from tests.servers.retry_after import FORMS
from tests.servers.running import serving


@pytest.mark.parametrize(("rate", "count", "most_calls"), [(0.3, 200, 1.5), (0.6, 100, 2.65)])
def test_mixed_faults_lose_nothing_and_waste_nothing(rate, count, most_calls):
    with serving(Plan.mixed(rate, seed=1, latency_s=0.005)) as (server, url):
        asked = ask(url + "/v1", pictures(count), timeout_s=0.5)
        calls = list(server.calls)
    assert (asked.right, asked.wrong, asked.twice, asked.error) == (count, 0, 0, None)
    assert len(calls) / count <= most_calls
    # Every call beyond these was one that the server failed; a busy machine may make one look like a hang.
    assert sum(call.mode == "ok" for call in calls) <= count + 4


@pytest.mark.parametrize("mode", [m for m in MODES if m not in ("400", "401", "404", "413")])
def test_no_fault_is_taken_for_a_caption_and_none_is_final(mode):
    plan = Plan(script=[mode] * 2, hang_s=10)
    with serving(plan) as (server, url):
        asked = ask(url + "/v1", pictures(4), timeout_s=0.3)
    assert asked.wrong == 0
    if mode in (*USABLE, "length", "refusal", "moderation", "megabyte"):
        return  # an answer, or the server's last word; what became of it is asserted elsewhere
    assert (asked.right, asked.error) == (4, None)
    assert sum(call.mode == "ok" for call in server.calls) == 4


def test_swapped_answers_are_noticed():
    with serving(Plan(script=["swapped"] * 2)) as (_, url):
        asked = ask(url + "/v1", pictures(8))
    assert (asked.right, asked.wrong) == (8, 0)


def test_cut_and_refused_answers_are_handed_on_as_such():
    for mode, reason in (("length", "length"), ("refusal", "refusal"), ("moderation", "refusal")):
        with serving(Plan(script=[mode] * 9)) as (server, url):
            asked = ask(url + "/v1", pictures(2))
        assert [g.finish_reason for gs in asked.answers.values() for g in gs] == [reason] * 2
        assert len(server.calls) == 2  # asking again in the same words would be paid for nothing


@pytest.mark.parametrize("mode", ["401", "404"])
def test_what_is_wrong_for_everybody_stops_the_run_at_once(mode):
    with serving(Plan(rates={mode: 1.0})) as (server, url):
        asked = ask(url + "/v1", pictures(200), in_flight=8)
    assert asked.error is not None
    assert "BackendError" in asked.error or "UserError" in asked.error
    assert len(server.calls) <= 8
    assert asked.right == asked.wrong == 0


def test_what_is_wrong_with_one_picture_costs_one_call():
    with serving(Plan(rates={"400": 0.2, "413": 0.1}, seed=4)) as (server, url):
        asked = ask(url + "/v1", pictures(40))
    bad = sum(call.mode in ("400", "413") for call in server.calls)
    assert bad > 3
    assert (asked.right, asked.wrong, len(server.calls)) == (40 - bad, 0, 40)
    assert all(not g.retryable for gs in asked.answers.values() for g in gs)


@pytest.mark.parametrize(
    "form", [f for f in FORMS if f.name in ("a fraction", "milliseconds", "a list", "negative")]
)
def test_a_server_that_says_when_to_come_back_is_obeyed(form):
    gap_s, right, more = waited(form, cap_s=1.0)
    assert right, gap_s
    assert more == 0


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_every_way_to_say_when_to_come_back(form):
    gap_s, right, more = waited(form, cap_s=3.0)
    assert right, gap_s
    assert more == 0


def test_a_blackout_is_waited_for_with_a_probe_now_and_then():
    with serving(Plan(latency_s=0.02)) as (server, url):
        server.blackout(0.8)
        asked = ask(url + "/v1", pictures(100), in_flight=32, probe_s=0.2)
        dark = sum(call.mode == "blackout" for call in server.calls)
    assert (asked.right, asked.wrong, asked.error) == (100, 0, None)
    assert 0 < dark <= 32 + 0.8 / 0.2 + 2


@pytest.mark.parametrize("mode", ["hang", "stall_mid_body", "drip", "endless"])
def test_no_answer_is_waited_for_longer_than_its_deadline(mode):
    with serving(Plan(rates={mode: 1.0}, hang_s=60)) as (_, url):
        asked = ask(url + "/v1", pictures(4), timeout_s=0.3, deadline_s=1.0)
    assert asked.right == asked.wrong == 0
    assert asked.error is not None or all(g.error for gs in asked.answers.values() for g in gs)
    assert asked.wall_s < 30  # of 60 that the server would keep us


def test_a_budget_is_used_to_the_last_call_and_never_exceeded(tmp_path):
    with serving(Plan.mixed(0.3, seed=2)) as (server, url):
        for most in (40, 60):
            meter = SqliteMeter(tmp_path / "spent.sqlite", Budget(requests=most))
            asked = ask(url + "/v1", pictures(100), meter=meter, timeout_s=0.5)
            meter.close()
            assert asked.error is not None
            assert asked.error.startswith("BudgetError")
            assert asked.wrong == 0
            assert len(server.calls) == most


@pytest.mark.slow
def test_a_killed_run_pays_again_only_for_what_was_on_its_way(tmp_path):
    (kill,) = kills(tmp_path, captions=120, points=[0.5])
    assert 0 < kill.before < kill.total
    assert kill.right == 120
    # Those on their way, and those that had come in while the ones before them were being written to disk.
    assert kill.twice <= 2 * 32


@pytest.mark.slow
def test_a_whole_run_at_30_percent_faults_ends_with_every_caption(tmp_path):
    make_pictures(tmp_path / "pictures", 200)
    with serving(Plan.mixed(0.3, seed=5, latency_s=0.005)) as (server, url):
        settings = {"backoff_s": 0.02, "hang_s": 0.25, "timeout_s": 1.0}
        out = tmp_path / "out"
        done = finish(command(tmp_path / "pictures", out, url + "/v1", **settings))
        calls = list(server.calls)
    assert done.code == 0, done.said
    found = captioned(out, tmp_path / "pictures")
    assert (found.right, found.wrong, found.missing) == (200, 0, 0)
    assert len(calls) / 200 <= 1.5
