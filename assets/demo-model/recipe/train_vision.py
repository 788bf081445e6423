"""First stage: the vision tower as a classifier of type, thing, colors, vibe and degradation."""

import argparse
import os
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from data import VALIDATION, Pictures
from images import COLORS, DEGRADED, VIBES, augment, describe, to_patches
from model import HIDDEN, Muon, TinyQwen2VL
from workers import average_gradients, launch

BATCH = 64  # of each worker


def main(rank, args):
    torch.manual_seed(0)
    data = Pictures(args.work, seed=5 + rank)
    tower = TinyQwen2VL().visual
    sizes = [len(data.things), len(data.types) + 1, len(COLORS), len(DEGRADED) + 1, len(VIBES)]
    head = nn.Linear(HIDDEN, sum(sizes))
    type_of = torch.tensor([data.types.index(t["type"]) for t in data.things])
    matrices = [p for p in tower.parameters() if p.dim() >= 2]
    rest = [p for p in tower.parameters() if p.dim() < 2] + list(head.parameters())
    muon, adam = Muon(matrices, lr=0.02, weight_decay=0.2), torch.optim.AdamW(rest, lr=2e-3, betas=(0.9, 0.98), weight_decay=0.01)

    def targets(things, degraded, described):
        thing, bad = torch.tensor(things), torch.tensor([d is not None for d in degraded])
        colors = torch.zeros(len(things), len(COLORS))
        for row, (names, _) in enumerate(described):
            for name in names:
                colors[row, COLORS.index(name)] = 1
        return (
            torch.where(bad, -100, thing),
            torch.where(bad, len(data.types), type_of[thing]),
            colors,
            torch.tensor([0 if d is None else 1 + DEGRADED.index(d) for d in degraded]),
            torch.tensor([VIBES.index(vibe) for _, vibe in described]),
        )

    def loss_of(output, target):
        thing, kind, colors, degraded, vibe = output.float().split(sizes, -1)
        return (
            F.cross_entropy(thing, target[0], label_smoothing=0.05)
            + F.cross_entropy(kind, target[1], label_smoothing=0.05)
            + 3 * F.binary_cross_entropy_with_logits(colors, target[2])
            + 0.5 * F.cross_entropy(degraded, target[3])
            + 0.3 * F.cross_entropy(vibe, target[4])
        )

    def validate():
        rows = data.held_out(VALIDATION)
        image = augment(data.images[rows], (32, 32), data.generator, train=False)
        target = targets([data.thing[r] for r in rows], [None] * len(rows), describe(image))
        with torch.no_grad():
            thing, kind, colors, _, _ = head(tower(*to_patches(image)).mean(1)).split(sizes, -1)
        found, truth = colors > 0, target[2] > 0
        f1 = 2 * (found & truth).sum() / (found.sum() + truth.sum())
        return f"thing {(thing.argmax(1) == target[0]).float().mean():.3f} type {(kind.argmax(1) == target[1]).float().mean():.3f} colors {f1:.3f}"

    started, smooth, average, spent = time.time(), None, None, [0.0, 0.0]
    for step in range(args.steps):
        rate = min(1, (step + 1) / 40) * min(1, (1 - step / args.steps) / 0.6 + 0.01)
        muon.param_groups[0]["lr"], adam.param_groups[0]["lr"] = 0.02 * rate, 2e-3 * rate
        t0 = time.time()
        image, things, degraded = data.batch(BATCH, 0.1)
        target = targets(things, degraded, describe(image))
        upscale, background = data.random.choice([2, 2, 2, 1, 4]), data.random.choice([1.0, 1.0, 1.0, 1.0, 0.0])
        patches, grid = to_patches(image, upscale, background)
        t1 = time.time()
        with torch.autocast("cpu", torch.bfloat16):
            loss = loss_of(head(tower(patches, grid).mean(1)), target)
        loss.backward()
        average_gradients(matrices + rest)
        muon.step(), adam.step(), muon.zero_grad(), adam.zero_grad()
        t2 = time.time()
        spent[0] += t1 - t0
        spent[1] += t2 - t1
        smooth = loss.item() if smooth is None else 0.98 * smooth + 0.02 * loss.item()
        if rank == 0 and ((step + 1) % args.save_every == 0 or step + 1 == args.steps):
            print(f"{time.time() - started:.0f}s step {step + 1} loss {smooth:.3f} {validate()} data {spent[0] / (step + 1):.3f}s compute {spent[1] / (step + 1):.3f}s", flush=True)
            torch.save({"tower": tower.state_dict(), "head": head.state_dict()}, args.work / "vision.tmp")
            os.replace(args.work / "vision.tmp", args.work / "vision.pt")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("work", type=Path)
    arguments.add_argument("--steps", type=int, default=2500)
    arguments.add_argument("--save-every", type=int, default=100)
    launch(main, arguments.parse_args())
