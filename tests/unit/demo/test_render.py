from dataclasses import replace

import numpy as np
import pytest

from recaption.core.types import Box
from recaption.demo.backgrounds import background
from recaption.demo.materials import tile
from recaption.demo.render import Renderer
from recaption.demo.vocabulary import drawings, vocabulary
from recaption.demo.world import Scene, Sign, Thing, sample_scenes

SCENES = list(sample_scenes(40, seed=8))


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer(96)


def one_thing(shape: str, colour: str = "red", material: str = "plain") -> Scene:
    return Scene("grass", (Thing(shape, colour, material, "large", Box(30, 40, 130, 150)),), None, 192)


@pytest.mark.parametrize("size_px", [64, 96, 192, 256])
def test_every_size_draws(size_px: int) -> None:
    picture = Renderer(size_px).render(SCENES[0])
    assert picture.size == (size_px, size_px)
    assert picture.mode == "RGB"


def test_the_same_scene_gives_the_same_pixels_whatever_was_drawn_before(renderer: Renderer) -> None:
    for scene in SCENES[:8]:
        assert Renderer(96).render(scene).tobytes() == renderer.render(scene).tobytes()


def test_rendering_leaves_the_kept_backgrounds_alone(renderer: Renderer) -> None:
    bare = replace(SCENES[0], things=(), sign=None)
    before = renderer.render(bare).tobytes()
    renderer.render(SCENES[0])
    assert renderer.render(bare).tobytes() == before


@pytest.mark.parametrize("shape", list(vocabulary().shapes))
def test_the_box_is_tight_around_the_drawing(shape: str) -> None:
    owner = Renderer(192).instances(one_thing(shape))
    rows, columns = np.nonzero(owner.any(axis=1))[0], np.nonzero(owner.any(axis=0))[0]
    found = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    assert found == pytest.approx((30, 40, 130, 150), abs=2.1)


def test_nothing_is_drawn_outside_the_boxes(renderer: Renderer) -> None:
    for scene in SCENES:
        bare = np.asarray(renderer.render(replace(scene, things=(), sign=None)), dtype=int)
        full = np.asarray(renderer.render(scene), dtype=int)
        changed = (bare != full).any(axis=2)
        for box in [t.box for t in scene.things] + ([scene.sign.box] if scene.sign else []):
            half = box.scaled(96 / scene.size_px)
            rows = slice(int(half.top), int(half.bottom) + 2)
            changed[rows, int(half.left) : int(half.right) + 2] = False
        assert not changed.any()


def test_every_thing_is_seen(renderer: Renderer) -> None:
    for scene in SCENES:
        owner = renderer.instances(scene)
        assert set(np.unique(owner)) - {0, 255} == set(range(1, len(scene.things) + 1))
        assert (255 in owner) == (scene.sign is not None)


@pytest.mark.parametrize("colour", list(vocabulary().colours))
def test_a_thing_shows_its_colour_more_than_any_other(colour: str) -> None:
    picture = np.asarray(Renderer(192).render(one_thing("ball", colour)), dtype=float)
    middle = np.median(picture[85:105, 70:90].reshape(-1, 3), axis=0)
    tones = {name: np.array(c.rgb) for name, c in vocabulary().colours.items()}
    assert min(tones, key=lambda name: float(np.abs(tones[name] - middle).sum())) == colour


def test_materials_look_different() -> None:
    known = vocabulary()
    for colour in known.colours.values():
        seen = [np.asarray(tile(colour, m), dtype=float) for m in known.materials]
        for i, a in enumerate(seen):
            for b in seen[i + 1 :]:
                assert np.abs(a - b).mean() > 8


def test_backgrounds_look_different_and_vary() -> None:
    names = list(vocabulary().backgrounds)
    means = [np.asarray(background(n, 0, 96), dtype=float).mean(axis=(0, 1)) for n in names]
    for i, a in enumerate(means):
        for b in means[i + 1 :]:
            assert np.abs(a - b).sum() > 30
    for name in names:
        assert background(name, 0, 96).tobytes() != background(name, 1, 96).tobytes()


def test_a_sign_is_a_white_board_with_dark_letters_that_differ_by_word() -> None:
    pictures = set()
    for word in vocabulary().words:
        width = 30 * (0.62 * len(word) + 0.7)
        scene = Scene("grass", (), Sign(word, Box(10, 60, 10 + width, 90)), 192)
        picture = Renderer(192).render(scene)
        board = np.asarray(picture, dtype=int)[64:86, 14 : int(6 + width)].sum(axis=2)
        assert (board > 720).mean() > 0.4
        assert (board < 200).mean() > 0.06
        pictures.add(picture.tobytes())
    assert len(pictures) == len(vocabulary().words)


def test_every_word_of_the_vocabulary_has_a_drawing() -> None:
    known = vocabulary()
    assert set(drawings()) == set(known.shapes)
    with pytest.raises(ValueError, match="the background 'moon'"):
        background("moon", 0, 96)
    with pytest.raises(ValueError, match="the material 'glass'"):
        tile(known.colours["red"], "glass")
