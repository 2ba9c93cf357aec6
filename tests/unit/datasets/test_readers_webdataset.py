"""WebDataset tars, whole, torn and hostile."""

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recaption.core.errors import UserError
from recaption.datasets.readers.webdataset import expand_braces
from recaption.media.images import read_bytes
from tests.unit.datasets.reader_samples import png, read, tar_bytes, texts, write_tar


def sample(key: str, text: str | None = None, facts: dict[str, Any] | None = None) -> list[tuple[str, bytes]]:
    members = [(f"{key}.png", png(len(key)))]
    if text is not None:
        members.append((f"{key}.txt", text.encode()))
    if facts is not None:
        members.append((f"{key}.json", json.dumps(facts).encode()))
    return members


@pytest.mark.parametrize("name", ["x.tar", "x.tar.gz", "x.tgz"])
def test_samples_have_image_text_and_facts(tmp_path: Path, name: str) -> None:
    facts = {"key": "0001", "url": "u", "caption": "one", "tags": ["t"], "status": "success"}
    members = (
        sample("0001", "one", facts)
        + sample("./dir/0002", "two\n")
        + sample("0003", None, {"caption": "three"})
    )
    records, rejects, reader = read(
        write_tar(tmp_path / name, [*members, ("0003.cls", b"5"), ("0004.txt", b"alone")])
    )
    assert not rejects
    assert [(record.key, texts(record)) for record in records] == [
        ("0001", ["one"]),
        ("dir/0002", ["two"]),
        ("0003", ["three"]),
        ("0004", ["alone"]),
    ]
    assert records[0].metadata == {"url": "u", "status": "success"}
    assert [e.label for e in records[0].evidence] == ["t"]
    for record in records[:3]:
        assert record.image is not None
        assert (record.image.data is None) == (name == "x.tar")
        assert read_bytes(record.image)[:4] == b"\x89PNG"
    assert records[3].image is None
    assert reader.notes == ["tar members ignored: 1 (1 .cls)"]


def test_a_text_in_the_facts_that_differs_stays_as_metadata_or_is_first_if_asked(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "x.tar", sample("a", "short", {"caption": "long", "alt": "other"}))
    (record,), _, _ = read(path)
    assert texts(record) == ["short"]
    assert record.metadata == {"caption": "long", "alt": "other"}
    (record,), _, _ = read(path, caption_column="alt")
    assert texts(record) == ["other", "short"]


def test_names_are_split_at_the_first_dot_and_further_images_are_counted(tmp_path: Path) -> None:
    members = [
        ("a.left.png", png()),
        ("a.seg.png", png(1)),
        ("a.caption.txt", b"x"),
        ("._b.png", png()),
        ("c", b""),
    ]
    (record,), rejects, reader = read(write_tar(tmp_path / "x.tar", members))
    assert (record.key, texts(record), rejects) == ("a", ["x"], [])
    assert sorted(reader.notes) == [
        "further images of a sample ignored: 1 (1 .seg.png)",
        "tar members ignored: 2 (1 ._b.png, 1 without extension)",
    ]


def test_keys_that_come_again_are_rejected_with_the_place_of_the_first(tmp_path: Path) -> None:
    write_tar(tmp_path / "00001.tar", sample("b", "x") + sample("a", "again"))
    write_tar(tmp_path / "00000.tar", [*sample("a", None), *sample("c", "y"), ("a.txt", b"far from its image")])
    records, rejects, reader = read(tmp_path)
    assert [record.key for record in records] == ["a", "c", "b"]
    assert [(reject.key, reject.raw) for reject in rejects] == [("a", "far from its image"), ("a", "again")]
    assert "earlier in the same tar" in rejects[0].reason
    assert "first seen in 00000.tar" in rejects[1].reason
    assert "2 tar files" in reader.description


def test_failed_downloads_and_lost_samples_of_img2dataset(tmp_path: Path) -> None:
    write_tar(tmp_path / "00000.tar", sample("000000000", "fine", {"status": "success"}))
    rows = [
        {"key": "000000000", "status": "success", "error_message": None, "caption": "fine", "exif": "{}"},
        {
            "key": "000000001",
            "status": "failed_to_download",
            "error_message": "HTTP 404",
            "caption": "a",
            "exif": None,
        },
        {"key": "000000002", "status": "success", "error_message": None, "caption": "lost", "exif": None},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "00000.parquet")
    (tmp_path / "00000_stats.json").write_text('{"successes": 2}')
    records, rejects, reader = read(tmp_path)
    assert [record.key for record in records] == ["000000000"]
    assert [(reject.key, reject.kind, reject.raw) for reject in rejects] == [
        ("000000001", "failed", "a"),
        ("000000002", "failed", "lost"),
    ]
    assert rejects[0].reason == "img2dataset: failed_to_download: HTTP 404"
    assert "does not hold it" in rejects[1].reason
    assert reader.count_hint() == 2
    assert "img2dataset" in reader.description


def members_for_tearing() -> list[tuple[str, bytes]]:
    return [m for i in range(12) for m in sample(f"{i:04d}", f"text {i}", {"n": i})]


def ends(data: bytes) -> list[int]:
    """Return where the last member of each sample ends, padding aside."""
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return [m.offset_data + m.size for m in tar.getmembers() if m.name.endswith(".json")]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_a_tar_torn_anywhere_gives_all_whole_samples_and_says_so(tmp_path: Path, form: int) -> None:
    data = tar_bytes(members_for_tearing(), format=form)
    last = ends(data)
    path = tmp_path / "x.tar"
    rng = np.random.default_rng(3)
    for cut in {*(int(n) for n in rng.integers(0, last[-1], 200)), *last, *(n + 1 for n in last[:-1])}:
        path.write_bytes(data[:cut])
        records, rejects, reader = read(path)
        whole = sum(end <= cut for end in last)
        if whole == 1 and not records:  # a lone sample: nothing tells whether more of it was to come
            assert "'0000' may lack members" in rejects[0].reason
            continue
        assert [record.key for record in records] == [f"{i:04d}" for i in range(whole)]
        assert all(texts(record) and record.metadata for record in records)
        assert len(rejects) == 1 or any("end mark" in note for note in reader.notes)
        in_padding = any(end <= cut <= end + (-end % 512) for end in last)
        if cut % 512 and not in_padding:
            assert f"{whole} samples before it were read" in rejects[0].reason


def test_a_torn_compressed_tar_gives_what_stood_before(tmp_path: Path) -> None:
    data = gzip.compress(tar_bytes(members_for_tearing()), compresslevel=0)
    path = tmp_path / "x.tar.gz"
    for cut in range(20, len(data) - 12_000, 1531):
        path.write_bytes(data[:cut])
        records, rejects, _ = read(path)
        assert [record.key for record in records] == [f"{i:04d}" for i in range(len(records))]
        assert len(rejects) == 1
    assert len(records) > 5


def test_damaged_headers_stop_a_tar_with_a_reason(tmp_path: Path) -> None:
    data = bytearray(tar_bytes(members_for_tearing()))
    rng = np.random.default_rng(5)
    path = tmp_path / "x.tar"
    for _ in range(150):
        changed = bytearray(data)
        for place in rng.integers(0, len(data), int(rng.integers(1, 20))):
            changed[int(place)] = int(rng.integers(0, 256))
        path.write_bytes(changed)
        read(path)


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE, pax: dict[str, str] | None = None) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    info.pax_headers = pax or {}
    return info.tobuf(tarfile.PAX_FORMAT if pax else tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    "data",
    [
        header("a.png", 1 << 40),
        header("a.png", 100, pax={"size": "99999999999999999999"}),
        header("a.png", 10, pax={"size": "-5"}),
        header("././@LongLink", 1 << 35, tarfile.GNUTYPE_LONGNAME),
        header("x", 1 << 30, tarfile.XHDTYPE),
        header("a.png", 0, tarfile.GNUTYPE_SPARSE)[:482] + b"\1" + bytes(29),
        header("a.png", 10)[:124] + b"\xff" * 12 + header("a.png", 10)[136:],
    ],
)
def test_lying_headers_are_rejected_in_little_memory(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.tar").write_bytes(tar_bytes(sample("0", "fine"))[:3072] + data + bytes(2048))
    records, rejects, _ = read(tmp_path / "x.tar")
    assert len(rejects) + len(records) >= 1
    assert all(record.key == "0" for record in records)


def test_links_folders_and_names_that_lead_out_are_never_read(tmp_path: Path) -> None:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
            info = tarfile.TarInfo("a.png")
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
        for name in ("../../b.png", "/abs/c.png", "d/../../e.png", "..\\f.png"):
            info = tarfile.TarInfo(name)
            info.size = len(png())
            tar.addfile(info, io.BytesIO(png()))
    (tmp_path / "x.tar").write_bytes(file.getvalue())
    records, rejects, reader = read(tmp_path / "x.tar")
    assert [record.key for record in records] == ["abs/c"]
    assert all("leads out" in reject.reason or reject.key == "?" for reject in rejects)
    assert any("links, folders or sparse: 5" in note for note in reader.notes)


def test_members_over_a_limit_reject_their_sample_alone(tmp_path: Path) -> None:
    members = [
        *sample("a", "x" * 1_100_000),
        *sample("b", "fine"),
        ("c.png", png()),
        ("c.json", b"[" * 200_000),
    ]
    records, rejects, _ = read(write_tar(tmp_path / "x.tar", members))
    assert [record.key for record in records] == ["b"]
    assert [reject.key for reject in rejects] == ["a", "c"]


def test_an_archive_that_explodes_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from recaption.datasets.readers import tar_stream

    monkeypatch.setattr(tar_stream, "_FREE_EXPANSION_BYTES", 1 << 20)
    data = tar_bytes([*sample("a", "fine"), ("b.bin", bytes(30_000_000)), *sample("c", "after")])
    (tmp_path / "x.tgz").write_bytes(gzip.compress(data))
    records, rejects, _ = read(tmp_path / "x.tgz")
    assert [record.key for record in records] == ["a"]
    assert "times its size" in rejects[0].reason


NAME = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=130)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(NAME, min_size=1, max_size=5), form=st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
)
def test_any_member_names_are_accounted_for(tmp_path: Path, names: list[str], form: int) -> None:
    members = [(f"{name}.png", png()) for name in names]
    records, rejects, reader = read(write_tar(tmp_path / "x.tar", members, format=form))
    ignored = sum(int(note.split(": ")[1].split(" ")[0]) for note in reader.notes)
    assert len(records) + len(rejects) + ignored >= len(set(names))
    for key in [record.key for record in records] + [reject.key for reject in rejects]:
        key.encode()


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("x{0..2}.tar", ["x0.tar", "x1.tar", "x2.tar"]),
        ("{008..010}", ["008", "009", "010"]),
        ("{9..11}", ["9", "10", "11"]),
        ("{2..1}", ["2", "1"]),
        ("{a,b}-{0..1}", ["a-0", "a-1", "b-0", "b-1"]),
        ("plain", ["plain"]),
        ("{}", [""]),
    ],
)
def test_brace_patterns(pattern: str, found: list[str]) -> None:
    assert expand_braces(pattern) == found


def test_patterns_name_shards_and_missing_ones_are_rejected(tmp_path: Path) -> None:
    write_tar(tmp_path / "00000.tar", sample("a", "x"))
    write_tar(tmp_path / "00002.tar", sample("b", "y"))
    records, rejects, _ = read(f"{tmp_path}/{{00000..00002}}.tar")
    assert [record.key for record in records] == ["a", "b"]
    assert [reject.key for reject in rejects] == ["00001.tar"]
    with pytest.raises(UserError, match="no such tar"):
        read(f"{tmp_path}/{{00005..00006}}.tar")
    with pytest.raises(UserError, match="more than"):
        read(f"{tmp_path}/{{0..999999999}}.tar")
    with pytest.raises(UserError, match="addresses and commands"):
        read("pipe:curl {0..1}.tar", format="webdataset")


def test_real_and_hostile_tars(shared_data: Path) -> None:
    records, rejects, _ = read(shared_data / "tars" / "clip_retrieval_image1.tar")
    assert [record.key for record in records] == ["123_456", "208_495", "321_421", "389_535"]
    assert all(record.image is not None and read_bytes(record.image)[:2] == b"\xff\xd8" for record in records)
    records, rejects, reader = read(shared_data / "bad_inputs" / "tars")
    assert (len(records), len(rejects)) == (91, 2)
    assert any("100 .mp" in note and "90 .cls" in note and ".txt.gz" in note for note in reader.notes)
