"""The page of an audit under a crowd and kills: what was acknowledged is there, everybody's part is done, and of two
edits one wins. The full size runs as `python -m benchmarks.audit_campaign`."""

import pytest

from tests.servers.audit_crowd import campaign, race_edits
from tests.servers.audit_stores import ENGINES, engine_url, place_in

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def place(request, tmp_path):
    with engine_url(request.param) as url:
        yield place_in(url, tmp_path)


@pytest.mark.parametrize("place", ENGINES, indirect=True)
def test_a_crowd_at_a_server_that_is_killed(place, tmp_path):
    figures = campaign(place, tmp_path, people=8, items=50, kills=3, lease_s=2.0, limit_s=240)
    print(figures)
    assert (figures["kills"], figures["lost"]) == (3, 0)
    assert figures["acknowledged"] >= 150
    assert figures["sent again, unanswered"] >= 3


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_of_two_edits_at_once_one_wins_and_the_other_is_not_lost(place, tmp_path):
    counts = race_edits(place, tmp_path, pairs=50)
    assert set(counts.values()) == {50}, counts
