"""Every engine that an audit can be kept in. In PostgreSQL, where it is installed, the slow tests try all laws again;
`test_store_postgres.py` is the part of them that is quick."""

import pytest

from tests.servers.audit_stores import engine_url, fill, place_in, troubles


@pytest.fixture(scope="package", params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def audit_engine(request):
    with engine_url(request.param) as url:
        yield url


@pytest.fixture
def place(audit_engine, tmp_path):
    return place_in(audit_engine, tmp_path)


@pytest.fixture
def make(place):
    """Make a store with items and auditors; at the end of the test its books must balance."""
    opened = []

    def make_store(count, people=1, **settings):
        store = place.create(**settings)
        opened.append(store)
        return store, *fill(store, count, people)

    yield make_store
    for store in opened:
        assert troubles(store) == []
        store.close()
