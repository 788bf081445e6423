"""The chat and the answer that the model is trained to write: the model's part of a record, compact."""

import json
import tomllib
from pathlib import Path

from images import VOCABULARY
from pictures import things

PROMPT = Path(__file__).with_name("prompt.toml")
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
REASON = {"tiny": "too_small", "blank": "low_visual_signal", "blur": "ambiguous_icon"}
MADE_OF = {
    "fabric": "천으로 된", "straw": "밀짚으로 된", "metal": "금속으로 된", "plastic": "플라스틱으로 된", "leather": "가죽으로 된",
    "glass": "유리로 된", "gem": "보석으로 된", "wood": "나무로 된", "rubber": "고무로 된", "paper": "종이로 된", "wax": "밀랍으로 된",
    "ceramic": "도자기로 된", "food": "먹음직스러운", "plant": "싱그러운",
}
FLAWED = {"tiny": "너무 작게 보이는", "blank": "거의 비어 있는", "blur": "형태가 흐릿한"}

_vocabulary = tomllib.loads(VOCABULARY.read_text(encoding="utf-8"))


def korean(category):
    return {entry["word"]: entry["ko"][0] for entry in _vocabulary[category]}


COLOR, MATERIAL, THEME, VIBE = korean("colors"), korean("materials"), korean("themes"), korean("vibes")
KNOWN_TYPES = set(korean("item_types"))
_prompt = tomllib.loads(PROMPT.read_text(encoding="utf-8"))
PREFIX = f"<|im_start|>system\n{_prompt['system']}<|im_end|>\n<|im_start|>user\n"
START = "<|vision_start|>"


def question(image=True, **values):
    """What follows the picture; lines whose placeholder has no value are dropped."""
    lines = []
    for line in _prompt["user"].split("\n"):
        keys = [k for k in ("name", "description", "part", "source") if "{" + k + "}" in line]
        if all(values.get(k) for k in keys):
            for k in keys:
                line = line.replace("{" + k + "}", values[k])
            lines.append(line)
    text = "\n".join(lines)
    return ("<|vision_end|>" if image else "") + f"{text}<|im_end|>\n<|im_start|>assistant\n"


def _dump(label, tags, colors, theme, material, vibe, kind, queries, reasons):
    unique = lambda words: list(dict.fromkeys(words))  # noqa: E731
    return json.dumps(
        {
            "label_ko": label,
            "label_en": None,
            "tags_ko": unique(tags),
            "attributes": {"colors": colors, "theme": theme, "material": material, "vibe": vibe, "item_type_guess": kind},
            "query_variants_ko": unique(queries),
            "quality_flags": {"is_uncertain": bool(reasons), "reasons": reasons},
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )


def _colored(colors):
    return "과 ".join(COLOR[c] for c in colors[:2]) + "의 " if colors else ""


def clear(thing, name, colors, vibe):
    t = THINGS[thing]
    made = MADE_OF[t["material"]]
    label = f"{_colored(colors)}{t['type_ko']}, {made} " + (name or t["noun"])
    tags = [t["noun"], t["type_ko"], *(COLOR[c] for c in colors[:2]), MATERIAL[t["material"]], THEME[t["theme"]], VIBE[vibe]]
    if len(set(tags)) < 5:
        tags.append("아이템")
    first = COLOR[colors[0]] if colors else VIBE[vibe]
    queries = [f"{first} {t['noun']}", f"{THEME[t['theme']]} {t['type_ko']}", f"{VIBE[vibe]} {t['type_ko']} 아이템"]
    return _dump(label, tags, colors, [t["theme"]], [t["material"]], [vibe], t["type"], queries, [])


def degraded(kind, name, colors, vibe):
    label = f"{_colored(colors)}아이콘, {FLAWED[kind]} " + (name or "아이템")
    tags = ["아이콘", "아이템", "불분명", "확인 필요", *(COLOR[c] for c in colors[:2]), VIBE[vibe]]
    queries = ["불분명한 아이콘", "확인이 필요한 아이템", f"{COLOR[colors[0]]} 아이콘" if colors else "빈 아이콘"]
    return _dump(label, tags, colors, [], [], [vibe], "unknown", queries, [REASON[kind]])


def unseen(thing, name):
    """Without a picture: what the name says (`thing`, or None), no colors, flagged."""
    if thing is None:
        tags = ["아이템", "이름만 있음", "그림 없음", "불분명", "확인 필요"]
        queries = ["그림 없는 아이템", "이름만 아는 아이템", "확인이 필요한 아이템"]
        return _dump(f"그림 없이 이름만 아는 아이템, {name}", tags, [], [], [], [], "unknown", queries, ["ambiguous_icon"])
    t = THINGS[thing]
    tags = [t["noun"], t["type_ko"], MATERIAL[t["material"]], THEME[t["theme"]], "그림 없음", "확인 필요"]
    queries = [t["noun"], f"{THEME[t['theme']]} {t['type_ko']}", f"{t['noun']} 아이템"]
    label = f"그림 없이 이름으로 짐작한 {t['type_ko']}, {name}"
    return _dump(label, tags, [], [t["theme"]], [t["material"]], [], t["type"], queries, ["ambiguous_icon"])


THINGS = things()
