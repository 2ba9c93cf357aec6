"""Pixel facts: colours, brightness, greyscale and orientation of pictures with known answers."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from recaption.core.protocols import Pixels
from recaption.core.types import Box, Evidence
from recaption.media.colours import (
    colour_in_box,
    colour_names,
    dominant_colours,
    name_of,
    object_colours,
    to_lab,
)
from recaption.models.pixels import PixelExpert


def plain(rgb: tuple[int, int, int], height: int = 50, width: int = 80) -> NDArray[np.uint8]:
    return np.full((height, width, 3), rgb, np.uint8)


def facts(array: NDArray[np.uint8], **params: Any) -> dict[str, Evidence]:
    size = (array.shape[1], array.shape[0])
    (found,) = PixelExpert(PixelExpert.Params(**params)).examine([Pixels(array, 1.0, size)])
    assert all(e.kind == "pixel" and e.source == "pixels" for e in found)
    return {e.label: e for e in reversed(found)}


class TestColours:
    @pytest.mark.parametrize(
        ("rgb", "lab"),
        [
            ((255, 255, 255), (100.0, 0.0, 0.0)),
            ((0, 0, 0), (0.0, 0.0, 0.0)),
            ((255, 0, 0), (53.24, 80.09, 67.20)),
            ((0, 255, 0), (87.73, -86.18, 83.18)),
            ((0, 0, 255), (32.30, 79.19, -107.86)),
        ],
    )
    def test_lab_of_known_colours(self, rgb: tuple[int, int, int], lab: tuple[float, float, float]) -> None:
        assert to_lab(np.array(rgb, np.uint8)) == pytest.approx(np.array(lab), abs=0.05)

    @pytest.mark.parametrize(
        ("rgb", "name"),
        [
            ((0, 0, 0), "black"),
            ((255, 255, 255), "white"),
            ((128, 128, 128), "grey"),
            ((220, 20, 60), "red"),
            ((255, 140, 0), "orange"),
            ((255, 235, 59), "yellow"),
            ((34, 139, 34), "green"),
            ((85, 107, 47), "green"),
            ((0, 128, 128), "teal"),
            ((65, 105, 225), "blue"),
            ((135, 206, 235), "blue"),
            ((0, 0, 128), "blue"),
            ((148, 0, 211), "purple"),
            ((255, 182, 193), "pink"),
            ((255, 20, 147), "pink"),
            ((101, 67, 33), "brown"),
            ((139, 69, 19), "brown"),
            ((222, 203, 164), "beige"),
            ((128, 0, 0), "red"),
        ],
    )
    def test_names_that_people_would_give(self, rgb: tuple[int, int, int], name: str) -> None:
        assert name_of(rgb) == name

    def test_shares_add_up_and_are_ranked(self) -> None:
        array = plain((255, 0, 0))
        array[:, :20] = (0, 0, 255)
        array[:10, 20:40] = (255, 255, 255)
        found = dominant_colours(array)
        assert [name for name, _ in found] == ["red", "blue", "white"]
        assert [share for _, share in found] == pytest.approx([0.7, 0.25, 0.05], abs=0.02)
        assert dominant_colours(array, n=1) == found[:1]

    def test_a_mask_is_where_to_look(self) -> None:
        array = plain((255, 0, 0))
        array[:, :20] = (0, 0, 255)
        mask = np.zeros(array.shape[:2], bool)
        assert dominant_colours(array, mask) == []
        mask[:, :20] = True
        assert dominant_colours(array, mask) == [("blue", 1.0)]

    @given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
    def test_every_colour_has_a_name(self, red: int, green: int, blue: int) -> None:
        assert name_of((red, green, blue)) in colour_names()
        assert len(dominant_colours(plain((red, green, blue), 1, 1))) == 1


class TestColourInBox:
    def test_the_centre_counts_and_the_corners_do_not(self) -> None:
        array = plain((0, 128, 0), 100, 100)
        y, x = np.mgrid[:100, :100]
        array[(y - 50) ** 2 + (x - 50) ** 2 < 30**2] = (255, 0, 0)
        assert colour_in_box(array, Box(20, 20, 80, 80)) == ("red", 1.0)

    def test_two_colours_are_none(self) -> None:
        array = plain((255, 0, 0), 100, 100)
        array[:, 50:] = (0, 0, 255)
        assert colour_in_box(array, Box(0, 0, 100, 100)) is None
        assert colour_in_box(array, Box(0, 0, 100, 100), min_share=0.4) in [("red", 0.5), ("blue", 0.5)]

    def test_neutral_colours_need_more(self) -> None:
        array = plain((0, 0, 0), 100, 100)
        array[:48] = (255, 200, 0)
        array[:30] = (0, 0, 0)
        assert colour_in_box(array, Box(0, 0, 100, 100)) is None
        assert colour_in_box(array, Box(0, 0, 100, 100), min_neutral_share=0.5) is not None

    def test_a_faint_tint_and_grey_are_not_stated(self) -> None:
        assert colour_in_box(plain((160, 175, 200)), Box(0, 0, 80, 50)) is None
        assert colour_in_box(plain((128, 128, 128)), Box(0, 0, 80, 50)) is None

    @pytest.mark.parametrize("box", [Box(200, 200, 300, 300), Box(-50, -50, -10, -10)])
    def test_a_box_outside_has_none(self, box: Box) -> None:
        assert colour_in_box(plain((255, 0, 0)), box) is None

    @given(st.floats(-20, 99), st.floats(-20, 99), st.floats(0.01, 150), st.floats(0.01, 150))
    def test_any_box_on_one_colour(self, left: float, top: float, width: float, height: float) -> None:
        found = colour_in_box(plain((255, 0, 0)), Box(left, top, left + width, top + height))
        assert found in (None, ("red", 1.0))

    def test_in_the_dark_and_under_coloured_light(self) -> None:
        box = Box(0, 0, 80, 50)
        assert object_colours(plain((8, 8, 8)), [box]) == [None]
        assert object_colours(plain((0, 255, 0)), [box]) == [None]
        lit = plain((255, 255, 255), 100, 100)
        lit[:50, :50] = (255, 0, 0)
        assert object_colours(lit, [Box(0, 0, 50, 50), Box(50, 50, 99, 99)]) == [("red", 1.0), None]


class TestExpert:
    @pytest.mark.parametrize(
        ("shape", "value"),
        [((50, 80), "landscape"), ((80, 50), "portrait"), ((50, 50), "square"), ((100, 102), "square")],
    )
    def test_orientation(self, shape: tuple[int, int], value: str) -> None:
        assert facts(plain((9, 9, 9), *shape))["orientation"].attributes["value"] == value

    @pytest.mark.parametrize(("level", "value"), [(10, "dark"), (128, "normal"), (240, "bright")])
    def test_brightness(self, level: int, value: str) -> None:
        assert facts(plain((level, level, level)))["brightness"].attributes["value"] == value

    def test_greyscale(self) -> None:
        ramp = np.repeat(np.arange(240, dtype=np.uint8)[:, None, None], 80, 1).repeat(3, 2)
        assert facts(ramp)["greyscale"].attributes["value"] is True
        ramp[:30, :30] = (200, 60, 60)
        assert facts(ramp)["greyscale"].attributes["value"] is False
        sepia = (ramp * [1.0, 0.85, 0.65]).astype(np.uint8)
        assert facts(sepia)["greyscale"].attributes["value"] is False

    def test_colours_are_ranked_and_small_ones_left_out(self) -> None:
        array = plain((255, 0, 0), 100, 100)
        array[:4] = (0, 0, 255)
        (found,) = PixelExpert(PixelExpert.Params()).examine([Pixels(array, 1.0, (100, 100))])
        colours = [e.attributes for e in found if e.label == "colour"]
        assert [(a["value"], a["rank"]) for a in colours] == [("red", 1)]

    def test_the_fingerprint_follows_the_parameters(self) -> None:
        one, two = PixelExpert(PixelExpert.Params()), PixelExpert(PixelExpert.Params(colours=2))
        assert one.fingerprint == PixelExpert(PixelExpert.Params()).fingerprint
        assert one.fingerprint != two.fingerprint

    def test_batches_do_not_matter(self) -> None:
        random = np.random.default_rng(0)
        images = [
            Pixels(random.integers(0, 256, (h, 30, 3), np.uint8), 2.0, (60, 2 * h)) for h in (1, 5, 64, 65, 200)
        ]
        expert = PixelExpert(PixelExpert.Params())
        assert expert.examine(images) == [expert.examine([image])[0] for image in images]
