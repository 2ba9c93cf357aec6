"""Who is sent when, against servers that go down, refuse, limit and slow down; no second of it is waited for."""

import math
import random

import pytest

from recaption.models.openai.endpoint import Endpoint
from recaption.models.openai.pacing import Pacing
from recaption.models.openai.schedule import Job, RetryPolicy, Schedule
from tests.unit.models.openai.simulation import LeakyBucket, Said, Simulation


def endpoints(count=1, limit=64):
    return [Endpoint(f"http://{i}/v1", limit, probe_s=1.0) for i in range(count)]


def picked(schedule, now) -> tuple[Job[str], Endpoint]:
    found = schedule.start(now)
    assert found is not None
    return found


def test_all_slots_are_used_and_never_more():
    live, most = [0], [0]

    def server(now, url, number):
        live[0] = sum(e.under_way for e in simulation.endpoints)
        most[0] = max(most[0], live[0])
        return Said()

    simulation = Simulation(endpoints(limit=64), server, jobs=2000)
    simulation.run()
    assert len(simulation.done) == 2000
    assert most[0] == 64
    assert simulation.now == pytest.approx(math.ceil(2000 / 64) * 0.2, rel=0.01)


def test_a_blackout_costs_the_calls_under_way_and_a_probe_a_second():
    dark = (10.0, 70.0)

    def server(now, url, number):
        return Said("down", 0.05) if dark[0] <= now < dark[1] else Said(takes_s=0.5)

    simulation = Simulation(endpoints(limit=256), server, jobs=40_000)
    simulation.run()
    during = [sent for sent in simulation.sent if dark[0] <= sent.at < dark[1]]
    assert len(during) <= 256 + 61
    assert len(simulation.done) == 40_000
    assert simulation.given_up == []
    before = simulation.rate(5, 10)
    assert before == pytest.approx(512, rel=0.02)
    assert simulation.rate(75, 80) >= 0.9 * before
    assert simulation.rate(70, 75) > 0


def test_random_failures_are_no_blackout():
    chance = random.Random(1)

    def server(now, url, number):
        return Said("down", 0.2) if chance.random() < 0.3 else Said()

    simulation = Simulation(endpoints(), server, jobs=5000)
    simulation.run()
    assert len(simulation.done) == 5000
    assert len(simulation.sent) / 5000 == pytest.approx(1 / 0.7, rel=0.03)
    ideal = 5000 / 0.7 / 64 * 0.2
    assert simulation.now < 1.2 * ideal


@pytest.mark.parametrize("wait_s", [0.3, 5.0, 600.0])
def test_nothing_is_sent_to_an_address_that_asked_us_to_wait(wait_s):
    refused_at: list[float] = []

    def server(now, url, number):
        if url == "http://0/v1" and now > 3 and (not refused_at or now < refused_at[0] + wait_s):
            refused_at.append(now)
            return Said("refused", 0.01, wait_s=wait_s)
        return Said()

    simulation = Simulation(endpoints(2, limit=8), server, jobs=3000)
    simulation.run()
    heard = refused_at[0] + 0.01  # before that nobody could know
    inside = [s for s in simulation.sent if s.url == "http://0/v1" and heard < s.at < refused_at[0] + wait_s]
    assert inside == []
    assert len(simulation.done) == 3000
    others = [s for s in simulation.sent if s.url == "http://1/v1" and 3.5 < s.at < 5]
    assert len(others) == pytest.approx(8 / 0.2 * 1.5, rel=0.15)


def test_a_refusal_meant_for_one_call_does_not_hold_up_the_others():
    chance = random.Random(2)
    told = {number for number in range(5000) if chance.random() < 0.1}

    def server(now, url, number):
        if number in told:
            told.discard(number)
            return Said("refused", 0.01, wait_s=30.0)
        return Said()

    simulation = Simulation(endpoints(), server, jobs=5000)
    simulation.run()
    assert len(simulation.done) == 5000
    ideal = 4500 / 64 * 0.2
    in_time = sum(at <= ideal / 0.95 for at in simulation.done.values())
    assert in_time >= 0.95 * 4500


def test_a_limit_that_headers_tell_is_learned_and_kept_to():
    for rate, size in ((20.0, 60.0), (100.0, 100.0), (100.0, 10.0), (5.0, 300.0)):
        bucket = LeakyBucket("requests", rate, size)

        def server(now, url, number, bucket=bucket, rate=rate):
            if bucket.take(now, 1):
                return Said(headers=bucket.headers())
            return Said("refused", 0.005, bucket.headers(), wait_s=(1 - bucket.left) / rate)

        simulation = Simulation(endpoints(), server, jobs=int(size + rate * 100))
        simulation.run(until=60)
        late = [sent for sent in simulation.sent if sent.at > 5]
        refused = sum(sent.outcome == "refused" for sent in late)
        assert refused <= 0.01 * len(late), (rate, size, refused, len(late))
        assert simulation.rate(10, 60) >= 0.95 * rate, (rate, size, simulation.rate(10, 60))


def test_a_limit_of_tokens_is_learned_too():
    bucket = LeakyBucket("tokens", 4000.0, 8000.0)
    chance = random.Random(3)

    def server(now, url, number):
        tokens = chance.randint(80, 160)
        if bucket.take(now, tokens):
            return Said(headers=bucket.headers(), tokens=tokens)
        return Said("refused", 0.005, bucket.headers(), wait_s=(tokens - bucket.left) / 4000)

    simulation = Simulation(endpoints(), server, jobs=5000, tokens=1500)
    simulation.run(until=60)
    late = [sent for sent in simulation.sent if sent.at > 5]
    assert sum(sent.outcome == "refused" for sent in late) <= 0.01 * len(late)
    assert simulation.rate(20, 60) >= 0.95 * 4000 / 120


def test_a_speed_set_by_the_user_is_kept_to():
    paced = [Endpoint("http://0/v1", 64, 1.0, Pacing.fixed_at(0.0, rpm=600, tpm=None))]
    simulation = Simulation(paced, lambda now, url, number: Said(), jobs=1000)
    simulation.run(until=60)
    assert len(simulation.sent) == pytest.approx(600, abs=15)
    assert simulation.rate(20, 40) == pytest.approx(10, rel=0.05)


@pytest.mark.parametrize("trouble", ["dies", "slows"])
def test_of_three_addresses_one_may_fail(trouble):
    def server(now, url, number):
        if url == "http://0/v1" and 5 <= now < 25:
            return Said("down", 0.01) if trouble == "dies" else Said(takes_s=2.0)
        return Said()

    simulation = Simulation(endpoints(3, limit=32), server, jobs=20_000)
    simulation.run()
    assert len(simulation.done) == 20_000
    assert simulation.rate(8, 25) >= 0.95 * 2 * 32 / 0.2
    assert simulation.rate(35, 38) >= 0.98 * 3 * 32 / 0.2


def test_first_tries_come_back_first_and_later_ones_go_to_the_end():
    policy = RetryPolicy(attempts_in_line=2)
    schedule: Schedule[str] = Schedule([Endpoint("u", 1, 1.0)], policy, lambda: 0.0)
    bad = Job("bad", (0,), 1)
    for job in (bad, Job("b", (0,), 1), Job("c", (0,), 1)):
        schedule.add(job)

    def next_one(now):
        job, endpoint = picked(schedule, now)
        ticket = schedule.sent(job, endpoint, now)
        endpoint.ended(now, ticket, {})
        endpoint.answered(now, ticket, useful=True)
        return job

    order = []
    for now in range(6):
        job = next_one(float(now))
        order.append(job.owner)
        if job is bad and job.attempts < 4:
            schedule.again(job, float(now), None)
    assert order == ["bad", "bad", "b", "c", "bad", "bad"]


def test_a_deadline_counts_from_the_first_attempt_not_from_the_queue():
    policy = RetryPolicy(deadline_s=100.0)
    simulation = Simulation(
        endpoints(limit=1), lambda now, url, number: Said("refused", 0.1, wait_s=40.0), policy, jobs=1
    )
    simulation.run()
    assert simulation.given_up == [0]
    assert 80 < simulation.now <= 100
    assert len(simulation.sent) == 3


def test_a_job_that_failed_at_one_address_goes_to_another():
    schedule: Schedule[str] = Schedule(endpoints(2), RetryPolicy(), lambda: 0.0)
    schedule.add(Job("a", (0,), 1))
    job, first = picked(schedule, 0.0)
    ticket = schedule.sent(job, first, 0.0)
    first.ended(0.0, ticket, {})
    assert schedule.again(job, 0.0, None)
    again, second = picked(schedule, 1.0)
    assert again is job
    assert second is not first


def test_jobs_can_be_taken_out():
    schedule: Schedule[str] = Schedule(endpoints(), RetryPolicy(), lambda: 0.0)
    for name in "abab":
        schedule.add(Job(name, (0,), 1))
    assert [job.owner for job in schedule.remove(lambda job: job.owner == "a")] == ["a", "a"]
    assert (len(schedule), schedule.fresh) == (2, 2)
    job, _ = picked(schedule, 0.0)
    schedule.return_unsent(job)
    assert (len(schedule), schedule.fresh) == (2, 2)


def test_a_server_without_headers_is_not_run_over():
    bucket = LeakyBucket("requests", 10.0, 10.0)

    def server(now, url, number):
        return Said(takes_s=0.2) if bucket.take(now, 1) else Said("refused", 0.005)

    simulation = Simulation(endpoints(), server, jobs=600)
    simulation.run()
    assert len(simulation.done) == 600
    assert len(simulation.sent) <= 3 * 600
