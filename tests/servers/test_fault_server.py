"""The fault server does what its plans say: otherwise every test that uses it proves nothing."""

import asyncio
import base64
import hashlib
import json
from collections import Counter

import aiohttp
import pytest

from tests.servers.plans import DEFECTIVE, MODES, Plan, RateLimit, draw
from tests.servers.replies import caption
from tests.servers.retry_after import FORMS
from tests.servers.running import read_calls, server_process, serving


def _body(image: bytes = b"picture", **more: object) -> dict[str, object]:
    uri = "data:image/jpeg;base64," + base64.b64encode(image).decode()
    parts = [{"type": "text", "text": "Describe."}, {"type": "image_url", "image_url": {"url": uri}}]
    return {"model": "m", "messages": [{"role": "user", "content": parts}], **more}


async def _post(session, url, body):
    """Return status, headers and JSON of one call, or the name of what went wrong."""
    try:
        async with session.post(url, json=body, timeout=aiohttp.ClientTimeout(total=0.5)) as answer:
            return answer.status, answer.headers, json.loads(await answer.text())
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        return type(error).__name__


def _ask(url: str, *bodies: dict[str, object]):
    async def all_of_them():
        async with aiohttp.ClientSession() as session:
            return await asyncio.gather(*(_post(session, url + "/v1/chat/completions", b) for b in bodies))

    return asyncio.run(all_of_them())


def _text(answer) -> str:
    text = answer[2]["choices"][0]["message"]["content"]
    assert isinstance(text, str)
    return text


def test_a_right_answer_names_the_picture_it_was_asked_about():
    with serving() as (server, url):
        (answer,) = _ask(url, _body(b"one", n=2, seed=7))
    digest = hashlib.sha256(b"one").hexdigest()
    assert [c["message"]["content"] for c in answer[2]["choices"]] == [
        caption(digest, 7, 0),
        caption(digest, 7, 1),
    ]
    assert digest[:16] in _text(answer)
    assert [(c.image, c.attempt, c.mode, c.paid) for c in server.calls] == [(digest, 1, "ok", True)]


def test_faults_depend_on_the_request_and_its_attempt_alone():
    plan = Plan.mixed(0.5, seed=3)
    first = [draw(plan, f"key{i}", attempt) for i in range(400) for attempt in (1, 2)]
    again = [draw(plan, f"key{i}", attempt) for i in reversed(range(400)) for attempt in (2, 1)]
    assert first == again[::-1]
    assert first != [draw(Plan.mixed(0.5, seed=4), f"key{i}", a) for i in range(400) for a in (1, 2)]
    counts = Counter(first)
    assert 0.4 < 1 - counts["ok"] / len(first) < 0.6
    assert set(counts) - {"ok"} == set(plan.rates)


EXPECTED = {
    "reset_before_headers": {"ServerDisconnectedError", "ClientOSError"},
    "reset_mid_body": {"ClientPayloadError"},
    "hang": {"TimeoutError"},
    "stall_mid_body": {"TimeoutError"},
    "drip": {"TimeoutError"},
    "endless": {"TimeoutError", "MemoryError"},
    "redirect": {"TooManyRedirects"},
    "half_json": {"JSONDecodeError"},
}


@pytest.mark.parametrize("mode", [m for m in MODES if m not in EXPECTED])
def test_every_mode_that_answers_answers_as_it_should(mode):
    with serving(Plan(script=[mode])) as (server, url):
        answer = _ask(url, _body(b"a"), _body(b"b"))[0]
    status = {"moderation": 403, "429_retry_after": 429}.get(mode, int(mode) if mode.isdigit() else 200)
    assert answer[0] == status
    assert server.calls[0].mode == mode
    assert server.calls[0].answered
    if mode in ("ok", "gzip", "odd_id"):
        assert _text(answer) == caption(hashlib.sha256(b"a").hexdigest(), 0, 0)
    elif mode == "swapped":
        assert _text(answer) == caption(hashlib.sha256(b"b").hexdigest(), 0, 0)
    elif status == 429:
        assert ("Retry-After" in answer[1]) == (mode == "429_retry_after")
    elif status == 200:
        assert mode in DEFECTIVE or not _is_a_caption(answer)


def _is_a_caption(answer) -> bool:
    try:
        return bool(_text(answer))
    except (KeyError, TypeError, AssertionError):
        return False


@pytest.mark.parametrize("mode", EXPECTED)
def test_every_mode_that_breaks_the_connection_breaks_it(mode):
    with serving(Plan(script=[mode], hang_s=5)) as (server, url):
        assert str(_ask(url, _body())[0]) in EXPECTED[mode]
        assert _text(_ask(url, _body())[0])  # the second attempt is fine
    assert [(c.attempt, c.mode) for c in server.calls][-1] == (2, "ok")
    assert {c.mode for c in server.calls[:-1]} == {mode}


def test_a_swapped_answer_with_nobody_to_swap_with_is_right():
    with serving(Plan(script=["swapped"])) as (server, url):
        (answer,) = _ask(url, _body())
    assert _text(answer) == caption(hashlib.sha256(b"picture").hexdigest(), 0, 0)
    assert server.calls[0].mode == "ok"


def test_a_limit_is_enforced_and_told():
    with serving(Plan(limit=RateLimit(requests=3, window_s=60))) as (server, url):
        answers = [_ask(url, _body(bytes([i])))[0] for i in range(5)]
    assert [a[0] for a in answers] == [200, 200, 200, 429, 429]
    assert [a[1]["x-ratelimit-remaining-requests"] for a in answers] == ["2", "1", "0", "0", "0"]
    assert 0 < float(answers[3][1]["Retry-After"]) <= 20
    assert [c.paid for c in server.calls] == [True] * 3 + [False] * 2


def test_a_blackout_is_503_for_all_and_then_over():
    with serving() as (server, url):
        server.blackout(60)
        assert [a[0] for a in _ask(url, _body(b"a"), _body(b"b"))] == [503, 503]
        server.blackout(0)
        assert _ask(url, _body(b"a"))[0][0] == 200


def test_n_may_be_ignored_and_scenarios_have_plans_of_their_own():
    with serving() as (server, url):
        server.plan(Plan(ignore_n=True), "deaf")
        (deaf,), (whole,) = _ask(url + "/deaf", _body(n=3)), _ask(url, _body(n=3))
    assert (len(deaf[2]["choices"]), len(whole[2]["choices"])) == (1, 3)


def test_an_engine_serves_so_many_at_once():
    with serving(Plan(engine=(100.0, 2))) as (server, url):
        _ask(url, *(_body(bytes([i])) for i in range(6)))
    assert server.busy_s == pytest.approx(6 * 2 / 100)
    ends = sorted(c.ended_s or 0 for c in server.calls)
    assert ends[-1] - min(c.started_s for c in server.calls) >= 3 * 2 / 100


def test_a_server_of_its_own_process_writes_down_what_it_was_asked(tmp_path):
    plan = Plan(script=["500"], seed=2, limit=RateLimit(requests=10, tokens=1e6), engine=(1000, 4))
    with server_process(plan, tmp_path / "log.jsonl") as server:
        _ask(server.url, _body())
        _ask(server.url, _body())
        assert [(c.attempt, c.mode, c.paid) for c in server.calls()] == [(1, "500", False), (2, "ok", True)]
    assert len(read_calls(tmp_path / "log.jsonl")) == 2


def test_every_form_of_retry_after_can_be_sent():
    assert len({form.name for form in FORMS}) == 40
    with serving() as (server, url):
        for i, form in enumerate(FORMS):
            server.plan(Plan(script=["429_retry_after"], retry_after=f"form:{form.name}"), str(i))
            answer = _ask(f"{url}/{i}", _body())[0]
            assert answer[0] == 429
            assert {"retry-after", "retry-after-ms"} & {name.lower() for name in answer[1]}
