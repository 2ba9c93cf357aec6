"""What a caption was made from, step by step."""

from recaption.core.types import Caption, Provenance
from recaption.stages.versions import lineage, root_of


def written(text, stage, *parents):
    ids = tuple(p if isinstance(p, str) else p.id for p in parents)
    return Caption(text=text, origin="model", provenance=Provenance(stage=stage, parents=ids))


ALT = written("alt", "source")
OTHER = written("other", "source")
MADE = written("made", "caption", ALT, OTHER)
MENDED = written("mended", "check", MADE)
SHORT = written("short", "fit", MENDED)
KNOWN = {c.id: c for c in (ALT, OTHER, MADE, MENDED, SHORT)}


def test_a_caption_goes_back_to_the_first_text_it_was_made_from():
    assert list(lineage(SHORT, KNOWN)) == [SHORT, MENDED, MADE, ALT]


def test_a_lineage_can_end_where_other_stages_begin():
    assert list(lineage(SHORT, KNOWN, {"fit"})) == [SHORT, MENDED]
    assert root_of(SHORT, KNOWN) is MADE


def test_what_is_not_there_ends_it():
    orphan = written("orphan", "fit", "0123456789ab")
    assert list(lineage(orphan, KNOWN)) == [orphan]
