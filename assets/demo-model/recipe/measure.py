"""Measures a checkpoint through labeler-tui itself, with the output grammar on, on a vendor's pictures.

    measure.py WORK BINARY MODEL [--vendor twemoji]

Twemoji is the test vendor: no training, choice or look at pictures used it. The table goes to the model card.
"""

import argparse
import json
import random
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from answers import REASON, _vocabulary
from data import TEST, Pictures
from images import DEGRADED, VOCABULARY, augment, describe
from names import Names, unseen_names

RECORD = (
    "image_path image_sha256 source_type item_name item_description label_ko label_en tags_ko attributes query_variants_ko "
    "quality_flags model prompt_version generated_at"
).split()
ATTRIBUTES = "colors theme material vibe item_type_guess".split()
WORDS = {category: {e["word"] for e in entries} for category, entries in _vocabulary.items()}
SAID = set(REASON.values())


def valid(record):
    """What the record's contract promises of a line, as far as it can be seen in the line."""
    attributes = record["attributes"]
    lists = [record["tags_ko"], record["query_variants_ko"], *(attributes[k] for k in ATTRIBUTES[:4])]
    return (
        list(record) == RECORD
        and list(attributes) == ATTRIBUTES
        and list(record["quality_flags"]) == ["is_uncertain", "reasons"]
        and record["quality_flags"]["is_uncertain"] == bool(record["quality_flags"]["reasons"])
        and 5 <= len(record["tags_ko"]) <= 15
        and 3 <= len(record["query_variants_ko"]) <= 8
        and all(len(x) == len(set(x)) and all(isinstance(s, str) and s.strip() == s != "" for s in x) for x in lists)
        and set(attributes["colors"]) <= WORDS["colors"]
        and set(attributes["material"]) <= WORDS["materials"]
        and attributes["item_type_guess"] in WORDS["item_types"] | {None}
        and record["label_en"] is None
        and record["label_ko"] not in ("", record["item_name"])
    )


def label(args, folder, images, names):
    """Runs the binary over the icons; records in the order of the images, None where there is none."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "icons").mkdir(parents=True)
    lines = []
    for i, (image, name) in enumerate(zip(images, names, strict=True)):
        # A pixel that nobody sees makes every file another image: equal icons would be one record.
        pixels = (image * 255).round().byte().numpy().copy()
        pixels[0, 0] = np.where(pixels[0, 0, 3] == 0, [i % 256, i // 256, 0, 0], pixels[0, 0])
        Image.fromarray(pixels).save(folder / f"icons/{i}.png")
        lines.append({"image_path": f"icons/{i}.png", "item_name": name, "source_type": "cash"})
    (folder / "manifest.jsonl").write_text("".join(json.dumps(x, ensure_ascii=False) + "\n" for x in lines), encoding="utf-8")
    command = [args.binary, "--batch", "--input", folder / "manifest.jsonl", "--outdir", folder / "labels", "--model", args.model]
    command += ["--prompt", VOCABULARY.parent / "prompts/demo.toml", "--device", "cpu", "--quantize", args.quantize, "--offline"]
    began = time.time()
    status = subprocess.run([str(c) for c in command], stdout=subprocess.DEVNULL, stderr=(folder / "stderr.txt").open("w")).returncode
    records = {}
    if status in (0, 3):
        for line in (folder / "labels/labels.jsonl").read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            records[Path(record["image_path"]).name] = record
    else:
        raise SystemExit(f"{folder}: exit status {status}: {(folder / 'stderr.txt').read_text()[-2000:]}")
    return [records.get(f"{i}.png") for i in range(len(names))], time.time() - began


def score(records, names, types, described):
    n, found = len(names), [(r, *x) for r, *x in zip(records, names, types, described, strict=True) if r]
    hit = sum(len(set(c) & set(r["attributes"]["colors"])) for r, _, _, (c, _) in found)
    claimed = sum(len(r["attributes"]["colors"]) for r, *_ in found)
    shown = sum(len(c) for c, _ in described)
    share = lambda count: count / n  # noqa: E731
    return {
        "records valid": share(sum(valid(r) for r, *_ in found)),
        "name verbatim": share(sum(name in r["label_ko"] for r, name, *_ in found)),
        "type right": share(sum(r["attributes"]["item_type_guess"] == t for r, _, t, _ in found)),
        "colors F1": 2 * hit / max(1, claimed + shown),
        "flagged by the model": share(sum(bool(SAID & set(r["quality_flags"]["reasons"])) for r, *_ in found)),
        "uncertain": share(sum(r["quality_flags"]["is_uncertain"] for r, *_ in found)),
    }


def main(args):
    data = Pictures(args.work, seed=7)
    rows = data.held_out(args.vendor)[:: args.every]
    things = [data.thing[r] for r in rows]
    types = [data.things[t]["type"] for t in things]
    names = Names(args.work, random.Random(8))
    # The fitting names of training may repeat; a number makes each another item.
    own = [f"{names.fitting(t)} {i + 1}" for i, t in enumerate(things)]
    sizes = [(32, 32), (40, 40), (28, 34), (36, 26)]
    generator = torch.Generator().manual_seed(9)

    def icons(flaws):
        return [
            augment(data.images[[r]], sizes[i % len(sizes)], generator, [flaws[i % len(flaws)]], train=False)[0]
            for i, r in enumerate(rows)
        ]

    clear, flawed = icons([None]), icons(DEGRADED)
    told, seen = ([describe(image[None])[0] for image in images] for images in (clear, flawed))
    shift = len(rows) // 3
    turned = clear[shift:] + clear[:shift]
    print(f"{len(rows)} pictures of {args.vendor}\n")
    columns = None
    for title, chosen in (("own name", own), ("name never seen", unseen_names(len(rows)))):
        cases = [
            ("own picture", clear, types, told),
            ("another item's picture", turned, types, told),
            ("degraded picture", flawed, ["unknown"] * len(rows), seen),
        ]
        for case, images, expected, described in cases:
            records, seconds = label(args, args.work / "measure" / f"{title} {case}".replace(" ", "-").replace("'", ""), images, chosen)
            result = score(records, chosen, expected, described)
            if columns is None:
                columns = list(result)
                print("| name, picture |", " | ".join(columns), "| seconds |")
                print("|---" * (len(columns) + 2) + "|")
            print(f"| {title}, {case} |", " | ".join(f"{result[c]:.3f}" for c in columns), f"| {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("work", type=Path)
    arguments.add_argument("binary")
    arguments.add_argument("model", type=Path)
    arguments.add_argument("--vendor", default=TEST)
    arguments.add_argument("--every", type=int, default=1, help="every n-th picture only")
    arguments.add_argument("--quantize", default="none")
    main(arguments.parse_args())
