import errno
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from robustpose.data.photos import UnreadablePhoto, photo_folder, read_photo, read_upright
from robustpose.errors import RobustPoseError

from .files import HEIGHT, WIDTH, noise, write_photo


def test_a_png_is_read_as_it_was_written_in_rgb(tmp_path: Path) -> None:
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[..., 0] = 200  # red
    pixels[5, 7] = (10, 20, 30)
    np.testing.assert_array_equal(read_photo(write_photo(tmp_path / "a.png", pixels)), pixels)


def test_grey_and_16_bit_photos_become_three_equal_8_bit_channels(tmp_path: Path) -> None:
    grey = noise()[..., 0]
    cv2.imwrite(str(tmp_path / "grey.png"), grey)
    cv2.imwrite(str(tmp_path / "deep.png"), grey.astype(np.uint16) * 257)
    for name in ("grey.png", "deep.png"):
        photo = read_photo(tmp_path / name)
        assert photo.dtype == np.uint8
        np.testing.assert_array_equal(photo, np.stack([grey] * 3, axis=-1))


def _with_header_segment(jpeg: bytes, marker: int, payload: bytes) -> bytes:
    return jpeg[:2] + bytes([0xFF, marker]) + (len(payload) + 2).to_bytes(2, "big") + payload + jpeg[2:]


def test_exif_orientation_is_not_applied(tmp_path: Path) -> None:
    plain = write_photo(tmp_path / "plain.jpg")
    quarter_turn = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    turned = tmp_path / "turned.jpg"
    turned.write_bytes(_with_header_segment(plain.read_bytes(), 0xE1, quarter_turn))
    by_default = cv2.imread(str(turned))
    assert by_default is not None and by_default.shape == (
        WIDTH,
        HEIGHT,
        3,
    )  # the orientation is really in the file
    np.testing.assert_array_equal(read_photo(turned), read_photo(plain))


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_truncated_photo_is_named_so_wherever_it_was_cut(tmp_path: Path, suffix: str) -> None:
    whole = write_photo(tmp_path / f"whole{suffix}").read_bytes()
    cut = tmp_path / f"cut{suffix}"
    for length in range(20, len(whole) - 1, max(1, len(whole) // 40)):
        cut.write_bytes(whole[:length])
        with pytest.raises(UnreadablePhoto, match=rf"cut\{suffix}: truncated"):
            read_photo(cut)


def test_cv2_alone_would_fill_a_truncated_jpeg_with_grey(tmp_path: Path) -> None:
    path = write_photo(tmp_path / "photo.jpg")
    path.write_bytes(path.read_bytes()[:-200])
    assert cv2.imread(str(path)) is not None  # so the check of the end marker is needed
    with pytest.raises(UnreadablePhoto, match="truncated"):
        read_photo(path)


def test_an_end_marker_in_a_thumbnail_does_not_hide_a_truncation(tmp_path: Path) -> None:
    thumbnail = write_photo(tmp_path / "small.jpg").read_bytes()
    whole = _with_header_segment(thumbnail, 0xE1, b"Exif\0\0" + thumbnail)
    path = tmp_path / "photo.jpg"
    path.write_bytes(whole)
    assert read_photo(path).shape == (HEIGHT, WIDTH, 3)
    path.write_bytes(whole[:-40])
    with pytest.raises(UnreadablePhoto, match="truncated"):
        read_photo(path)


def test_bytes_after_the_end_do_no_harm(tmp_path: Path) -> None:
    path = write_photo(tmp_path / "a.jpg")
    before = read_photo(path)
    path.write_bytes(path.read_bytes() + b"\0" * 500)
    np.testing.assert_array_equal(read_photo(path), before)


def test_what_is_no_photo_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("not found")
    (tmp_path / "folder.jpg").mkdir()
    for name, reason in [
        ("gone.jpg", "missing"),
        ("empty.jpg", "empty"),
        ("text.jpg", "not an image that can be decoded"),
        ("folder.jpg", "cannot be read: Is a directory"),
    ]:
        with pytest.raises(UnreadablePhoto) as caught:
            read_photo(tmp_path / name)
        assert str(caught.value) == f"{tmp_path / name}: {reason}"
    assert issubclass(UnreadablePhoto, RobustPoseError)


def test_a_photo_one_may_not_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    (tmp_path / "a.png").touch()
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(UnreadablePhoto, match=r"a\.png: cannot be read: Permission denied"):
        read_photo(tmp_path / "a.png")


def test_photos_are_looked_for_beside_then_in_the_own_folder_then_in_guesses(tmp_path: Path) -> None:
    file = tmp_path / "set" / "people.json"
    guess = tmp_path / "val2017"
    for folder in (guess, tmp_path / "set", tmp_path / "set" / "images"):  # each found before the one made earlier
        write_photo(folder / "b.png")
        assert photo_folder(file, ["a.png", "b.png"], images=None, guesses=[guess]) == folder


def test_a_named_folder_is_the_only_one_looked_in(tmp_path: Path) -> None:
    write_photo(tmp_path / "images" / "a.png")
    empty = tmp_path / "else"
    empty.mkdir()
    with pytest.raises(RobustPoseError) as caught:
        photo_folder(tmp_path / "p.json", ["a.png"] * 30, images=empty)
    assert str(caught.value) == (
        f"{tmp_path / 'p.json'}: none of its first 1 photos, such as 'a.png', is in {empty}; "
        "give their folder with --images DIR"
    )
    with pytest.raises(RobustPoseError, match=r"nowhere \(no such folder\)"):
        photo_folder(tmp_path / "p.json", ["a.png"], images=tmp_path / "nowhere")


def test_only_the_first_20_photos_are_tried(tmp_path: Path) -> None:
    names = [f"{i}.png" for i in range(25)]
    write_photo(tmp_path / "20.png")
    with pytest.raises(RobustPoseError, match=r"first 20 photos.*'0\.png'"):
        photo_folder(tmp_path / "p.json", names, images=None)
    write_photo(tmp_path / "19.png")
    assert photo_folder(tmp_path / "p.json", names, images=None) == tmp_path


# One's own photos

QUARTER_TURN = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"


def test_ones_own_photo_is_turned_as_its_exif_data_say(tmp_path: Path) -> None:
    plain = write_photo(tmp_path / "plain.jpg")
    turned = tmp_path / "turned.jpg"
    turned.write_bytes(_with_header_segment(plain.read_bytes(), 0xE1, QUARTER_TURN))
    np.testing.assert_array_equal(read_upright(plain), read_photo(plain))
    np.testing.assert_array_equal(read_upright(turned), np.rot90(read_photo(plain), k=-1))


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_a_transparent_photo_lies_on_white(tmp_path: Path, depth: type[np.unsignedinteger[Any]]) -> None:
    levels = np.iinfo(depth).max
    bgra = np.zeros((HEIGHT, WIDTH, 4), depth)
    bgra[..., 2] = levels  # red
    bgra[:, :10, 3] = levels  # opaque
    bgra[:, 10:20, 3] = levels // 2
    cv2.imwrite(str(tmp_path / "a.png"), bgra)
    photo = read_upright(tmp_path / "a.png")
    assert photo.dtype == np.uint8
    assert photo[5, 5].tolist() == [255, 0, 0]
    assert photo[5, 15].tolist() == pytest.approx([255, 128, 128], abs=1)
    assert photo[5, 25].tolist() == [255, 255, 255]


def test_grey_16_bit_and_cmyk_photos_become_rgb(tmp_path: Path) -> None:
    images = pytest.importorskip("PIL.Image")
    grey = noise()[..., 0]
    cv2.imwrite(str(tmp_path / "grey.png"), grey)
    cv2.imwrite(str(tmp_path / "deep.png"), grey.astype(np.uint16) * 257)
    for name in ("grey.png", "deep.png"):
        np.testing.assert_array_equal(read_upright(tmp_path / name), np.stack([grey] * 3, axis=-1))
    images.fromarray(noise()).convert("CMYK").save(tmp_path / "print.jpg", quality=95)
    assert np.abs(read_upright(tmp_path / "print.jpg").astype(int) - noise()).max() <= 8


def test_transparent_and_turned_at_once_is_refused_in_a_line(tmp_path: Path) -> None:
    images = pytest.importorskip("PIL.Image")
    exif = images.Exif()
    exif[0x112] = 6
    transparent = np.dstack([noise(), np.full((HEIGHT, WIDTH), 128, np.uint8)])
    images.fromarray(transparent).save(tmp_path / "a.png", exif=exif)
    with pytest.raises(
        UnreadablePhoto, match=r"a\.png: has both transparency and an EXIF rotation; save it without"
    ):
        read_upright(tmp_path / "a.png")


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_ones_own_photo_cut_short_is_named(tmp_path: Path, suffix: str) -> None:
    path = write_photo(tmp_path / f"cut{suffix}")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UnreadablePhoto, match=rf"cut\{suffix}: truncated"):
        read_upright(path)
