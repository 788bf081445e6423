"""Makes assets/sample: icons, db.sqlite in the collector's schema, manifest.jsonl. Usage: sample.py WORK OUT"""

import csv
import hashlib
import io
import json
import random
import sqlite3
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from pictures import things

HERE = Path(__file__).parent
RUNS = [("2026-01-11-demo", "2026-01-11"), ("2026-01-12-demo", "2026-01-12")]
URL = "https://icons.example/demo/{}.png"
# Another row of an icon that is already there: the same icon under a second name.
SECOND_NAMES = {
    "동네 야구단 모자": "동네 야구단 모자 (복각)",
    "질풍 러너": "질풍 러너 한정판",
    "벌목꾼 도끼": "통나무집 주인의 도끼",
    "얼음 여왕의 눈물": "눈꽃 결정",
    "딸기 한 알": "아기 딸기 귀고리",
    "성문지기 방패": "성문지기 방패 +5",
}
FLAWED = [("투명 망토", "망토", "blank"), ("빛바랜 초상", "얼굴장식", "blur"), ("먼지 요정", "펜던트", "tiny")]
MISSING = ("도난당한 반지", "반지", "반지2")


def picture(images, index, rng):
    """An icon as a game draws it: square as it was drawn, or cut close to its outline."""
    image = Image.fromarray(images[index])
    side = rng.choice([24, 28, 32, 32, 32, 36, 40, 44, 48])
    if rng.random() < 0.4:
        image = image.crop(image.getchannel("A").point(lambda a: 255 * (a > 40)).getbbox())
    scale = side / max(image.size)
    size = tuple(max(1, round(s * scale)) for s in image.size)
    # Colors under transparent pixels are black in the artwork: resize them weighted by their alpha.
    image = image.convert("RGBa").resize(size, Image.Resampling.LANCZOS).convert("RGBA")
    canvas = Image.new("RGBA", tuple(max(24, s) for s in size))
    canvas.paste(image, tuple((c - s) // 2 for c, s in zip(canvas.size, size, strict=True)))
    return canvas


def flawed(image, kind):
    empty = Image.new("RGBA", (32, 32))
    if kind == "blank":
        return empty
    if kind == "tiny":
        empty.paste(image.resize((5, 5), Image.Resampling.LANCZOS), (13, 14))
        return empty
    small = image.convert("RGBa").resize((3, 3), Image.Resampling.BOX)
    return small.resize((32, 32), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(2)).convert("RGBA")


def main(work, out):
    rng = random.Random(20260111)
    data = np.load(work / "pictures.npz")
    where = {(t, v): i for i, (t, v) in enumerate(zip(data["thing"].tolist(), data["vendor"].tolist(), strict=True))}
    thing = {t["codepoint"]: i for i, t in enumerate(things())}
    out.mkdir(parents=True, exist_ok=True)
    for old in [*out.glob("icons/*/*.png"), *out.glob("db.sqlite*")]:
        old.unlink()
    db = sqlite3.connect(out / "db.sqlite")
    db.executescript((HERE / "schema.sql").read_text())
    for run, day in RUNS:
        db.execute("INSERT INTO runs VALUES(?,?,?,?)", (run, day, f"{day}T00:10:00+00:00", "{}"))
    manifest, owners = [], {}

    def asset(image, source):
        buffer = io.BytesIO()
        image.save(buffer, "PNG", optimize=True)
        sha = hashlib.sha256(buffer.getvalue()).hexdigest()
        path = f"icons/{source}/{sha}.png"
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (out / path).write_bytes(buffer.getvalue())
        url = URL.format(sha[:12].upper())
        db.execute("INSERT OR IGNORE INTO icon_assets VALUES(?,?,?,?,?,?,NULL)", (url, sha, path, "image/png", len(buffer.getvalue()), "2026-01-11T01:00:00+00:00"))
        return url, path, sha

    def row(run, source, part, slot, name, description, url):
        # A character wears one item in a slot, so the next item of a slot belongs to the next character.
        owner = owners[(run, source, slot)] = owners.get((run, source, slot), -1) + 1
        ocid = f"demo{owner:03}"
        if source == "cash":
            db.execute("INSERT INTO cash_items VALUES(?,?,0,?,?,?,?,?,NULL,NULL,NULL,NULL)", (run, ocid, part, slot, name, url, description))
        else:
            db.execute("INSERT INTO equipment_shape_items VALUES(?,?,?,?,?,?,?,?,?,NULL)", (run, ocid, part, slot, name, url, description, name, url))
        return ocid

    def both(source, part, slot, name, description, image):
        url, path, sha = asset(image, source)
        ocid = row(RUNS[0][0], source, part, slot, name, description, url)
        line = {"image_path": path, "image_sha256": sha, "item_name": name, "source_type": source, "item_part": part if part == slot else f"{part}/{slot}"}
        manifest.append({**line, "item_description": description, "image_url": url, "ocid": ocid})
        if name in SECOND_NAMES:
            row(RUNS[0][0], source, part, slot, SECOND_NAMES[name], None, url)
            manifest.append({**line, "item_name": SECOND_NAMES[name]})
        if rng.random() < 0.4:
            row(RUNS[1][0], source, part, slot, name, description, url)

    with open(HERE / "sample.tsv", encoding="utf-8") as file:
        for line in csv.DictReader(file, delimiter="\t"):
            image = picture(data["images"], where[(thing[line["codepoint"]], line["vendor"])], rng)
            both(line["source"], line["part"], line["slot"], line["name"], line["description"] or None, image)
    source_image = Image.fromarray(data["images"][where[(thing["1f9e3"], "noto")]])
    for name, part, kind in FLAWED:
        both("cash", part, part, name, None, flawed(source_image, kind))
    gone = URL.format("MISSING")
    db.execute("INSERT INTO icon_assets VALUES(?,NULL,NULL,NULL,NULL,?,?)", (gone, "2026-01-11T01:00:00+00:00", "HTTP 404"))
    row(RUNS[0][0], "equipment_shape", *MISSING[1:], MISSING[0], None, gone)
    db.commit()
    db.execute("VACUUM")
    db.close()
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in manifest)
    (out / "manifest.jsonl").write_text(text, encoding="utf-8")
    files = [f for f in out.rglob("*") if f.is_file()]
    print(len(list(out.glob("icons/*/*.png"))), "icons,", sum(f.stat().st_size for f in files), "bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
