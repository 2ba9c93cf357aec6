"""A record is found by what a person has at hand of its key, and its story is told whole but bounded."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recaption.core.errors import RunFolderError, UserError
from recaption.core.types import Caption, Evidence, Provenance, Record, Rejected, Score
from recaption.datasets import schema
from recaption.datasets.readers.source_text import safe_key
from recaption.datasets.run_folder import RunFolder
from recaption.runs import explain
from recaption.runs.explain import explain_lines, find, lineage_lines


def source(text):
    return Caption(text=text, origin="alt", provenance=Provenance(stage="source"))


def rejected(key, **more):
    return Rejected(key=key, stage="gather", kind="failed", reason=more.pop("reason", "torn"), **more)


@pytest.fixture
def folder(tmp_path):
    """A run folder of given items, three to a shard."""

    def make(*items):
        some = [Record(key=i, captions=(source("x"),)) if isinstance(i, str) else i for i in items]
        made = RunFolder(tmp_path)
        for name in ("captions", "rejects", "shards"):
            (tmp_path / name).mkdir()
        made.write_text("run.json", '{"format": 1, "input": {}, "seed": 0, "shard_size": 3, "complete": true}')
        for shard, start in enumerate(range(0, len(some), 3)):
            made.commit(shard, some[start : start + 3], input_digest="i", work_digest="w", stats={})
        return made

    return make


def test_a_whole_key_finds_its_record_among_longer_ones(folder):
    made = folder("a.jpg.jpg", "a.jpg", "b/a.jpg", "c")
    assert find(made, "a.jpg").key == "a.jpg"
    assert find(made, "c") == Record(key="c", captions=(source("x"),))


def test_a_reject_is_found_too(folder):
    torn = rejected("torn.jpg", retryable=True)
    assert find(folder("a", "b", "c", "d", torn), "torn.jpg") == torn


def test_a_record_comes_before_the_reject_that_repeats_its_key(folder):
    assert isinstance(find(folder("a", rejected("a")), "a"), Record)


def test_only_the_record_asked_for_is_revived(folder, monkeypatch):
    revived = []

    def watched(row):
        revived.append(row["key"])
        return schema.from_row(row)

    monkeypatch.setattr(explain, "from_row", watched)
    find(folder(*(f"key {i}" for i in range(20))), "key 17")
    assert revived == ["key 17"]


@pytest.mark.parametrize("count", [1, 1023, 1024, 2500])
def test_every_place_in_a_file_can_be_reached(folder, count):
    made = folder()
    keys = [f"key {i}!" for i in range(count)]
    made.commit(0, [Record(key=key) for key in keys], input_digest="i", work_digest="w", stats={})
    for position in {0, count // 2, count - 1}:
        assert find(made, keys[position]).key == keys[position]


@pytest.mark.parametrize("key", ["\ud800", "\U0010f800", "\U0010f7ff", "犬/\udcff.jpg"])
def test_keys_that_are_stored_escaped_are_found(folder, key):
    assert find(folder("other", key), key).key == key


@pytest.mark.parametrize("key", ["a\nb.jpg", "x" * 1000, "bad\udcff.jpg"])
def test_a_key_is_found_by_the_name_it_had_before_it_was_mended(folder, key):
    assert find(folder("other", safe_key(key)), key).key == safe_key(key)


@pytest.mark.parametrize("key", ["https://example.org/dogs", "dog-0001.jpg", "…dog-0001.jpg", "s/dog-0001.jpg"])
def test_one_key_that_begins_or_ends_so_is_enough(folder, key):
    made = folder("https://example.org/cats/cat-0001.jpg", "https://example.org/dogs/dog-0001.jpg", "other")
    assert find(made, key).key == "https://example.org/dogs/dog-0001.jpg"


def test_a_beginning_counts_before_an_ending(folder):
    assert find(folder("ab", "za"), "a").key == "ab"


def test_a_key_that_stands_twice_is_no_reason_to_ask(folder):
    assert find(folder("abc", rejected("abc")), "ab") == Record(key="abc", captions=(source("x"),))


@pytest.mark.parametrize("key", ["dog", ".jpg", "…jpg"])
def test_several_that_would_fit_are_listed(folder, key):
    with pytest.raises(UserError) as caught:
        find(folder(*(f"dog{i}.jpg" for i in range(9))), key)
    said = str(caught.value)
    assert [f"'dog{i}.jpg'" in said for i in range(9)] == [True] * 5 + [False] * 4
    assert "\n" not in said
    assert "and more" in said


def test_two_that_would_fit_are_all_there_are(folder):
    with pytest.raises(UserError, match=r"'dog1' or 'dog2'\. Give one of them whole") as caught:
        find(folder("dog1", "dog2", "cat"), "dog")
    assert "more" not in str(caught.value)


def test_a_key_that_is_not_there_gets_a_hint(folder):
    made = folder("photo01", "photo02", "x/needle/y")
    with pytest.raises(UserError, match=r"no record 'photo2' in .*Did you mean 'photo02'"):
        find(made, "photo2")
    with pytest.raises(UserError, match="Did you mean 'x/needle/y'"):
        find(made, "needle")
    with pytest.raises(UserError, match="It holds 3 keys"):
        find(made, "@@@@@@")


def test_messages_are_bounded(folder):
    made = folder(*(f"dog{i}" + "x" * 100_000 for i in range(3)))
    for key in ("dog", "z" * 100_000, "xxx"):
        with pytest.raises(UserError) as caught:
            find(made, key)
        assert len(str(caught.value)) < 3000


def test_what_is_no_run_folder_is_said(tmp_path):
    with pytest.raises(RunFolderError, match="not a run folder"):
        find(RunFolder(tmp_path), "a")


@pytest.mark.parametrize("data", [b"torn", None], ids=["torn", "without keys"])
def test_a_damaged_file_is_said(folder, data):
    made = folder("a", "b")
    path = made.captions / "00000.parquet"
    if data is None:
        pq.write_table(pa.table({"name": ["a"]}), path)
    else:
        path.write_bytes(data)
    with pytest.raises(RunFolderError, match=r"00000\.parquet is damaged.*recaption verify"):
        find(made, "a")


def told(item):
    return list(explain_lines(item))


def test_the_chain_is_told():
    original = source("DOG")
    made = Caption(
        text="A dog.",
        origin="composed",
        provenance=Provenance(stage="compose", parents=(original.id,), details={"template": "t1"}),
        scores={"length": Score(value=2), "clip": Score(value=None, reason="no model")},
        flags={"short": "2 words"},
    )
    seen = Evidence(kind="tag", label="dog", source="column:tags", score=0.5)
    lines = told(Record(key="k", size=(4, 3), captions=(original, made), chosen=made.id, evidence=(seen,)))
    assert lines[0] == "k"
    assert lines[1:4] == ["  image 4 × 3 px", "  evidence (1)", "    tag 'dog', from column:tags, score 0.50"]
    text = "\n".join(lines)
    for part in (
        f"[{original.id}] kept · alt, default · came with the data",
        f"[{made.id}] ✔ chosen · composed, default · by compose from {original.id}",
        "'A dog.'",
        "how: template=t1",
        "length: 2",
        "clip: none, no model",
        "flag short: 2 words",
    ):
        assert part in text


def test_a_reject_says_why_and_what_the_source_said():
    assert told(rejected("k", raw="<b>")) == [
        "k: failed at stage 'gather': torn (trying again will not help)",
        "  the source said: '<b>'",
    ]
    assert "recaption retry" in told(rejected("k", retryable=True))[0]


def test_long_texts_are_cut_and_the_rest_is_counted():
    lines = told(Record(key="k" * 5000, captions=(source("t" * 10_000),)))
    assert lines[0] == "k" * 5000
    (text,) = (line for line in lines if "ttt" in line)
    assert text.strip() == f"'{'t' * 2000}' … and 8,000 characters more"


def test_texts_at_the_limit_are_whole():
    (text,) = (line for line in told(Record(key="k", captions=(source("t" * 2000),))) if "ttt" in line)
    assert text.strip() == f"'{'t' * 2000}'"


def test_nothing_in_a_record_makes_the_output_endless():
    huge = "h" * 100_000
    made = Caption(
        text=huge,
        origin="composed",
        provenance=Provenance(stage="compose", details={"prompt": huge, "list": [huge]}),
        scores={"s": Score(value=None, reason=huge)},
        flags={"f": huge},
    )
    seen = Evidence(kind="text", label=huge, source="s", attributes={"a": huge})
    lines = told(Record(key="k", captions=(source(huge), *[made] * 500), evidence=(seen,) * 500))
    assert max(map(len, lines)) < 5000
    assert len(lines) < 400
    assert any("… and 470 more" in line for line in lines)
    assert any("… and 451 more" in line for line in lines)


def test_the_chosen_caption_is_told_however_many_there_are():
    made = [
        Caption(text=f"t{i}", origin="composed", provenance=Provenance(stage="compose")) for i in range(200)
    ]
    lines = told(Record(key="k", captions=tuple(made), chosen=made[150].id))
    assert any("✔ chosen" in line for line in lines)
    assert any("'t150'" in line for line in lines)


def test_a_reject_is_bounded():
    lines = told(rejected("k", reason="r" * 10_000, raw="\x00" * 10_000))
    assert max(map(len, lines)) < 10_000


def test_the_lineage_starts_with_the_chosen_caption_and_goes_back_to_the_source():
    first = source("old")
    drawn = [
        Caption(text=t, origin="model", provenance=Provenance(stage="caption")) for t in ("one", "two", "three")
    ]
    fitted = Caption(text="tw", origin="model", provenance=Provenance(stage="fit", parents=(drawn[1].id,)))
    dog = Evidence(kind="object", label="dog", source="coco")
    record = Record(key="a", captions=(first, *drawn, fitted), evidence=(dog,), chosen=fitted.id)
    told = [line.strip() for line in lineage_lines(record)]
    assert [line for line in told if line.startswith("'")] == ["'tw'", "'two'"]
    assert told[-1].startswith("object 'dog'")
    nothing_chosen = Record(key="a", captions=(first, *drawn))
    assert next(line.strip() for line in lineage_lines(nothing_chosen) if "'" in line) == "'old'"


def test_a_parent_that_is_gone_ends_the_lineage():
    one = Caption(text="a", origin="model", provenance=Provenance(stage="fit", parents=("gone",)))
    record = Record(key="a", captions=(one,), chosen=one.id)
    assert len(list(lineage_lines(record))) == 2
