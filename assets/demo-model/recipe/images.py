"""Icons as the program sees them: augmented, shrunk to 24-48 px, upscaled, resized, cut into patches.

A batch shares one icon size, so that one pair of matrices resizes all of it. Images are float
tensors (batch, height, width, 4), straight alpha, 0..1.
"""

import functools
import math
import tomllib
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

VOCABULARY = Path(__file__).resolve().parents[2] / "vocabulary.toml"
MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073])
STD = torch.tensor([0.26862954, 0.26130258, 0.27577711])
MIN_PIXELS, MAX_PIXELS, PATCH, MERGE = 12000, 12800, 14, 2
DEGRADED = ["tiny", "blank", "blur"]
# The model names 13 basic colors; the finer words of the vocabulary are folded into them.
FOLD = {
    "wine": "red", "gold": "yellow", "khaki": "green", "lime": "green", "mint": "teal",
    "sky blue": "blue", "navy": "blue", "lavender": "purple", "silver": "gray",
}
COLORS = ["red", "orange", "yellow", "green", "teal", "blue", "purple", "pink", "brown", "beige", "white", "gray", "black"]
VIBES = ["vivid", "dark", "plain", "bright", "calm"]


def oklab(rgb):
    """sRGB 0..1 -> OKLab, last axis of 3."""
    linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4)
    lms = linear @ torch.tensor([[0.4122215, 0.2119035, 0.0883025], [0.5363325, 0.6806995, 0.2817188], [0.0514460, 0.1073970, 0.6299787]])
    lms = lms.clamp(min=0) ** (1 / 3)
    return lms @ torch.tensor([[0.2104543, 1.9779985, 0.0259040], [0.7936178, -2.4285922, 0.7827718], [-0.0040720, 0.4505937, -0.8086758]])


@functools.cache
def anchors():
    """OKLab points of all color words and the basic color of each."""
    words = tomllib.loads(VOCABULARY.read_text(encoding="utf-8"))["colors"]
    points = [(FOLD.get(w["word"], w["word"]), h) for w in words for h in w["rgb"]]
    rgb = torch.tensor([[int(h[i : i + 2], 16) / 255 for i in (1, 3, 5)] for _, h in points])
    return oklab(rgb), torch.tensor([COLORS.index(word) for word, _ in points])


# 16 levels a channel: the nearest color word of every rgb, looked up instead of computed per pixel.
@functools.cache
def color_table(levels=32):
    axis = (torch.arange(levels) + 0.5) / levels
    grid = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    points, word = anchors()
    # Lightness counts less than hue and chroma, as in naming.
    weight = torch.tensor([0.6, 1.0, 1.0])
    return word[torch.cdist(oklab(grid) * weight, points * weight).argmin(1)]


def describe(image, share=0.2):
    """What a person would say: per image (color words with at least `share` of the pixels, most first, at most 3), vibe."""
    opaque = image[..., 3] >= 0.5
    rgb = image[..., :3]
    index = (rgb * 32).long().clamp(0, 31)
    word = color_table()[(index[..., 0] * 32 + index[..., 1]) * 32 + index[..., 2]]
    count = opaque.sum((1, 2))
    total = count.clamp(min=1)
    hist = torch.stack([((word == k) & opaque).sum((1, 2)) for k in range(len(COLORS))], 1) / total[:, None]
    high, low = rgb.amax(-1), rgb.amin(-1)
    saturation = (((high - low) / (high + 1e-6)) * opaque).sum((1, 2)) / total
    value = (high * opaque).sum((1, 2)) / total
    out = []
    for h, s, v, n in zip(hist.tolist(), saturation.tolist(), value.tolist(), count.tolist(), strict=True):
        if n < 6:
            out.append(([], "plain"))
            continue
        order = sorted(range(len(COLORS)), key=lambda k: -h[k])[:3]
        colors = [COLORS[k] for k in order if h[k] >= share] or [COLORS[order[0]]]
        vibe = "dark" if v < 0.45 else "plain" if s < 0.2 else "vivid" if s > 0.55 and v > 0.6 else "bright" if v > 0.8 else "calm"
        out.append((colors, vibe))
    return out


def smart_resize(height, width):
    """Qwen2-VL's rule: multiples of 28 whose area lies within the pixel limits."""
    unit = PATCH * MERGE
    h, w = max(unit, round(height / unit) * unit), max(unit, round(width / unit) * unit)
    if h * w > MAX_PIXELS:
        beta = math.sqrt(height * width / MAX_PIXELS)
        h, w = max(unit, math.floor(height / beta / unit) * unit), max(unit, math.floor(width / beta / unit) * unit)
    elif h * w < MIN_PIXELS:
        beta = math.sqrt(MIN_PIXELS / (height * width))
        h, w = math.ceil(height * beta / unit) * unit, math.ceil(width * beta / unit) * unit
    return h, w


@functools.cache
def bicubic(source, target):
    """The matrix of Pillow's bicubic resize along one axis."""
    eye = Image.fromarray(np.eye(source, dtype=np.float32), mode="F")
    return torch.from_numpy(np.array(eye.resize((source, target), Image.Resampling.BICUBIC)))


def to_patches(image, upscale=2, background=1.0):
    """(batch, h, w, 4) -> ((batch, patches, 588) in merge-block order, (rows, columns) of patches)."""
    batch, h, w, _ = image.shape
    alpha = image[..., 3:]
    x = (image[..., :3] * alpha + background * (1 - alpha)).permute(0, 3, 1, 2)
    height, width = smart_resize(h * upscale, w * upscale)
    for rows, columns in ((h * upscale, w * upscale), (height, width)):
        if (rows, columns) != tuple(x.shape[2:]):
            x = bicubic(x.shape[2], rows) @ x @ bicubic(x.shape[3], columns).T
            x = (x.clamp(0, 1) * 255).round() / 255
    x = (x - MEAN.view(1, 3, 1, 1)) / STD.view(1, 3, 1, 1)
    rows, columns = height // PATCH, width // PATCH
    x = x.view(batch, 3, rows // MERGE, MERGE, PATCH, columns // MERGE, MERGE, PATCH)
    x = x.permute(0, 2, 5, 3, 6, 1, 4, 7)
    return x.reshape(batch, rows * columns, 3 * PATCH * PATCH), (rows, columns)


def recolor(rgb, rand):
    """Each picture as it is, hue-turned, tinted in one hue, or with its channels swapped."""
    n = len(rgb)
    angle = rand(n) * 2 * math.pi
    c, s = angle.cos(), angle.sin()
    k, w = (1 - c) / 3, s / math.sqrt(3)
    turn = torch.stack([c + k, k - w, k + w, k + w, c + k, k - w, k - w, k + w, c + k], -1).view(n, 3, 3)
    turned = (rgb @ turn.transpose(1, 2)[:, None]).clamp(0, 1)
    luma = (rgb * torch.tensor([0.3, 0.59, 0.11])).sum(-1, keepdim=True)
    hue = (torch.tensor([5.0, 3.0, 1.0])[None] + rand(n)[:, None] * 6) % 6
    base = 1 - torch.minimum(torch.minimum(hue, 4 - hue), torch.ones(1)).clamp(0, 1) * (rand(n, 1) * 0.9 + 0.1)
    base = base[:, None, None]
    tinted = torch.where(luma < 0.5, luma * 2 * base, base + (1 - base) * (luma * 2 - 1))
    order = rand(n, 3).argsort(1)[:, None, None, :].expand_as(rgb)
    swapped = rgb.gather(-1, order)
    mode = rand(n)[:, None, None, None]
    rgb = torch.where(mode < 0.25, turned, torch.where(mode < 0.37, tinted, torch.where(mode < 0.47, swapped, rgb)))
    contrast = 0.75 + 0.45 * rand(n, 1, 1, 1)
    return ((rgb - 0.5) * contrast + 0.5 + 0.2 * (rand(n, 1, 1, 1) - 0.5)).clamp(0, 1)


def augment(pictures, size, generator, degraded=None, train=True):
    """(batch, 64, 64, 4) bytes -> (batch, *size, 4) floats; `degraded` holds None or one of DEGRADED for each."""

    def rand(*shape):
        return torch.rand(*shape, generator=generator)

    n = len(pictures)
    x = pictures.float() / 255
    rgb, alpha = x[..., :3], x[..., 3:]
    scale, aspect, angle, shear = torch.full((n,), 0.97), torch.ones(n), torch.zeros(n), torch.zeros(n)
    flip, shift = torch.ones(n), torch.zeros(n, 2)
    if train:
        rgb = recolor(rgb, rand)
        scale = 0.72 + 0.33 * rand(n)
        aspect = ((rand(n) - 0.5) * 0.4).exp()
        flip = torch.where(rand(n) < 0.5, -1.0, 1.0)
        angle = (rand(n) - 0.5) * 0.9 * (rand(n) < 0.5)
        shear = (rand(n) - 0.5) * 0.5 * (rand(n) < 0.4)
        shift = (rand(n, 2) - 0.5) * 0.25
    for i, kind in enumerate(degraded or []):
        if kind == "tiny":
            scale[i] = 0.10 + 0.11 * rand(1).item()
    # A long canvas shows the picture as large as its short side allows, and stretched a little.
    h, w = size
    longer = math.sqrt(h / w)
    zoom_x, zoom_y = 1 / (scale * aspect.sqrt()), aspect.sqrt() / scale
    zoom_x, zoom_y = zoom_x * min(1, longer) ** -0.6 * longer ** -0.4, zoom_y * max(1, longer) ** 0.6 * longer ** 0.4
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0] = zoom_x * angle.cos() * flip
    theta[:, 0, 1] = zoom_x * (-angle.sin() + shear)
    theta[:, 1, 0] = zoom_y * angle.sin() * flip
    theta[:, 1, 1] = zoom_y * angle.cos()
    theta[:, :, 2] = -shift
    layers = torch.cat([rgb * alpha, alpha], -1).permute(0, 3, 1, 2)
    grid = F.affine_grid(theta, (n, 4, 2 * h, 2 * w), align_corners=False)
    if train:
        # Artists draw one thing in different proportions: a smooth, slight warp.
        bend = torch.randn(n, 2, 4, 4, generator=generator) * 0.06 * rand(n, 1, 1, 1)
        bend = F.interpolate(bend, size=(2 * h, 2 * w), mode="bicubic", align_corners=True)
        grid = grid + bend.permute(0, 2, 3, 1)
    y = F.avg_pool2d(F.grid_sample(layers, grid, mode="bilinear", align_corners=False), 2)
    for i, kind in enumerate(degraded or []):
        if kind == "blank":
            y[i] *= 0 if rand(1).item() < 0.5 else 0.03 + 0.09 * rand(1).item()
        elif kind == "blur":
            side = 3 + int(rand(1).item() * 2)
            y[i : i + 1] = F.interpolate(F.adaptive_avg_pool2d(y[i : i + 1], side), size=size, mode="bicubic", align_corners=False).clamp(0, 1)
    y = y.permute(0, 2, 3, 1)
    if train:
        # No single part may decide: a fifth of the pictures lose one.
        middle, side = rand(2, n, 1), 0.15 + 0.3 * rand(2, n, 1)
        row, column = ((torch.arange(k) + 0.5) / k for k in size)
        hole = ((row - middle[0]).abs() * 2 < side[0])[:, :, None] & ((column - middle[1]).abs() * 2 < side[1])[:, None, :]
        y = y * ~(hole & (rand(n, 1, 1) < 0.2))[..., None]
    alpha = y[..., 3:]
    rgb = (y[..., :3] / alpha.clamp(min=1e-4)).clamp(0, 1)
    return (torch.cat([rgb, alpha], -1) * 255).round() / 255


def random_size(rng):
    """An icon size: mostly square, as most icons are, else any shape up to 1:1.9."""
    side = rng.choice([24, 28, 30, 32, 32, 32, 34, 36, 40, 44, 48])
    if rng.random() < 0.6:
        return side, side
    ratio = math.exp(rng.uniform(-0.65, 0.65))
    return tuple(min(48, max(18, round(side * r))) for r in (math.sqrt(ratio), 1 / math.sqrt(ratio)))
