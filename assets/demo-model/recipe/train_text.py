"""Second stage: the whole model on records, from the tower of the first stage.

It begins with the first line of answers only (copying a name is learned best alone) and goes on with whole
records; a few batches have no picture. Progress follows the number of steps, or the limit of processor time if
the machine is too slow for them, so that the learning rate always ends low.
"""

import argparse
import os
import time
from pathlib import Path

import torch
import torch.distributed as dist
import torch.nn.functional as F
from tokenizers import Tokenizer

import answers
from data import Pictures
from images import describe, to_patches
from model import Muon, TinyQwen2VL
from names import PARTS, Names
from workers import average_gradients, launch

BATCH = 12  # of each worker
WARM_UP, POOL = 0.06, 6
SHORT = 0.3  # of the batches ask for the first line only: half the work, and all that the picture decides


class Examples:
    def __init__(self, work, seed):
        self.data, self.tokenizer = Pictures(work, seed), Tokenizer.from_file(str(work / "tokenizer.json"))
        self.names, self.random = Names(work, self.data.random), self.data.random
        self.end = self.tokenizer.token_to_id("<|im_end|>")

    def fields(self, name):
        fields = {"name": name}
        if self.random.random() < 0.25:
            fields["description"] = self.names.description()
        if self.random.random() < 0.6:
            fields["part"] = self.random.choice(PARTS)
        if self.random.random() < 0.9:
            fields["source"] = self.random.choice(["equipment_shape", "cash"])
        return fields

    def rows(self, things, degraded, described, short):
        """(question, answer, weights) as token ids for each picture."""
        questions, texts, spans = [], [], []
        for thing, flaw, (colors, vibe) in zip(things, degraded, described, strict=True):
            name = self.names.name(thing) if short or self.random.random() < 0.97 else None
            if flaw:
                text = answers.degraded(flaw, name, colors, vibe)
            else:
                text = answers.clear(thing, name, colors, vibe)
            fields = self.fields(name)
            questions.append(answers.question(**(fields if name else {})))
            texts.append(text.split('","label_en"')[0] if short else text)
            spans.append(0 if not name else text.index(", ") + 2)
        return self.encode(questions, texts, spans, short)

    def blind_rows(self, count):
        questions, texts = [], []
        for _ in range(count):
            thing = self.random.randrange(len(self.data.things))
            fits = self.random.random() < 0.5
            name = self.names.fitting(thing) if fits else self.names.other()
            said = next((i for i, t in enumerate(self.data.things) if name.endswith(t["noun"])), None) if not fits else thing
            questions.append(answers.question(image=False, **self.fields(name)))
            texts.append(answers.unseen(said, name))
        return self.encode(questions, texts, [0] * count, False)

    def encode(self, questions, texts, spans, short):
        out = []
        for question, answer, text, span in zip(
            self.tokenizer.encode_batch(questions), self.tokenizer.encode_batch(texts), texts, spans, strict=True
        ):
            # What the picture decides counts three times: colors, type and material ahead of the name, the
            # tags, and the type's word.
            tags, kind = text.find('"tags_ko"'), text.find('"item_type_guess":"') + 19
            tags_end, kind_end = text.find('"attributes"'), text.find('"query_variants_ko"')
            weights = [
                3.0 if (13 <= a < span) or (not short and (tags + 10 < b < tags_end or kind <= a < kind_end - 3)) else 1.0
                for a, b in answer.offsets
            ]
            end = [] if short else [self.end]
            out.append((question.ids, answer.ids + end, weights + [1.0] * len(end)))
        return out

    def batches(self, progress):
        """A few batches of rows of like length that share a picture size: (patches, grid, rows, short)."""
        rng = self.random
        if progress > WARM_UP and rng.random() < 0.06:
            rows = sorted(self.blind_rows(BATCH * POOL), key=lambda r: len(r[0]) + len(r[1]))
            return [(None, None, rows[i : i + BATCH], False) for i in range(0, len(rows), BATCH)]
        short = progress < WARM_UP or rng.random() < SHORT
        size = BATCH * 2 if short else BATCH
        image, things, degraded = self.data.batch(size * POOL, 0.16)
        patches, grid = to_patches(image, rng.choice([2, 2, 2, 1, 4]), rng.choice([1.0, 1.0, 1.0, 1.0, 0.0]))
        rows = self.rows(things, degraded, describe(image), short)
        order = sorted(range(len(rows)), key=lambda i: len(rows[i][0]) + len(rows[i][1]))
        parts = [order[i : i + size] for i in range(0, len(order), size)]
        rng.shuffle(parts)
        return [(patches[part], grid, [rows[i] for i in part], short) for part in parts]


def loss_of(model, prefix, start, patches, grid, rows, look):
    length = -(-max(len(q) + len(a) for q, a, _ in rows) // 8) * 8
    ids, target = torch.zeros(len(rows), length, dtype=torch.long), torch.full((len(rows), length), -100)
    weight = torch.zeros(len(rows), length)
    for i, (question, answer, weights) in enumerate(rows):
        q, a = len(question), len(answer)
        ids[i, : q + a] = torch.tensor(question + answer)
        target[i, q - 1 : q + a - 1] = torch.tensor(answer)
        weight[i, q - 1 : q + a - 1] = torch.tensor(weights)
    with torch.autocast("cpu", torch.bfloat16):
        image = None
        if patches is not None:
            with torch.set_grad_enabled(look):
                image = model.visual(patches, grid)
        hidden = model(prefix, start, image, grid, ids)
        asked = (target >= 0).nonzero(as_tuple=True)
        logits = model.logits(hidden[asked]).float()
        return (F.cross_entropy(logits, target[asked], reduction="none") * weight[asked]).sum() / weight[asked].sum()


def main(rank, args):
    torch.manual_seed(0)
    model = TinyQwen2VL()
    model.visual.load_state_dict(torch.load(args.work / "vision.pt")["tower"])
    examples = Examples(args.work, seed=11 + rank)
    prefix = torch.tensor(examples.tokenizer.encode(answers.PREFIX).ids)
    start = torch.tensor([examples.tokenizer.token_to_id(answers.START)])

    parameters = list(model.parameters())
    text_matrices = [p for n, p in model.named_parameters() if n.startswith("model.layers") and p.dim() >= 2]
    text_rest = [p for n, p in model.named_parameters() if n.startswith("model") and p.dim() < 2]
    muon = Muon(text_matrices, lr=0.02)
    adam = torch.optim.AdamW(
        [
            {"params": text_rest, "lr": 2e-3},
            {"params": list(model.visual.parameters()), "lr": 4e-4},
            {"params": [model.model.embed_tokens.weight], "lr": 3e-3},
        ],
        betas=(0.9, 0.97),
        weight_decay=0.0,
    )
    groups = muon.param_groups + adam.param_groups
    base = [g["lr"] for g in groups]

    begun, saved, progress, step, queue, smooth = time.process_time(), time.time(), 0.0, 0, [], {}
    while progress < 1:
        rate = min(1, (step + 1) / 60) * min(1, (1 - progress) / 0.7 + 0.01)
        for group, lr in zip(groups, base, strict=True):
            group["lr"] = lr * rate
        queue = queue or examples.batches(progress)
        patches, grid, rows, short = queue.pop()
        # The tower is good already: it learns on once the text model can tell it what is wrong.
        loss = loss_of(model, prefix, start, patches, grid, rows, look=progress > 0.4 and not short)
        loss.backward()
        average_gradients(parameters)
        muon.step(), adam.step(), muon.zero_grad(), adam.zero_grad()
        step += 1

        spent = time.process_time() - begun
        left = min(args.steps - step, (args.seconds - spent) * step / spent)
        shared = torch.tensor(1.0 if left < 1 else progress + (1 - progress) / (left + 1))
        dist.broadcast(shared, 0)
        progress = shared.item()
        kind = "blind" if patches is None else "short" if short else "full"
        smooth[kind] = 0.95 * smooth.get(kind, loss.item()) + 0.05 * loss.item()
        if rank == 0 and (time.time() - saved > 60 or progress >= 1):
            saved = time.time()
            losses = " ".join(f"{k} {v:.4f}" for k, v in sorted(smooth.items()))
            print(f"{spent:.0f}s step {step} progress {progress:.3f} loss {losses} {spent / step:.3f}s a step", flush=True)
            torch.save({"model": model.state_dict(), "step": step}, args.work / "model.tmp")
            os.replace(args.work / "model.tmp", args.work / "model.pt")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("work", type=Path)
    arguments.add_argument("--steps", type=int, default=4500)
    arguments.add_argument("--seconds", type=float, default=1800, help="of processor time, in each worker")
    launch(main, arguments.parse_args())
