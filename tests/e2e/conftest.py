"""The audit page's server on an audit of six items, and a browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.servers.audit_stores import troubles
from tests.unit.audit.web.browsers import Opener, launched, opener
from tests.unit.audit.web.pages import Audit, audit, served, sheet_item


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as found:
        yield found


@pytest.fixture
def opened(browser) -> Iterator[Opener]:
    with opener(browser) as open_page:
        yield open_page


@pytest.fixture
def judged(tmp_path) -> Iterator[Audit]:
    with audit(tmp_path, [sheet_item(i) for i in range(6)], seed=4) as made:
        yield made
        assert troubles(made.store) == []


@pytest.fixture
def origin(judged) -> Iterator[str]:
    with served(judged) as address:
        yield address
