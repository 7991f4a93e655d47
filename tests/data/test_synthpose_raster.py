import numpy as np
import pytest

from robustpose.data.synthpose.assets import Floats, Ints
from robustpose.data.synthpose.raster import NEAR, depth_map, rasterise


def plain_weights(corners: Floats, size: int) -> Floats:
    """The weights (3, size, size) of a triangle's corners at every pixel centre, by solving three equations."""
    x, y = np.meshgrid(np.arange(size), np.arange(size))
    system = np.vstack([corners[:, :2].T, np.ones(3)])
    return np.linalg.solve(system, np.stack([x, y, np.ones_like(x)]).reshape(3, -1)).reshape(3, size, size)


def plain_rasterise(screen: Floats, faces: Ints, alpha: Floats, *, size: int) -> tuple[Floats, Ints]:
    """The same image, one whole-array pass a triangle."""
    depth = np.full((size, size), np.inf)
    triangle = np.full((size, size), -1)
    for t, face in enumerate(faces):
        if (screen[face, 2] < NEAR).any():
            continue
        weights = plain_weights(screen[face], size)
        over_z = weights / screen[face, 2][:, None, None]
        z = 1 / over_z.sum(axis=0)
        shows = (weights >= 0).all(axis=0) & (z < depth) & ((over_z * alpha[face][:, None, None]).sum(axis=0) >= 0)
        depth[shows], triangle[shows] = z[shows], t
    return depth, triangle


def triangles(seed: int, *, count: int, size: int) -> tuple[Floats, Ints, Floats]:
    rng = np.random.default_rng(seed)
    screen = rng.uniform(-0.3 * size, 1.3 * size, (3 * count, 3))
    screen[:, 2] = rng.uniform(0.02, 3.0, 3 * count)
    alpha = rng.uniform(-0.5, 1.0, 3 * count)
    return screen, rng.integers(0, 3 * count, (count, 3)), alpha


@pytest.mark.parametrize("seed", range(8))
def test_compiled_image_is_the_plain_one(seed: int) -> None:
    screen, faces, alpha = triangles(seed, count=40, size=37)
    faces = faces[np.array([len(set(face)) == 3 for face in faces.tolist()])]
    depth, triangle, weights = rasterise(screen, faces, alpha, size=37)
    plain_depth, plain_triangle = plain_rasterise(screen, faces, alpha, size=37)
    assert (triangle == plain_triangle).all()
    hit = triangle >= 0
    assert hit.any()
    assert (~hit).any()
    np.testing.assert_allclose(depth[hit], plain_depth[hit], rtol=0, atol=1e-9)
    assert np.isinf(depth[~hit]).all()
    assert (weights[hit] >= -1e-12).all()
    assert (weights[hit].sum(axis=1) <= 1 + 1e-12).all()


@pytest.mark.parametrize("seed", range(4))
def test_compiled_depth_map_is_the_plain_one(seed: int) -> None:
    screen, faces, _ = triangles(seed, count=15, size=20)
    faces = faces[np.array([len(set(face)) == 3 for face in faces.tolist()])]
    expected = np.full((20, 20), np.inf)
    for face in faces:
        weights = plain_weights(screen[face], 20)
        z = (weights * screen[face, 2][:, None, None]).sum(axis=0)
        expected = np.where((weights >= 0).all(axis=0), np.minimum(expected, z), expected)
    np.testing.assert_allclose(
        depth_map(screen, faces, np.ones(len(screen)), size=20), expected, rtol=0, atol=1e-9
    )


def test_pixel_is_drawn_where_its_centre_is_covered() -> None:
    around = np.array([[2.6, 4.6, 1.0], [3.4, 4.6, 1.0], [3.0, 5.4, 1.0]])  # holds (3, 5) alone, its centre
    _, triangle, _ = rasterise(around, np.array([[0, 1, 2]]), np.ones(3), size=8)
    assert np.argwhere(triangle == 0).tolist() == [[5, 3]]


def test_weights_recover_a_slanted_position() -> None:
    world = np.array([[-1.0, -1, 2], [1, -1, 4], [0, 1, 3]])
    screen = np.column_stack(
        [world[:, 0] / world[:, 2] * 30 + 16, world[:, 1] / world[:, 2] * 30 + 16, world[:, 2]]
    )
    depth, triangle, weights = rasterise(screen, np.array([[0, 1, 2]]), np.ones(3), size=33)
    y, x = np.argwhere(triangle == 0).T
    shares = np.column_stack([weights[y, x], 1 - weights[y, x].sum(axis=1)])
    points = shares @ world
    np.testing.assert_allclose(points[:, 2], depth[y, x], atol=1e-12)
    np.testing.assert_allclose(points[:, 0] / points[:, 2] * 30 + 16, x, atol=1e-9)
    np.testing.assert_allclose(points[:, 1] / points[:, 2] * 30 + 16, y, atol=1e-9)
