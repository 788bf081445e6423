"""Which picture a batch shows: items evenly, then vendors evenly, so that no vendor's style wins."""

import random
from pathlib import Path

import numpy as np
import torch

from images import DEGRADED, augment, random_size
from pictures import things

VALIDATION, TEST = "noto-v1", "twemoji"
# Three renderings of the same drawings count as one vendor.
FAMILY = {"fluent-emoji": "fluent", "fluent-emoji-flat": "fluent", "fluent-3d": "fluent"}


class Pictures:
    def __init__(self, work: Path, seed: int):
        data = np.load(work / "pictures.npz")
        self.images, self.thing, self.vendor = torch.from_numpy(data["images"]), data["thing"].tolist(), data["vendor"].tolist()
        self.things = things()
        self.types = sorted({t["type"] for t in self.things})
        self.random, self.generator = random.Random(seed), torch.Generator().manual_seed(seed)
        self.by_thing = [{} for _ in self.things]
        for index, (thing, vendor) in enumerate(zip(self.thing, self.vendor, strict=True)):
            if vendor not in (VALIDATION, TEST):
                self.by_thing[thing].setdefault(FAMILY.get(vendor, vendor), []).append(index)
        # Types with few things would hardly be seen, so they get half of the difference back.
        count = {t: sum(x["type"] == t for x in self.things) for t in self.types}
        self.weights = [count[t["type"]] ** -0.4 for t in self.things]

    def held_out(self, vendor):
        return [i for i, v in enumerate(self.vendor) if v == vendor]

    def batch(self, size, degraded_share, canvas=None):
        """(images (size, h, w, 4), things, degradations)"""
        rng = self.random
        chosen = rng.choices(range(len(self.things)), self.weights, k=size)
        rows = [rng.choice(rng.choice(list(self.by_thing[t].values()))) for t in chosen]
        degraded = [rng.choice(DEGRADED) if rng.random() < degraded_share else None for _ in chosen]
        image = augment(self.images[rows], canvas or random_size(rng), self.generator, degraded)
        return image, chosen, degraded
