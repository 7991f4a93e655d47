import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from robustpose.errors import RobustPoseError
from robustpose.geometry import (
    Lattice,
    box_crop,
    cells_to_pixels,
    centre_crop,
    crop_image,
    crop_points,
    flip_images,
    inside,
    pixels_to_cells,
    pixels_to_unit,
    turning,
    uncrop_points,
    unit_to_pixels,
    warp_images,
    warp_points,
)

Box = tuple[float, float, float, float]
Size = tuple[int, int]

calm = settings(max_examples=50, deadline=None)
numbers = st.floats(-500, 500, allow_nan=False)
lengths = st.floats(5, 500)
boxes = st.tuples(numbers, numbers, lengths, lengths)
sizes = st.tuples(st.integers(8, 300), st.integers(8, 300))
points = st.lists(st.tuples(numbers, numbers), min_size=1, max_size=17).map(
    lambda xy: np.array(xy, dtype=np.float64)
)


def test_the_crop_of_a_whole_photo_at_its_own_size_is_the_photo() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)
    crop = box_crop((0, 0, 20, 12), input_size=(12, 20), padding=1.0)
    assert crop.tolist() == [[1, 0, 0], [0, 1, 0]]
    np.testing.assert_array_equal(crop_image(photo, crop, input_size=(12, 20)), photo)


def test_a_box_between_edges_is_the_pixels_between_them() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)
    crop = box_crop((3, 2, 8, 6), input_size=(6, 8), padding=1.0)
    np.testing.assert_array_equal(crop_image(photo, crop, input_size=(6, 8)), photo[2:8, 3:11])


def test_a_crop_typed_by_hand() -> None:
    # a 20 x 10 box into 10 x 10: the longer side rules, the zoom is 1/2, centre (9.5, 4.5) goes to (4.5, 4.5)
    assert box_crop((0, 0, 20, 10), input_size=(10, 10), padding=1.0).tolist() == [[0.5, 0, -0.25], [0, 0.5, 2.25]]
    # a 10 x 20 box into 256 x 192 (H x W): the height rules, 20 * 1.25 = 25 photo pixels are 256
    crop = box_crop((0, 0, 10, 20), input_size=(256, 192))
    assert crop[0, 0] == pytest.approx(256 / 25)
    assert crop[1, 1] == pytest.approx(256 / 25)


def test_beyond_the_photo_is_black() -> None:
    photo = np.full((4, 4, 3), 200, np.uint8)
    cut = crop_image(photo, box_crop((-4, 0, 8, 4), input_size=(4, 8), padding=1.0), input_size=(4, 8))
    assert not cut[:, :4].any()
    assert (cut[:, 4:] == 200).all()


@pytest.mark.parametrize("box", [(0, 0, 0, 5), (0, 0, 5, -1), (0, 0, float("nan"), 5)])
def test_a_box_without_area_is_an_error(box: Box) -> None:
    with pytest.raises(RobustPoseError, match="a box must have width and height > 0"):
        box_crop(box, input_size=(8, 8))


@calm
@given(boxes, sizes)
def test_the_crop_is_the_smallest_that_holds_the_padded_box(box: Box, size: Size) -> None:
    x, y, w, h = box
    crop = box_crop(box, input_size=size, padding=1.25)
    corners = np.array([[x - 0.5, y - 0.5], [x + w - 0.5, y + h - 0.5]])  # edges as points
    mapped = crop_points(corners, crop)
    height, width = size
    assert mapped.mean(axis=0) == pytest.approx([(width - 1) / 2, (height - 1) / 2], abs=1e-6)
    extent = 1.25 * (mapped[1] - mapped[0])
    assert (extent <= np.array([width, height]) + 1e-6).all()
    assert np.isclose(extent, [width, height]).any()
    assert crop[0, 0] == pytest.approx(crop[1, 1])


@calm
@given(points, boxes, sizes)
def test_crop_then_uncrop(xy: np.ndarray, box: Box, size: Size) -> None:
    crop = box_crop(box, input_size=size)
    np.testing.assert_allclose(uncrop_points(crop_points(xy, crop), crop), xy, atol=1e-6)


def test_many_crops_are_undone_at_once() -> None:
    generator = np.random.default_rng(0)
    xy = generator.uniform(0, 100, (3, 5, 2))
    crops = np.stack([box_crop((i, 2 * i, 30 + i, 40), input_size=(64, 48)) for i in range(3)])
    cropped = np.stack([crop_points(p, c) for p, c in zip(xy, crops, strict=True)])
    np.testing.assert_allclose(uncrop_points(cropped, crops), xy, atol=1e-9)


@calm
@given(
    st.floats(20, 76), st.floats(20, 60), st.floats(0.5, 5), st.tuples(st.integers(40, 120), st.integers(40, 120))
)
def test_a_white_dot_lands_where_its_point_is_said_to(x: float, y: float, zoom: float, size: Size) -> None:
    rows, columns = np.mgrid[:80, :96]
    sigma = 2 / min(1.0, zoom)
    dot = 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))
    photo = np.repeat(dot[..., None], 3, axis=2).round().astype(np.uint8)
    crop = centre_crop((x + 3 / zoom, y - 4 / zoom), crop_width=size[1] / zoom, input_size=size)
    cut = crop_image(photo, crop, input_size=size)[..., 0].astype(np.float64)
    expected = crop_points(np.array([x, y]), crop)
    assert expected == pytest.approx([(size[1] - 1) / 2 - 3, (size[0] - 1) / 2 + 4])
    near = cut > 128  # the half of the dot that surely lies within the crop
    v, u = np.nonzero(near)
    weights = cut[near] - 128
    found = np.array([(u * weights).sum(), (v * weights).sum()]) / weights.sum()
    assert np.abs(found - expected).max() < 0.15


def test_inside_holds_the_outer_edges_and_no_more() -> None:
    xy = np.array([[-0.5, -0.5], [9.5, 4.5], [-0.51, 2], [9.51, 2], [4, -0.51], [4, 4.51], [0, 4], [4, 0]])
    assert inside(xy, (5, 10)).tolist() == [True, True, False, False, False, False, True, True]


def test_images_are_mirrored_left_to_right() -> None:
    picture = torch.zeros(1, 3, 4, 10)
    picture[..., 2, 3] = 1
    assert flip_images(picture)[0, 0].nonzero().tolist() == [[2, 6]]


def test_cells_typed_by_hand() -> None:
    cells = torch.tensor([[0.0, 0.0], [63.0, 47.0]])
    pixels = cells_to_pixels(cells, heatmap_size=(48, 64), input_size=(192, 256))
    assert pixels.tolist() == [[1.5, 1.5], [253.5, 189.5]]
    uneven = cells_to_pixels(torch.tensor([1.0, 1.0]), heatmap_size=(8, 4), input_size=(16, 32))
    assert uneven.tolist() == [11.5, 2.5]  # stride 8 along x, 2 along y
    assert pixels_to_unit(torch.tensor([-0.5, 3.5]), input_size=(8, 12)).tolist() == [-0.5, 0.0]
    assert pixels_to_unit(torch.tensor([11.5, 7.5]), input_size=(8, 12)).tolist() == [0.5, 0.5]


@calm
@given(points, sizes, sizes)
def test_cells_and_units_have_inverses(xy: np.ndarray, input_size: Size, heatmap_size: Size) -> None:
    pixels = torch.from_numpy(xy)
    cells = pixels_to_cells(pixels, heatmap_size=heatmap_size, input_size=input_size)
    back = cells_to_pixels(cells, heatmap_size=heatmap_size, input_size=input_size)
    assert torch.allclose(back, pixels)
    unit = pixels_to_unit(pixels, input_size=input_size)
    assert torch.allclose(unit_to_pixels(unit, input_size=input_size), pixels)


def test_lattices_of_heatmap_cells() -> None:
    """By hand, for 2 x 3 cells in an image of 8 x 12 pixels: cells of 4 pixels."""
    cells = torch.tensor([[0.0, 0.0], [2.0, 1.0]])
    expected: dict[Lattice, list[list[float]]] = {
        "centres": [[1.5, 1.5], [9.5, 5.5]],
        "corners": [[0.0, 0.0], [8.0, 4.0]],
        "ends": [[0.0, 0.0], [11.0, 7.0]],
    }
    for lattice, pixels in expected.items():
        found = cells_to_pixels(cells, heatmap_size=(2, 3), input_size=(8, 12), lattice=lattice)
        assert torch.allclose(found, torch.tensor(pixels))
        back = pixels_to_cells(found, heatmap_size=(2, 3), input_size=(8, 12), lattice=lattice)
        assert torch.allclose(back, cells)


def turned(
    degrees: float, *, right: float = 0.0, down: float = 0.0, zoom: float = 1.0, size: Size
) -> torch.Tensor:
    shift = torch.tensor([[right, down]])
    return turning(degrees=torch.tensor([degrees]), shift=shift, zoom=torch.tensor([zoom]), size=size)


def test_a_quarter_turn_is_clockwise_about_the_centre() -> None:
    # 5 wide, 3 high: the centre is (2, 1). Right of it goes below it, below it goes left of it.
    points = torch.tensor([[[2.0, 1.0], [3.0, 1.0], [2.0, 2.0], [4.0, 0.0]]])
    moved = warp_points(points, turned(90.0, size=(3, 5)))
    assert moved[0].flatten().tolist() == pytest.approx([2.0, 1.0, 2.0, 2.0, 1.0, 1.0, 3.0, 3.0], abs=1e-6)
    enlarged = warp_points(points, turned(0.0, right=1.0, down=-2.0, zoom=3.0, size=(3, 5)))
    assert enlarged[0].flatten().tolist() == pytest.approx([3.0, -1.0, 6.0, -1.0, 3.0, 2.0, 9.0, -4.0], abs=1e-6)


def test_whole_pixels_move_as_they_are() -> None:
    images = torch.rand(1, 3, 6, 9, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(warp_images(images, turned(0.0, size=(6, 9))), images, atol=1e-6)
    moved = warp_images(images, turned(0.0, right=2.0, down=-1.0, size=(6, 9)))
    assert torch.allclose(moved[..., :5, 2:], images[..., 1:, :7], atol=1e-6)
    assert float(moved[..., 5, :].abs().max()) < 1e-6
    assert float(moved[..., :2].abs().max()) < 1e-6
    edge = warp_images(images, turned(0.0, right=2.0, down=-1.0, size=(6, 9)), beyond="edge")
    assert torch.allclose(edge[..., 5, 2:], images[..., 5, :7], atol=1e-6)
    assert torch.allclose(edge[..., :5, 0], images[..., 1:, 0], atol=1e-6)


@calm
@given(angle=st.floats(-180, 180), right=st.floats(-9, 9), down=st.floats(-9, 9), zoom=st.floats(0.6, 1.6))
def test_a_bump_moves_as_its_point_does_and_as_crops_are_cut(
    angle: float, right: float, down: float, zoom: float
) -> None:
    height, width = size = (40, 56)
    maps = turned(angle, right=right, down=down, zoom=zoom, size=size)
    points = torch.tensor([[[25.0, 17.0]]])
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    photo = (250 * torch.exp(-((x - 25.0) ** 2 + (y - 17.0) ** 2) / 18)).round()
    moved = warp_images(photo[None, None] / 255, maps)[0, 0]
    place = warp_points(points, maps)[0, 0]
    brightest = torch.tensor([int(moved.argmax()) % width, int(moved.argmax()) // width])
    if (place > 2).all() and (place < torch.tensor([width - 3, height - 3])).all():
        assert (brightest - place).abs().max() <= 1
    pixels = photo.to(torch.uint8)[..., None].expand(-1, -1, 3).contiguous().numpy()
    cut = crop_image(pixels, maps[0].numpy(), input_size=size)[..., 0]
    assert np.abs(cut - 255 * moved.numpy()).max() <= 2.5  # it reads at 32nds of a pixel
    np.testing.assert_allclose(crop_points(points[0].double().numpy(), maps[0].numpy())[0], place, atol=1e-4)


def test_moved_images_have_a_gradient_to_the_map() -> None:
    images = torch.rand(2, 2, 5, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def moved(degrees: torch.Tensor, shift: torch.Tensor, zoom: torch.Tensor) -> torch.Tensor:
        return warp_images(images, turning(degrees=degrees, shift=shift, zoom=zoom, size=(5, 6)))

    at = (torch.tensor([7.3, -12.1]), torch.tensor([[0.31, -0.23], [0.17, 0.41]]), torch.tensor([1.07, 0.93]))
    inputs = tuple(each.double().requires_grad_(True) for each in at)
    assert torch.autograd.gradcheck(moved, inputs, eps=1e-6, atol=1e-5)
