"""Draw the mark of this integration: a J of charging cable, from its plug to a leaf.

    .venv/bin/python scripts/draw_brand.py

The same script gives the same bytes.
"""

from functools import reduce
from math import cos, hypot, radians, sin
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw

BRAND = Path(__file__).parent.parent / "custom_components" / "joulo" / "brand"
SIZES = {"icon.png": 256, "icon@2x.png": 512}

BLUE = "#2f80ed"
GREEN = "#2fbf71"

# The drawing has units of its own, y downwards; what it covers fills the icon in the end.
FIELD = 512
OVERSAMPLING = 8

CABLE = 68
STEM = 350  # x of the stem, and of the plug's axis
BEND = 318  # y at which the stem turns into the hook
REACH = 112  # radius of the hook, at the middle of the cable
LEAF = ((130, 347), 105, 250, 148)  # base, angle in degrees, length, breadth
GAP = 16  # between cable and leaf
BOLT = ((371, 100), (313, 176), (345, 176), (329, 232), (387, 152), (355, 152))

type Point = tuple[float, float]
type Mask = Image.Image


def blank() -> Mask:
    """Return a mask that covers nothing yet."""
    return Image.new("L", (FIELD * OVERSAMPLING, FIELD * OVERSAMPLING))


def pixels(*units: float) -> list[float]:
    """Turn units of the drawing into pixels of a mask."""
    return [unit * OVERSAMPLING for unit in units]


def around(centre: Point, radius: float) -> list[float]:
    """Return the square around a circle, in pixels."""
    x, y = centre
    return pixels(x - radius, y - radius, x + radius, y + radius)


def plug() -> Mask:
    """Return the plug with its pins, and a bolt left out of it."""
    mask = blank()
    draw = ImageDraw.Draw(mask)
    for pin in (STEM - 50, STEM + 50):
        draw.rounded_rectangle(pixels(pin - 20, 0, pin + 20, 120), 20 * OVERSAMPLING, fill=255)
    draw.rounded_rectangle(pixels(STEM - 108, 76, STEM + 108, 118), 21 * OVERSAMPLING, fill=255)
    body, lower = pixels(STEM - 86, 90, STEM + 86, 252), (False, False, True, True)
    draw.rounded_rectangle(body, 86 * OVERSAMPLING, fill=255, corners=lower)
    draw.polygon([tuple(pixels(*point)) for point in BOLT], fill=0)
    return mask


def cable() -> Mask:
    """Return the cable: the stem and the hook of the J."""
    mask = blank()
    draw = ImageDraw.Draw(mask)
    half, end = CABLE / 2, STEM - 2 * REACH
    draw.rectangle(pixels(STEM - half, 240, STEM + half, BEND), fill=255)
    hook = around((STEM - REACH, BEND), REACH + half)
    draw.arc(hook, 0, 180, fill=255, width=CABLE * OVERSAMPLING)
    draw.rectangle(pixels(end - half, BEND - 40, end + half, BEND), fill=255)
    return mask


def disc(centre: Point, radius: float) -> Mask:
    """Return a disc."""
    mask = blank()
    ImageDraw.Draw(mask).ellipse(around(centre, radius), fill=255)
    return mask


def leaf(margin: float = 0) -> Mask:
    """Return the leaf with a margin around it: what two discs through its base and tip share."""
    base, angle, length, breadth = LEAF
    right, down = cos(radians(angle)), -sin(radians(angle))
    x, y = base[0] + right * length / 2, base[1] + down * length / 2
    offset = (length**2 - breadth**2) / (4 * breadth)
    radius = hypot(length / 2, offset) + margin
    return ImageChops.darker(
        disc((x - down * offset, y + right * offset), radius),
        disc((x + down * offset, y - right * offset), radius),
    )


def layers() -> list[tuple[Mask, str]]:
    """Return the coloured parts, cut to the smallest square around them all."""
    cord = ImageChops.subtract(cable(), leaf(GAP))
    parts = [(ImageChops.lighter(plug(), cord), BLUE), (leaf(), GREEN)]
    covered = reduce(ImageChops.lighter, (mask for mask, _ in parts)).getbbox()
    if covered is None:
        raise ValueError("Nothing is drawn")
    left, top, right, bottom = covered
    side = max(right - left, bottom - top)
    left -= (side - right + left) // 2
    top -= (side - bottom + top) // 2
    square = (left, top, left + side, top + side)
    return [(mask.crop(square), colour) for mask, colour in parts]


def main() -> None:
    """Write the icons."""
    BRAND.mkdir(exist_ok=True)
    parts = layers()
    for name, side in SIZES.items():
        icon = Image.new("RGBA", (side, side))
        for mask, colour in parts:
            layer = Image.new("RGBA", icon.size, colour)
            layer.putalpha(mask.resize(icon.size, Image.Resampling.BOX))
            icon.alpha_composite(layer)
        icon.save(BRAND / name, optimize=True)


if __name__ == "__main__":
    main()
