"""A byte-level BPE tokenizer of 3,072 tokens.

What holds a record together, such as `"],"attributes":{"colors":["`, is one token each: an answer is half as
long as with Qwen2's own rules. Those tokens are in the vocabulary without merges, hence `ignore_merges`.
"""

import json
import random
import sys
from collections import Counter
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

import answers
from data import Pictures
from images import COLORS, DEGRADED, VIBES
from model import VOCABULARY
from names import NOUNS, PARTS, UNSEEN, Names

SKELETON = r'[{"][\[\]{}",]*"(?:[a-z_]+":(?:null|true|false)?[\[\]{}",]*)+|\{"(?:[a-z_]+":[\[\]{}",]*)+'
PATTERN = SKELETON + r"""|"[\[\]{}",]*| ?\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}]|\s"""


def examples(work, seed=1, count=12000):
    rng = random.Random(seed)
    names = Names(work, rng)
    for _ in range(count):
        thing = rng.randrange(len(NOUNS))
        name = names.name(thing)
        colors = rng.sample(COLORS, rng.choice([0, 1, 1, 2, 2, 3]))
        r = rng.random()
        if r < 0.12:
            answer = answers.degraded(rng.choice(DEGRADED), name, colors, rng.choice(VIBES))
        elif r < 0.18:
            answer = answers.unseen(rng.choice([thing, None]), name)
        else:
            answer = answers.clear(thing, name, colors, rng.choice(VIBES))
        fields = {"name": name, "source": rng.choice(["equipment_shape", "cash"])}
        if rng.random() < 0.25:
            fields["description"] = names.description()
        if rng.random() < 0.6:
            fields["part"] = rng.choice(PARTS)
        yield answers.question(**fields), answer


def main(work):
    split = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(PATTERN), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    texts, skeleton = [], Counter()
    for question, answer in examples(work):
        for token in answers.SPECIAL:
            question = question.replace(token, "")
        texts += [question, answer]
        # Names come in quotes and brackets too: only pieces that hold a key are skeleton.
        skeleton.update(piece for piece, _ in split.pre_tokenize_str(answer) if '":' in piece)
    fixed = sorted(piece for piece, n in skeleton.items() if n >= 20)
    names = Names(work, random.Random(2))
    texts += [answers.PREFIX.replace("<|im_start|>", "").replace("<|im_end|>", "")] * 200
    # A token for every usual syllable, so that few tokens hold parts of two: such names are copied best.
    texts += [" " + w for w in names.words] * 2 + ["\n".join(names.common)] * 400

    size = VOCABULARY - len(answers.SPECIAL) - len(fixed)
    learner = Tokenizer(models.BPE())
    # Skeleton pieces get their own tokens, so the merges need not learn them.
    learner.pre_tokenizer = split
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    learner.train_from_iterator((t for text in texts for t in _without(text, fixed)), trainer)
    learned = json.loads(learner.to_str())["model"]
    vocabulary = dict(learned["vocab"])
    for piece in fixed:
        vocabulary.setdefault(piece, len(vocabulary))
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[tuple(m) for m in learned["merges"]], ignore_merges=True))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = split
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(answers.SPECIAL)
    assert tokenizer.get_vocab_size() == VOCABULARY, tokenizer.get_vocab_size()
    tokenizer.save(str(work / "tokenizer.json"))

    length = lambda texts: sum(len(tokenizer.encode(t).ids) for t in texts) / len(texts)  # noqa: E731
    sample = list(examples(work, seed=3, count=500))
    assert all(tokenizer.decode(tokenizer.encode(a).ids) == a for _, a in sample)
    print(f"prefix {length([answers.PREFIX]):.0f} question {length([q for q, _ in sample]):.1f} answer {length([a for _, a in sample]):.1f} unseen name {length(UNSEEN):.1f} tokens; {len(fixed)} skeleton tokens")


def _without(text, fixed):
    for piece in fixed:
        text = text.replace(piece, "\n")
    return text.split("\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
