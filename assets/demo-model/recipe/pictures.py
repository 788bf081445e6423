"""Collects all pictures in one array: work/pictures.npz (64x64 RGBA, thing, vendor)."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
SIZE = 64


def things():
    with open(HERE / "things.tsv", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def main(work):
    listing = json.loads((work / "icons.json").read_text())
    flat = np.frombuffer((work / "icons.bin").read_bytes(), np.uint8).reshape(-1, SIZE, SIZE, 4)
    images, rows = [], []
    for image, icon in zip(flat, listing["icons"], strict=True):
        if (image[..., 3] > 40).mean() > 0.02:
            images.append(image)
            rows.append((icon["thing"], icon["vendor"]))
    folder = work / "node_modules/@lobehub/fluent-emoji-3d/assets"
    for index, thing in enumerate(things()):
        for name in (thing["codepoint"], thing["codepoint"] + "-fe0f"):
            file = folder / f"{name}.webp"
            if file.exists():
                images.append(np.asarray(Image.open(file).convert("RGBA").resize((SIZE, SIZE), Image.Resampling.LANCZOS)))
                rows.append((index, "fluent-3d"))
                break
    np.savez(
        work / "pictures.npz",
        images=np.stack(images),
        thing=np.array([t for t, _ in rows]),
        vendor=np.array([v for _, v in rows]),
    )
    print(len(images), "pictures of", len({t for t, _ in rows}), "things")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
