"""The page's server on an audit of four items."""

import pytest

from tests.unit.audit.web.pages import Client, audit, served, sheet_item


@pytest.fixture
def judged(tmp_path):
    with audit(tmp_path, [sheet_item(i) for i in range(4)]) as made:
        yield made


@pytest.fixture
def origin(judged):
    with served(judged) as address:
        yield address


@pytest.fixture
def ann(judged, origin):
    return Client(origin, judged.token("Ann"))
