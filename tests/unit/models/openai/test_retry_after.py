"""Every form of "come back later" that servers have been seen to send."""

import time
from email.utils import formatdate

import pytest

from recaption.models.openai.retry_after import duration_s, wait_s
from tests.growth import grows_in_proportion
from tests.servers.retry_after import FORMS

NOW = 1_700_000_000.0
CAP = 600.0


def stamp(seconds: float) -> str:
    return formatdate(NOW + seconds, usegmt=True)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "20"}, 20.0),
        ({"retry-after": " 20 "}, 20.0),
        ({"retry-after": "+20"}, 20.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": ".5"}, 0.5),
        ({"retry-after": "2."}, 2.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "1e2"}, 100.0),
        ({"retry-after": "1e9"}, CAP),
        ({"retry-after": "9" * 400}, CAP),
        ({"retry-after": "1e400"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "-0.5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "0x10"}, None),
        ({"retry-after": "1_0"}, None),
        ({"retry-after": "1, 2"}, None),
        ({"retry-after": "１０"}, None),
        ({"retry-after": "5s"}, 5.0),
        ({"retry-after": "250ms"}, 0.25),
        ({"retry-after": "6m0s"}, 360.0),
        ({"retry-after": "2 seconds"}, 2.0),
        ({"retry-after": stamp(30), "date": stamp(0)}, 30.0),
        ({"retry-after": stamp(30)}, 30.0),
        ({"retry-after": stamp(3630), "date": stamp(3600)}, 30.0),  # their clock is an hour ahead
        ({"retry-after": stamp(-3570), "date": stamp(-3600)}, 30.0),  # and an hour behind
        ({"retry-after": stamp(-5), "date": stamp(0)}, 0.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:50 +0000", "date": stamp(0)}, 30.0),
        ({"retry-after": "Tue Nov 14 22:13:50 2023", "date": stamp(0)}, 30.0),
        ({"retry-after": "2023-11-14T22:13:50Z", "date": stamp(0)}, 30.0),
        ({"retry-after": "Tue, 99 Foo 2023"}, None),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"retry-after-ms": "-1", "retry-after": "2"}, 2.0),
        ({"retry-after-ms": "x"}, None),
        ({"x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "6m0s"}, 1.0),
        ({"x-ratelimit-reset": str(NOW + 12)}, 12.0),
        ({}, None),
    ],
)
def test_what_a_server_says_is_understood(headers, expected):
    got = wait_s(headers, NOW, CAP)
    assert got == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_the_forms_of_the_fault_server_are_kept_to(form):
    headers = {name.lower(): value for name, value in form.headers().items()}
    got = wait_s(headers, time.time(), CAP)
    assert got is None or 0 <= got <= CAP
    if form.least_s:
        assert got is not None
        assert got >= min(form.least_s, CAP) - 0.05
    if form.most_s is not None:
        assert got is not None
        assert got <= min(form.most_s, CAP) + 1  # whole seconds of a date


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1),
        ("6m0s", 360),
        ("250ms", 0.25),
        ("1h2m3.5s", 3723.5),
        ("1d", 86400),
        ("7", 7),
        ("", None),
        (" ", None),
        (None, None),
        ("1s2", None),
        ("s", None),
    ],
)
def test_durations(text, seconds):
    assert duration_s(text) == seconds


def test_a_hostile_header_takes_time_in_proportion():
    assert wait_s({"retry-after": "1m" * 500_000}, NOW, CAP) is not None
    assert wait_s({"retry-after": "a" * 1_000_000, "date": "(" * 1_000_000}, NOW, CAP) is None
    assert grows_in_proportion(lambda times: wait_s({"retry-after": "1m" * times}, NOW, CAP), 100_000)
    assert grows_in_proportion(
        lambda times: wait_s({"retry-after": "a" * times, "date": "(" * times}, NOW, CAP), 100_000
    )
