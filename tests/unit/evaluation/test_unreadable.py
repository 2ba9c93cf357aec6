"""Items whose image could not be had: counted by reason, named by key, bounded whatever the data holds."""

from recaption.core.types import Image, Record, Rejected
from recaption.evaluation.subject import Item, Subject
from recaption.evaluation.unreadable import Refusals, Unreadable


def subject(*keys: str) -> Subject:
    return Subject(columns=("a",), items=tuple(Item(key=key, texts=((),)) for key in keys))


def test_equal_reasons_are_one_wherever_the_files_lie() -> None:
    found, items = Unreadable(), subject("b", "a", "c", "d")
    for key in ("a", "b"):
        path = f"/data/{key}: odd/{key}.jpg"
        found.add(key, f"{path}: No such file or directory", Record(key=key, image=Image(path=path)))
    found.add("c", "damaged JPEG header", Record(key="c", image=Image(path="/data/c.jpg")))
    found.add("c", "another one, by another encoder")
    assert found.by_reason(items) == {"No such file or directory": ["b", "a"], "damaged JPEG header": ["c"]}
    listing = found.listing(items)
    assert listing is not None
    assert list(listing.rows) == [("No such file or directory", "2", "b, a"), ("damaged JPEG header", "1", "c")]
    assert found.told(items) == (
        "3 of 4 items have no image that could be read, and no figure that looks at images counts them: "
        "2 × No such file or directory (b, a); 1 × damaged JPEG header (c)."
    )


def test_where_all_was_read_nothing_is_said() -> None:
    found, items = Unreadable(), subject("a")
    found.add("of another subject", "gone")
    assert found.listing(items) is None
    assert found.told(items) == ""


def test_many_reasons_long_keys_and_hostile_bytes_stay_within_bounds() -> None:
    keys = [f"{i}\x1b[2J" + "k" * 10_000 for i in range(300)]
    found, items = Unreadable(), subject(*keys)
    for i, key in enumerate(keys):
        found.add(key, f"reason {i % 50}" + "r" * 10_000)
    listing = found.listing(items)
    assert listing is not None
    assert len(listing.rows) == 20
    assert listing.note == "and 30 reasons more"
    assert max(len(cell) for row in listing.rows for cell in row) < 400
    assert len(found.told(items)) < 2500
    assert "45 reasons more" in found.told(items)


def test_refusals_without_end_stay_within_bounds() -> None:
    found = Refusals()
    assert (found.first(), found.commonest()) == ("", {})
    for i in range(2000):
        reason = "r" * (i % 500 + 1) + "\x1b[2J" * 400
        found.add(Rejected(key="k" * 10_000, stage="read", kind="failed", reason=reason))
    told = found.commonest()
    assert len(told) == 5
    assert "1,200 × other reasons" in next(iter(told))
    assert max(len(reason) + len(keys) for reason, keys in told.items()) < 1000
