"""The 8-bit formats: modes, transparency, orientation, frames and the pixel cap."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from foveal.errors import ImageError, UsageError
from foveal.images import MAX_PIXELS, decode
from foveal.images import frames as frames_module

TRANSPARENT_NOTE = "Transparent pixels are shown on white."


@pytest.mark.parametrize("name", ["PNG", "TIFF", "WEBP", "BMP"])
def test_a_lossless_rgb_picture_comes_back_unchanged(name, encode, picture):
    options = {"lossless": True} if name == "WEBP" else {}
    decoded = decode(encode(picture, name, **options))
    assert np.array_equal(decoded.pixels, picture)
    assert decoded.facts.notes == ()


@pytest.mark.parametrize("name", ["PNG", "TIFF", "BMP", "GIF"])
def test_a_gray_picture_stays_one_channel(name, encode, picture):
    gray = picture[..., 0]
    options = {"optimize": False} if name == "GIF" else {}
    pixels = decode(encode(gray, name, **options)).pixels
    gray_of_pixels = pixels if pixels.ndim == 2 else pixels[..., 1]
    assert np.array_equal(gray_of_pixels, gray)


@pytest.mark.parametrize("name", ["PNG", "TIFF", "BMP"])
def test_one_bit_becomes_black_and_white(name, encode, picture):
    is_white = picture[..., 0] > 100
    decoded = decode(encode(is_white, name))
    assert np.array_equal(decoded.pixels, np.where(is_white, 255, 0))
    assert (decoded.facts.stored_mode, decoded.facts.bits_per_sample) == ("1", 1)


def test_a_palette_becomes_its_colours(encode):
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    assert decode(encode(image, "PNG")).pixels.tolist() == [[[10, 20, 30], [200, 100, 50]]]


def test_a_transparent_palette_entry_is_white(encode):
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    decoded = decode(encode(image, "PNG", transparency=0))
    assert decoded.pixels.tolist() == [[[255, 255, 255], [200, 100, 50]]]
    assert TRANSPARENT_NOTE in decoded.facts.notes


def test_half_transparent_black_over_white_is_grey(encode):
    decoded = decode(encode(Image.new("RGBA", (1, 1), (0, 0, 0, 128)), "PNG"))
    assert decoded.pixels.tolist() == [[[127, 127, 127]]]


def test_gray_with_alpha_stays_gray(encode):
    image = Image.merge("LA", [Image.new("L", (2, 2), 40), Image.new("L", (2, 2), 0)])
    decoded = decode(encode(image, "PNG"))
    assert decoded.pixels.tolist() == [[255, 255], [255, 255]]


def test_alpha_that_hides_nothing_changes_nothing(encode, picture):
    decoded = decode(encode(Image.fromarray(picture).convert("RGBA"), "PNG"))
    assert np.array_equal(decoded.pixels, picture)
    assert decoded.facts.notes == ()


@pytest.mark.parametrize(("mode", "key"), [("L", 7), ("RGB", (1, 2, 3)), ("1", 0)])
def test_a_transparent_colour_is_white(mode, key, encode):
    image = Image.new(mode, (1, 1), key)
    decoded = decode(encode(image, "PNG", transparency=key))
    assert np.unique(decoded.pixels).tolist() == [255]


def test_cmyk_becomes_rgb_and_says_so(encode):
    decoded = decode(encode(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "TIFF"))
    assert decoded.pixels[0, 0].tolist() == [255, 0, 0]
    assert "colour profile" in decoded.facts.notes[0]


def test_an_adobe_cmyk_jpeg_is_not_inverted(encode):
    data = encode(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95)
    assert b"Adobe" in data
    red, green, blue = decode(data).pixels[8, 8]
    assert red > 240
    assert max(green, blue) < 15


@pytest.mark.parametrize("mode", ["LAB"])
def test_a_colour_space_without_a_conversion_is_unsupported(mode, encode):
    with pytest.raises(ImageError, match="colour space LAB") as caught:
        decode(encode(Image.new(mode, (4, 4)), "TIFF"))
    assert caught.value.code == "unsupported_format"


# What a camera writes for each orientation, so that undoing it gives the image.
STORED = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.swapaxes(0, 1),
    6: lambda p: np.rot90(p, 1),
    7: lambda p: p[::-1, ::-1].swapaxes(0, 1),
    8: lambda p: np.rot90(p, -1),
}


def exif(orientation: int) -> Image.Exif:
    block = Image.Exif()
    block[0x0112] = orientation
    return block


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("name", ["PNG", "TIFF", "WEBP"])
def test_every_orientation_gives_the_same_picture(name, orientation, encode, picture):
    stored = np.ascontiguousarray(STORED[orientation](picture))
    options = {"lossless": True} if name == "WEBP" else {}
    decoded = decode(encode(stored, name, exif=exif(orientation), **options))
    assert np.array_equal(decoded.pixels, picture)
    assert (decoded.facts.height_px, decoded.facts.width_px) == (40, 56)
    assert decoded.facts.orientation == orientation


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("reduce_to_px", [None, (50, 70)])
def test_every_orientation_of_a_jpeg_gives_the_same_picture(orientation, reduce_to_px, encode):
    y, x = np.mgrid[0:320, 0:480]
    whole = (x / 4 + y / 3).astype(np.uint8)
    stored = np.ascontiguousarray(STORED[orientation](whole))
    upright = decode(encode(whole, "JPEG", quality=98), reduce_to_px=reduce_to_px)
    data = encode(stored, "JPEG", quality=98, exif=exif(orientation))
    turned = decode(data, reduce_to_px=reduce_to_px)
    assert turned.pixels.shape == upright.pixels.shape
    assert np.abs(turned.pixels.astype(int) - upright.pixels).max() <= 2
    assert (turned.facts.height_px, turned.facts.width_px) == (320, 480)


@pytest.mark.parametrize("orientation", STORED)
def test_every_orientation_of_a_deep_picture_gives_the_same_one(orientation, tiff):
    levels = np.random.default_rng(0).integers(0, 65536, (6, 9, 3)).astype(np.uint16)
    stored = np.ascontiguousarray(STORED[orientation](levels))
    turned = decode(tiff(stored, orientation=orientation))
    assert np.array_equal(turned.pixels, decode(tiff(levels)).pixels)


@pytest.mark.parametrize("nonsense", [0, 9, 4711])
def test_an_orientation_that_is_none_is_upright(nonsense, encode, picture):
    decoded = decode(encode(picture, "PNG", exif=exif(nonsense)))
    assert np.array_equal(decoded.pixels, picture)
    assert decoded.facts.orientation == 1


def test_a_broken_exif_block_does_no_harm(encode, picture):
    data = encode(picture, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\xff\xff")
    assert decode(data).pixels.shape == picture.shape


RED, GREEN, BLUE = [255, 0, 0], [0, 255, 0], [0, 0, 255]


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG", "TIFF"])
@pytest.mark.parametrize(
    ("frame", "colour"), [("middle", GREEN), (1, RED), (2, GREEN), (3, BLUE), (7, BLUE)]
)
def test_of_several_frames_one_is_used_and_a_note_says_so(name, frame, colour, encode):
    frames = [Image.new("RGB", (12, 10), tuple(one)) for one in (RED, GREEN, BLUE)]
    options = {"lossless": True} if name == "WEBP" else {}
    data = encode(frames[0], name, save_all=True, append_images=frames[1:], **options)
    decoded = decode(data, frame=frame)
    assert np.unique(decoded.pixels.reshape(-1, 3), axis=0).tolist() == [colour]
    assert decoded.facts.num_frames == 3
    assert "several" in decoded.facts.notes[0]


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate"])
def test_a_thumbnail_and_a_mask_are_no_pages_of_the_stack(compression, encode):
    pages = [Image.new("RGB", (40, 30), colour) for colour in ("red", "lime")]
    pages += [Image.new("RGB", (20, 15), "blue"), Image.new("L", (40, 30), 9)]
    data = encode(pages[0], "TIFF", save_all=True, append_images=pages[1:], compression=compression)
    decoded = decode(data)
    assert decoded.facts.num_frames == 2
    assert decoded.pixels[3, 3].tolist() == GREEN


def test_a_deep_stack_gives_its_middle_page_in_full_depth(encode):
    pages = [np.full((9, 8), 0, np.uint16), np.arange(72, dtype=np.uint16).reshape(9, 8) * 900]
    images = [Image.fromarray(page) for page in (pages[0], pages[1], pages[0])]
    decoded = decode(encode(images[0], "TIFF", save_all=True, append_images=images[1:]))
    assert decoded.facts.levels.quantiles[-1] == 71 * 900


def test_an_animation_cut_short_is_no_shorter_animation(encode):
    frames = [Image.new("RGB", (12, 10), tuple(one)) for one in (RED, GREEN, BLUE)]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    with pytest.raises(ImageError, match="cut short"):
        decode(data[: len(data) - 12])


def test_frames_that_would_take_long_to_reach_are_not_waited_for(monkeypatch, encode):
    monkeypatch.setattr(frames_module, "_MAX_PIXELS_PASSED", 2 * (120 + (1 << 14)))
    shades = [Image.new("L", (12, 10), 20 * n) for n in range(9)]
    data = encode(shades[0], "GIF", save_all=True, append_images=shades[1:])
    decoded = decode(data)
    assert decoded.facts.frame == 3
    assert "only the first ones can be reached" in decoded.facts.notes[0]


@pytest.mark.parametrize("frame", [0, -1, 1.5, "last", True])
def test_another_frame_is_refused(frame, encode, picture):
    with pytest.raises(UsageError, match="'middle' or a number from 1 on"):
        decode(encode(picture, "PNG"), frame=frame)


def test_a_picture_of_several_jpegs_uses_the_first(encode):
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("white", "black")]
    decoded = decode(encode(frames[0], "MPO", save_all=True, append_images=frames[1:]))
    assert decoded.facts.format == "JPEG"
    assert decoded.facts.num_frames == 2
    assert decoded.pixels.min() > 250


def test_more_pixels_than_allowed_are_refused_before_decoding(encode, picture):
    with pytest.raises(ImageError, match="56 by 40 pixels, more than the 1,000 allowed") as caught:
        decode(encode(picture, "PNG"), max_pixels=1000)
    assert caught.value.code == "too_large"


@pytest.mark.parametrize("side", [10_000, 60_000])
def test_a_bomb_is_refused_by_its_header(side, png16):
    import struct
    import zlib

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    data = png16(np.zeros((1, 1), np.uint16))
    checksum = struct.pack(">I", zlib.crc32(b"IHDR" + header))
    with pytest.raises(ImageError, match="pixels") as caught:
        decode(data[:16] + header + checksum + data[33:])
    assert caught.value.code == "too_large"


def test_the_default_cap_is_the_one_pillow_warns_at():
    assert MAX_PIXELS == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("reduce_to_px", [(100, 150), (99, 151), (101, 150), (300, 10)])
def test_a_reduced_jpeg_is_never_below_the_size_asked_for(reduce_to_px, encode, picture):
    whole = Image.fromarray(picture).resize((1203, 801))
    decoded = decode(encode(whole, "JPEG"), reduce_to_px=reduce_to_px)
    height, width = decoded.pixels.shape[:2]
    assert height >= reduce_to_px[0]
    assert width >= reduce_to_px[1]
    assert (decoded.facts.height_px, decoded.facts.width_px) == (801, 1203)


def test_a_large_jpeg_is_reduced(encode, picture):
    whole = Image.fromarray(picture).resize((1600, 1200))
    assert decode(encode(whole, "JPEG"), reduce_to_px=(150, 150)).pixels.shape == (150, 200, 3)


def test_a_path_and_its_bytes_give_the_same(tmp_path, encode, picture):
    data = encode(picture, "JPEG")
    path = tmp_path / "p.jpg"
    path.write_bytes(data)
    from_path, from_bytes = decode(path), decode(data)
    assert from_path.facts == from_bytes.facts
    assert np.array_equal(from_path.pixels, from_bytes.pixels)


def test_a_lossless_jpeg_is_unsupported(encode, picture):
    data = bytearray(encode(picture, "JPEG"))
    data[data.index(b"\xff\xc0") + 1] = 0xC3
    with pytest.raises(ImageError, match="lossless") as caught:
        decode(bytes(data))
    assert caught.value.code == "unsupported_format"


def test_a_twelve_bit_jpeg_is_unsupported(encode, picture):
    data = bytearray(encode(picture, "JPEG"))
    data[data.index(b"\xff\xc0") + 4] = 12
    with pytest.raises(ImageError, match="12 bits") as caught:
        decode(bytes(data))
    assert caught.value.code == "unsupported_format"


def test_an_error_of_bytes_has_no_path():
    with pytest.raises(ImageError) as caught:
        decode(io.BytesIO(b"hello").getvalue())
    assert caught.value.path is None


def test_a_small_first_page_without_a_mark_is_no_picture_of_the_file(encode):
    pages = [Image.new("L", (10, 8), 9), *(Image.new("RGB", (40, 30), c) for c in ("red", "lime"))]
    data = encode(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    decoded = decode(data)
    assert decoded.pixels.shape == (30, 40, 3)
    assert decoded.pixels[3, 3].tolist() == GREEN
    assert any("pages of other sizes or forms" in note for note in decoded.facts.notes)


def test_signed_levels_of_eight_bits_keep_their_order(tiff):
    levels = np.arange(-128, 128, dtype=np.int8).reshape(16, 16)
    decoded = decode(tiff(levels, sample_format=2))
    assert decoded.pixels.tolist() == (levels.astype(int) + 128).tolist()
    assert "Signed 8-bit levels were raised by 128." in decoded.facts.notes
