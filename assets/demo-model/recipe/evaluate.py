"""Measures a checkpoint of train_text.py in Python, greedy, without an output grammar. `--vendor` is the
validation vendor unless told otherwise; the numbers of the model card come from measure.py."""

import argparse
import json
import random
from pathlib import Path

import torch
from tokenizers import Tokenizer

import answers
from data import VALIDATION, Pictures
from images import DEGRADED, augment, describe, to_patches
from model import TinyQwen2VL, text_rope
from names import Names, unseen_names


@torch.no_grad()
def generate(model, prefix, start, image, grid, prompts, end, limit=120):
    """Greedy answers (lists of ids) for prompts of any length; rows of one length run together."""
    out = [[] for _ in prompts]
    cos, sin = text_rope(len(prefix), grid)
    embed = model.model.embed_tokens
    for length in {len(p) for p in prompts}:
        rows = [i for i, p in enumerate(prompts) if len(p) == length]
        n = len(rows)
        parts = [embed(prefix)[None].expand(n, -1, -1)]
        if image is not None:
            parts += [embed(start)[None].expand(n, -1, -1), image[rows]]
        x = torch.cat([*parts, embed(torch.tensor([prompts[i] for i in rows]))], 1)
        cache, position, done = [None] * len(model.model.layers), 0, [False] * n
        for _ in range(limit):
            t = x.shape[1]
            where = slice(position, position + t)
            mask = model.mask[where, : position + t]
            for j, layer in enumerate(model.model.layers):
                q, k, v = layer.qkv(x, cos[where], sin[where])
                if cache[j] is not None:
                    k, v = torch.cat([cache[j][0], k], 2), torch.cat([cache[j][1], v], 2)
                cache[j] = (k, v)
                x = layer.finish(x, layer.attention(q, k, v, mask))
            position += t
            token = model.logits(model.model.norm(x[:, -1])).argmax(-1)
            for row, i, k in zip(range(n), rows, token.tolist(), strict=True):
                done[row] = done[row] or k == end
                if not done[row]:
                    out[i].append(k)
            if all(done):
                break
            x = embed(token)[:, None]
    return out


def score(texts, names, types, described):
    """Shares of: valid JSON, name verbatim, right type, flagged; micro-F1 of the colors."""
    valid = name = kind = flagged = hit = claimed = shown = 0
    for text, n, t, (colors, _) in zip(texts, names, types, described, strict=True):
        shown += len(colors)
        try:
            record = json.loads(text)
            attributes = record["attributes"]
        except (ValueError, KeyError, TypeError):
            continue
        valid += 1
        name += n in record["label_ko"]
        kind += attributes["item_type_guess"] == t
        flagged += record["quality_flags"]["is_uncertain"]
        hit += len(set(colors) & set(attributes["colors"]))
        claimed += len(set(attributes["colors"]))
    n = len(texts)
    return f"valid {valid / n:.3f} name {name / n:.3f} type {kind / n:.3f} colors {2 * hit / max(1, claimed + shown):.3f} flagged {flagged / n:.3f}"


def main(args):
    torch.set_num_threads(2)
    data, tokenizer = Pictures(args.work, seed=3), Tokenizer.from_file(str(args.work / "tokenizer.json"))
    prefix, start = (torch.tensor(tokenizer.encode(t).ids) for t in (answers.PREFIX, answers.START))
    end = tokenizer.token_to_id("<|im_end|>")
    model = TinyQwen2VL().eval()
    model.load_state_dict(torch.load(args.work / "model.pt")["model"])
    names = Names(args.work, random.Random(4))
    rows = data.held_out(args.vendor)[:: args.every]
    things = [data.thing[r] for r in rows]
    types = [data.things[t]["type"] for t in things]

    def run(image, chosen):
        patches, grid = to_patches(image)
        with torch.no_grad():
            features = model.visual(patches, grid)
        prompts = [tokenizer.encode(answers.question(name=n, source="cash")).ids for n in chosen]
        return [tokenizer.decode(ids) for ids in generate(model, prefix, start, features, grid, prompts, end)]

    image = augment(data.images[rows], args.size, data.generator, train=False)
    described = describe(image)
    own, unseen = [names.fitting(t) for t in things], unseen_names(len(things))
    flawed = augment(data.images[rows], args.size, data.generator, [DEGRADED[i % 3] for i in range(len(rows))], train=False)
    turned = torch.roll(image, len(rows) // 3, 0)
    for label, chosen in (("own name", own), ("unseen name", unseen)):
        texts = run(image, chosen)
        print(f"{label:12} {score(texts, chosen, types, described)}", flush=True)
        for text in texts[: args.show]:
            print("  ", text)
        print(f"{label:12} another picture: {score(run(turned, chosen), chosen, types, described)}", flush=True)
        print(f"{label:12} degraded: {score(run(flawed, chosen), chosen, ['unknown'] * len(rows), describe(flawed))}", flush=True)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("work", type=Path)
    arguments.add_argument("--vendor", default=VALIDATION)
    arguments.add_argument("--size", type=int, nargs=2, default=(32, 32))
    arguments.add_argument("--show", type=int, default=0)
    arguments.add_argument("--every", type=int, default=1, help="every n-th picture only")
    main(arguments.parse_args())
