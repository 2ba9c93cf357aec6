"""The client against servers that go wrong: every caption comes, is the right one, and is paid for once."""

import asyncio
import io
import threading
import zlib
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from PIL import Image as Pillow

from recaption.core.errors import BackendError, BudgetError, UserError
from recaption.core.protocols import GenerationRequest, Sampling
from recaption.datasets.meter import Budget, SqliteMeter
from recaption.models.openai import engine, silence
from recaption.models.openai.generator import OpenAIGenerator
from tests.servers.plans import Plan
from tests.servers.replies import caption
from tests.servers.running import serving
from tests.unit.models.openai.asking import (
    CountingMeter,
    CountingPicture,
    answering,
    answers,
    asking,
    completion,
    jpeg,
    picture,
    request,
)


def right(number: int, seed: int = 0, choice: int = 0) -> str:
    return caption(sha256(jpeg(number)).hexdigest(), seed, choice)


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_every_request_gets_its_own_answer_and_every_call_is_counted():
    with serving() as (server, url), asking(url + "/v1", in_flight=8) as generator:
        meter = CountingMeter()
        found = answers(generator, [request(i) for i in range(100)], meter)
        assert {i: g[0].text for i, g in found.items()} == {i: right(i) for i in range(100)}
        assert len(server.calls) == 100
        assert server.most_live <= 8
        assert (meter.reserved, meter.used.requests) == (0, 100)
        assert meter.used.prompt_tokens > 0


def test_mixed_faults_lose_nothing_and_waste_nothing():
    with serving(Plan.mixed(0.3, seed=5)) as (server, url), asking(url + "/v1", in_flight=32) as generator:
        meter = CountingMeter()
        found = answers(generator, [request(i) for i in range(300)], meter)
        assert {i: g[0].text for i, g in found.items()} == {i: right(i) for i in range(300)}
        assert len(server.calls) <= 1.5 * 300
        assert meter.used.requests == len(server.calls)
        assert meter.reserved == 0


@pytest.mark.parametrize(
    "mode", ["gzip", "reset_mid_body", "null_content", "missing_choices", "tool_calls", "nul", "surrogate"]
)
def test_what_goes_wrong_once_is_asked_once_more(mode):
    plan = Plan(script=[mode])
    with serving(plan) as (server, url), asking(url + "/v1") as generator:
        found = answers(generator, [request(7)])
        assert found[0][0].text == right(7)
        assert len(server.calls) == (1 if mode == "gzip" else 2)


@pytest.mark.parametrize("mode", ["hang", "stall_mid_body", "drip", "endless", "megabyte"])
def test_bodies_that_never_end_are_given_up(mode):
    plan = Plan(script=[mode], hang_s=60.0, drip_s=0.05)
    with serving(plan) as (server, url), asking(url + "/v1", timeout_s=0.5) as generator:
        found = answers(generator, [request(7)])
        assert found[0][0].text == right(7)
        assert len(server.calls) == 2


@pytest.mark.parametrize(("mode", "finish"), [("413", "error"), ("moderation", "refusal"), ("400", "error")])
def test_what_will_never_work_for_a_request_costs_one_call(mode, finish):
    with serving(Plan(script=[mode] * 3)) as (server, url), asking(url + "/v1") as generator:
        found = answers(generator, [request(i) for i in range(5)])
        assert len(server.calls) == 5
        for (generation,) in found.values():
            assert (generation.text, generation.finish_reason, generation.retryable) == (None, finish, False)
            assert generation.error


@pytest.mark.parametrize("mode", ["401", "404"])
def test_what_will_never_work_for_anybody_stops_at_once(mode):
    with serving(Plan(rates={mode: 1.0})) as (server, url), asking(url + "/v1", in_flight=8) as generator:
        with pytest.raises(BackendError, match=rf"m: {url}/v1: {mode}: ") as raised:
            answers(generator, [request(i) for i in range(100)])
        assert "\n" not in str(raised.value)
        assert len(server.calls) <= 8
        with pytest.raises(BackendError):  # another thread of the same run finds out without a call
            answers(generator, [request(1)])
        assert len(server.calls) <= 8


def test_a_server_that_refuses_everybody_is_a_wrong_setting():
    async def handler(request, body):
        return web.json_response({"error": {"message": "Unsupported parameter: 'seed'"}}, status=400)

    with (
        answering(handler) as url,
        asking(url, in_flight=8) as generator,
        pytest.raises(BackendError, match=r"none of the first 8 requests was answered.*'seed'"),
    ):
        answers(generator, [request(i) for i in range(100)])


def test_what_fails_before_anybody_is_answered_may_be_asked_again():
    async def handler(request, body):
        if refusing:
            return web.json_response({"error": {"message": "No model is loaded."}}, status=400)
        return web.json_response(completion("A cat."))

    refusing = [True]
    with answering(handler) as url, asking(url) as generator:
        for (generation,) in answers(generator, [request(0), request(1)]).values():
            assert (generation.text, generation.retryable) == (None, True)
        refusing.clear()
        assert answers(generator, [request(0)])[0][0].text == "A cat."
        refusing.append(True)
        # Now that others are answered it speaks of the request.
        (generation,) = answers(generator, [request(2)])[0]
        assert (generation.text, generation.retryable) == (None, False)


def test_a_long_silence_is_told_with_its_reason_and_without_the_key(monkeypatch, caplog):
    monkeypatch.setattr(silence, "FIRST_S", 0.1)
    monkeypatch.setattr(engine, "_LISTEN_S", 0.02)
    monkeypatch.setenv("SOME_KEY", "topsecretword")

    async def handler(request, body):
        if any("still trying. Last: " in told for told in caplog.messages):
            return web.json_response(completion("A cat."))
        return web.json_response({"error": {"message": "busy, topsecretword"}}, status=503)

    with answering(handler) as url, asking(url, api_key_env="SOME_KEY") as generator:
        assert answers(generator, [request(0)])[0][0].text == "A cat."
    assert "503: busy, [key]" in caplog.text
    assert "topsecretword" not in caplog.text


def test_nobody_at_the_address():
    with asking("http://127.0.0.1:9/v1", outage_s=0.3) as generator:
        meter = CountingMeter()
        with pytest.raises(BackendError, match=r"cannot connect: Connect call failed.*Is the server running"):
            answers(generator, [request(0)], meter)
        assert meter.used.requests == 0  # nothing ever left


def test_a_server_that_stays_down_stops_the_run():
    with (
        serving(Plan(rates={"503": 1.0})) as (_, url),
        asking(url + "/v1", in_flight=4, outage_s=0.5) as generator,
        pytest.raises(BackendError, match=r"503.*for \d+ s now"),
    ):
        answers(generator, [request(i) for i in range(20)])


def test_draws_come_in_one_call_where_the_server_can():
    with serving() as (server, url), asking(url + "/v1") as generator:
        found = answers(generator, [request(i, n=3, temperature=1.0, seed=11) for i in range(10)])
        assert len(server.calls) == 10
        for i, generations in found.items():
            assert [g.text for g in generations] == [right(i, 11, choice) for choice in range(3)]


def test_draws_are_looped_where_the_server_ignores_their_number():
    with serving(Plan(ignore_n=True)) as (server, url), asking(url + "/v1", in_flight=1) as generator:
        found = answers(generator, [request(i, n=4, temperature=1.0, seed=11) for i in range(10)])
        assert all(len({g.text for g in generations}) == 4 for generations in found.values())
        assert all(generations[0].text == right(i, 11) for i, generations in found.items())
        assert len(server.calls) == 40  # the first call of all is not wasted, and no other asks for four


def test_greedy_draws_are_one():
    with serving() as (server, url), asking(url + "/v1") as generator:
        found = answers(generator, [request(3, n=4)])
        assert [g.text for g in found[0]] == [right(3)] * 4
        assert len(server.calls) == 1


def test_equal_answers_to_a_warm_draw_are_kept():
    calls = []

    async def handler(request, body):
        calls.append(body)
        return web.json_response(completion(*["The same."] * body.get("n", 1)))

    with answering(handler) as url, asking(url) as generator:
        found = answers(generator, [request(0, n=3, temperature=0.7, seed=5)])
    assert [g.text for g in found[0]] == ["The same."] * 3
    assert len(calls) == 1
    assert (calls[0]["n"], calls[0]["seed"], calls[0]["temperature"]) == (3, 5, 0.7)


def test_one_bad_choice_costs_one_more_draw_not_all():
    calls = []

    async def handler(request, body):
        calls.append(body)
        texts = [f"text {body['seed']} {i}" for i in range(body.get("n", 1))]
        if len(calls) == 1:
            texts[1] = ""
        return web.json_response(completion(*texts))

    with answering(handler) as url, asking(url) as generator:
        found = answers(generator, [request(0, n=3, temperature=0.7, seed=5)])
    assert [body.get("n", 1) for body in calls] == [3, 1]
    assert [g.text for g in found[0]] == ["text 5 0", f"text {calls[1]['seed']} 0", "text 5 2"]


def test_an_answer_that_is_always_empty_is_given_up_and_may_be_retried():
    calls = []

    async def handler(request, body):
        calls.append(body)
        return web.json_response(completion(""))

    with answering(handler) as url, asking(url, same_fault=3) as generator:
        found = answers(generator, [request(0, temperature=1.0)])
    assert len(calls) == 3
    assert (found[0][0].text, found[0][0].retryable) == (None, True)
    assert "empty" in (found[0][0].error or "")
    seeds = [body["seed"] for body in calls]
    assert seeds[0] == seeds[1] != seeds[2]  # once more as it was, then with other dice


def test_swapped_and_stale_answers_are_not_believed():
    plan = Plan(rates={"swapped": 0.5}, latency_s=0.01, seed=2)
    with serving(plan) as (server, url), asking(url + "/v1", in_flight=16) as generator:
        found = answers(generator, [request(i) for i in range(60)])
        assert {i: g[0].text for i, g in found.items()} == {i: right(i) for i in range(60)}
        assert any(call.mode == "swapped" for call in server.calls)

    said: list[dict[str, Any]] = []

    async def cached(request, body):
        said.append(completion(f"text {len(said)}", id=f"chatcmpl-{len(said):032x}"))
        return web.json_response(said[2] if len(said) == 6 else said[-1])

    with answering(cached) as url, asking(url, in_flight=1) as generator:
        found = answers(generator, [request(i) for i in range(12)])
    texts = [g[0].text for g in found.values()]
    assert len(set(texts)) == 12
    assert len(said) == 13


def test_a_budget_stops_after_exactly_so_many_calls_and_hands_out_what_was_paid(tmp_path):
    with serving(Plan(latency_s=0.01)) as (server, url), asking(url + "/v1", in_flight=16) as generator:
        meter = SqliteMeter(tmp_path / "spent.sqlite", Budget(requests=50))
        found: list[object] = []
        yielded = generator.generate([request(i) for i in range(120)], meter)
        with pytest.raises(BudgetError, match="50 of 50 requests"):
            found.extend(iter(lambda: next(yielded), None))
        assert len(server.calls) == 50
        assert len(found) == 50
        with pytest.raises(BudgetError):
            answers(generator, [request(1)], meter)
        meter.close()
        more = SqliteMeter(tmp_path / "spent.sqlite", Budget(requests=60))
        with pytest.raises(BudgetError):
            answers(generator, [request(i) for i in range(120)], more)
        assert len(server.calls) == 60
        more.close()


def test_a_budget_of_money_counts_what_calls_cost_not_what_they_could(tmp_path):
    calls = []

    async def handler(request, body):
        calls.append(body)
        return web.json_response(completion("A cat.", usage={"prompt_tokens": 100, "completion_tokens": 16}))

    price, cost = {"input_per_million": 1.0, "output_per_million": 2.0}, (100 * 1.0 + 16 * 2.0) / 1e6
    with answering(handler) as url, asking(url, price=price) as generator:
        meter = SqliteMeter(tmp_path / "spent.sqlite", Budget(cost=cost * 40))
        with pytest.raises(BudgetError):
            answers(generator, [request(i) for i in range(200)], meter)
        spent = meter.spent()["m"]
        assert spent.cost == pytest.approx(cost * len(calls))
        assert 35 <= len(calls) <= 40  # each could have cost twice as much
        meter.close()


def test_several_threads_share_one_client():
    with serving(Plan(latency_s=0.005)) as (server, url), asking(url + "/v1", in_flight=16) as generator:
        found: dict[int, str | None] = {}

        def work(start):
            for position, generations in generator.generate(
                [request(start + i) for i in range(50)], CountingMeter()
            ):
                found[start + position] = generations[0].text

        threads = [threading.Thread(target=work, args=(start,)) for start in range(0, 200, 50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == {i: right(i) for i in range(200)}
        assert server.most_live <= 16


def test_several_addresses_share_the_work_and_one_may_be_gone():
    with serving(Plan(latency_s=0.01)) as (one, first), serving(Plan(latency_s=0.01)) as (two, second):
        params = OpenAIGenerator.Params(
            endpoints=(f"{first}/v1", "http://127.0.0.1:9/v1", f"{second}/v1"),
            model="m",
            in_flight=8,
            backoff_s=0.02,
            probe_s=0.05,
        )
        generator = OpenAIGenerator(params)
        assert generator.in_flight == 24
        found = answers(generator, [request(i) for i in range(120)])
        generator.close()
        assert {i: g[0].text for i, g in found.items()} == {i: right(i) for i in range(120)}
        assert min(len(one.calls), len(two.calls)) > 20


def test_an_iterator_left_early_calls_nobody_any_more():
    with serving(Plan(latency_s=0.05)) as (server, url), asking(url + "/v1", in_flight=4) as generator:
        meter = CountingMeter()
        iterator = generator.generate([request(i) for i in range(100)], meter)
        next(iterator)
        iterator.close()  # type: ignore[attr-defined]
        assert answers(generator, [request(1000)])[0][0].text == right(1000)
        assert len(server.calls) <= 4 + 4 + 1
        assert meter.reserved == 0


def test_calls_left_early_leak_no_connections():
    with serving(Plan(latency_s=0.002)) as (_, url), asking(url + "/v1", in_flight=16) as generator:
        answers(generator, [request(i) for i in range(32)])
        before = _open_files()
        for round_ in range(30):
            iterator = generator.generate([request(i) for i in range(40)], CountingMeter())
            for _ in range(round_ % 5):
                next(iterator)
            iterator.close()  # type: ignore[attr-defined]
        assert len(answers(generator, [request(i) for i in range(100)])) == 100
        assert generator._client is not None
        assert generator._client._engine._schedule.under_way == 0
        assert _open_files() <= before + 2 * 16  # both ends of each connection are ours


def test_pictures_are_read_once_a_call_and_bad_ones_are_answers():
    one = CountingPicture(jpeg(1))
    broken = picture(b"\xff\xd8\xff but nothing else")
    prompts = [GenerationRequest(key="a", prompt=f"Say {i}.", image=one) for i in range(5)]
    with serving() as (server, url), asking(url + "/v1") as generator:
        found = answers(
            generator,
            [*prompts, GenerationRequest(key="b", prompt="x", image=broken, sampling=Sampling(n=2))],
        )
    assert (one.reads, one.decodes) == (1, 0)
    assert len(server.calls) == 5
    assert [g.finish_reason for g in found[5]] == ["error", "error"]
    assert (found[5][0].error or "").startswith("image: ")
    assert not found[5][0].retryable


def test_the_key_goes_into_its_header_and_nowhere_else(monkeypatch):
    monkeypatch.setenv("MY_KEY", "very-secret-value")
    seen = []

    async def handler(request, body):
        seen.append(dict(request.headers))
        if len(seen) > 1:
            return web.json_response({"error": {"message": "wrong key very-secret-value"}}, status=401)
        return web.json_response(completion("A cat."))

    with answering(handler) as url, asking(url, api_key_env="MY_KEY", headers={"X-Team": "us"}) as generator:
        answers(generator, [request(0)])
        with pytest.raises(BackendError) as raised:
            answers(generator, [request(1)])
        assert "very-secret" not in f"{raised.value}{generator!r}{generator.fingerprint}{generator._params!r}"
    assert seen[0]["Authorization"] == "Bearer very-secret-value"
    assert seen[0]["X-Team"] == "us"
    assert seen[0]["Accept-Encoding"] == "identity"
    assert "Cookie" not in seen[1]
    monkeypatch.delenv("MY_KEY")
    with (
        asking("http://127.0.0.1:9/v1", api_key_env="MY_KEY") as generator,
        pytest.raises(UserError, match="environment variable MY_KEY is not set"),
    ):
        answers(generator, [request(0)])


def test_redirects_are_not_followed():
    seen = []

    async def handler(request, body):
        seen.append(request.path)
        raise web.HTTPTemporaryRedirect("http://127.0.0.1:9/stolen")

    with answering(handler) as url, asking(url, same_fault=2) as generator:
        found = answers(generator, [request(0)])
    assert len(seen) == 2
    assert "307" in (found[0][0].error or "")


def test_an_answer_that_inflates_to_gigabytes_is_not_inflated():
    deflater = zlib.compressobj(9, wbits=31)
    bomb = b"".join(deflater.compress(b" " * 2**20) for _ in range(64)) + deflater.flush()

    async def handler(request, body):
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    with answering(handler) as url, asking(url, same_fault=2) as generator:
        found = answers(generator, [request(0)])
    assert "larger than 1,000,000 bytes" in (found[0][0].error or "")


def test_large_pictures_go_out_whole():
    noise = Pillow.fromarray(np.random.default_rng(0).integers(0, 255, (1000, 1000, 3), dtype=np.uint8))
    out = io.BytesIO()
    noise.save(out, "JPEG", quality=95)
    with serving() as (server, url), asking(url + "/v1") as generator:
        found = answers(generator, [GenerationRequest(key="a", prompt="x", image=picture(out.getvalue()))])
    assert server.calls[0].bytes > 2**20
    assert found[0][0].text == caption(sha256(out.getvalue()).hexdigest(), 0, 0)


def test_what_http_cannot_do_is_refused_before_anything_is_sent():
    with asking("http://127.0.0.1:9/v1") as generator, pytest.raises(UserError, match="beams and guidance"):
        answers(generator, [request(0, beams=4, guidance=2.0)])


def test_a_closed_generator_stays_closed():
    with serving() as (server, url), asking(url + "/v1") as generator:
        assert answers(generator, [request(1)])[0][0].text == right(1)
        generator.close()
        generator.close()
        with pytest.raises(BackendError, match="closed"):
            answers(generator, [request(2)])
    assert len(server.calls) == 1


def test_hung_calls_do_not_hold_up_the_run():
    async def handler(request, body):
        if handled[0] % 10 == 3 and not body.get("seen"):
            handled[0] += 1
            await asyncio.sleep(60)
        handled[0] += 1
        return web.json_response(completion("A cat."))

    handled = [0]
    with answering(handler) as url, asking(url, in_flight=8, timeout_s=30.0) as generator:
        found = answers(generator, [request(i) for i in range(100)])
    assert len(found) == 100
    assert all(g[0].text == "A cat." for g in found.values())
