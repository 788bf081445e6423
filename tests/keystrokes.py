#!/usr/bin/env python3
"""Counts the keys that an operator presses, by driving the real program in tmux.

    tests/keystrokes.py table PROGRAM                       what one job takes, on the sample items
    tests/keystrokes.py replay PROGRAM SOURCE LABELS        an evening over the records of LABELS
                        [--whole-set] [--most N]

SOURCE is a database (.sqlite) or a manifest, LABELS the labels.jsonl of an earlier run over it.
Needs tmux and nothing else. It is run by hand; nothing is changed but in a temporary folder.

Seconds are by the keystroke-level model (Card, Moran and Newell): a key takes K = 0.28 s (an average
non-secretary typist), and each record M = 1.35 s to look and decide. 41 keys are 12.8 s, 10 are 4.2 s.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter

K, M = 0.28, 1.35


class Program:
    """The workstation in a terminal of its own."""

    def __init__(self, program, folder, arguments, size=(120, 50)):
        self.socket = os.path.join(folder, "tmux")
        self.keys = Counter()
        command = [program, *arguments, "--pictures", "none"]
        self.tmux("-f", "/dev/null", "new-session", "-d", "-s", "w", "-x", str(size[0]),
                  "-y", str(size[1]), *command)

    def tmux(self, *arguments):
        ran = subprocess.run(["tmux", "-S", self.socket, *arguments], capture_output=True, text=True)
        if ran.returncode:
            sys.exit(f"tmux {arguments[0]}: {ran.stderr.strip()}")
        return ran.stdout

    def screen(self):
        return self.tmux("capture-pane", "-p", "-t", "w")

    def wait(self, holds, what, seconds=20):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            screen = self.screen()
            found = holds(screen)
            if found:
                return screen
            time.sleep(0.02)
        sys.exit(f"no {what} on\n{screen}")

    def still(self):
        """The screen once it stands still."""
        before = self.screen()
        while True:
            time.sleep(0.06)
            now = self.screen()
            if now == before:
                return now
            before = now

    def press(self, *keys):
        for key in keys:
            self.tmux("send-keys", "-t", "w", key)
            self.keys["keys"] += 1
            self.still()

    def type(self, text):
        self.tmux("send-keys", "-t", "w", "-l", text)
        self.keys["text"] += 1
        self.still()

    def show(self, filter):
        self.press("\\", "/")
        self.type(filter)
        self.press("Enter")

    def count(self, job):
        """The keys of a job, and how many texts were typed in it."""
        self.keys.clear()
        job(self)
        return self.keys["keys"], self.keys["text"]

    def end(self):
        subprocess.run(["tmux", "-S", self.socket, "kill-server"], capture_output=True)


def run(program, *arguments):
    ran = subprocess.run([program, *arguments], capture_output=True, text=True)
    if ran.returncode not in (0, 3):
        sys.exit(f"{' '.join(arguments)}: {ran.stderr}")
    return ran.stdout


def listed(program, outdir):
    lines = run(program, "list", "--outdir", outdir, "--filter", "", "--json").splitlines()
    return {one["image_path"]: one for one in map(json.loads, lines)}


WRONG = {"blue": "파란색", "green": "초록색", "red": "빨간색", "purple": "보라색"}


def samples(program, folder):
    """An outdir over the sample items whose records have one quality issue each, and those records."""
    made = os.path.join(folder, "made")
    run(program, "--demo", "--batch", "--outdir", made)
    records = [json.loads(line) for line in open(os.path.join(made, "labels.jsonl"), encoding="utf-8")]
    faulty, found = [], {}
    clean = [record for record in records if not record["quality_flags"]["reasons"]]
    spare = iter(clean)

    def spoil(what, change, fits=lambda record: True):
        record = next(record for record in spare if fits(record))
        change(record)
        found[what] = record

    def false_color(record):
        wrong = next(word for word in WRONG if word not in record["attributes"]["colors"])
        record["label_ko"] = f"{WRONG[wrong]} 장식이 달린 {record['item_name']}"

    def no_type(record):
        record["attributes"]["item_type_guess"] = None

    spoil("color", false_color)
    spoil("type", no_type)
    spoil("tags", lambda record: record.update(tags_ko=record["tags_ko"][:3]))
    spoil("name", lambda record: record.update(
        label_ko=record["label_ko"].replace(record["item_name"], "").strip() or "반짝이는 물건"),
        lambda record: len(record["label_ko"]) > len(record["item_name"]) + 4)
    for what in ("third tag", "hint", "earlier reject", "reject"):
        spoil(what, lambda record: record.update(tags_ko=[*record["tags_ko"], "잘못"]))
    outdir = os.path.join(folder, "out")
    os.mkdir(outdir)
    with open(os.path.join(outdir, "labels.jsonl"), "w", encoding="utf-8") as out:
        for record in records:
            out.write(json.dumps(record, ensure_ascii=False) + "\n")
    return outdir, found, records


def table(program):
    folder = tempfile.mkdtemp(prefix="keystrokes-")
    outdir, found, records = samples(program, folder)
    work = Program(program, folder, ["--demo", "--outdir", outdir])
    work.wait(lambda screen: "Queue" in screen and "uncertain" in screen, "queue")
    time.sleep(1)
    now = lambda what: listed(program, outdir)[found[what]["image_path"]]
    rows = []

    def line(job, goal, what, act, done):
        if what:
            work.show(f'name:"{found[what]["item_name"]}"')
        before = now(what) if what else None
        keys, texts = work.count(act)
        end = time.monotonic() + 10
        while not done(before) and time.monotonic() < end:
            time.sleep(0.1)
        rows.append((job, goal, keys, texts, done(before)))
        if not done(before):
            print(f"{job}: not done\n{work.screen()}", file=sys.stderr)

    reasons = lambda what: {reason["code"] for reason in now(what)["reasons"]}
    tags = lambda what: now(what)["record"]["tags_ko"]
    line("wrong color replaced", "2", "color", lambda w: w.press("1"),
         lambda before: "color_mismatch" not in reasons("color"))
    line("item type", "2", "type", lambda w: w.press("1"),
         lambda before: now("type")["record"]["attributes"]["item_type_guess"])
    line("two tags", "3", "tags", lambda w: w.press("1"), lambda before: len(tags("tags")) >= 5)
    line("third tag removed", "3", "third tag", lambda w: w.press("d", "3"),
         lambda before: tags("third tag") == [tag for at, tag in enumerate(before["record"]["tags_ko"]) if at != 2])
    line("name into the label", "2", "name", lambda w: w.press("1"),
         lambda before: found["name"]["item_name"] in now("name")["record"]["label_ko"])

    def hint(w):
        w.press("R")
        w.type("a lantern")
        w.press("Enter")

    def hinted(before):
        said = work.screen()
        return "asked" in said or "answer" in said or "asking" in said

    line("retry with a hint", "2 + text", "hint", hint, hinted)
    work.show(f'name:"{found["earlier reject"]["item_name"]}"')
    work.press("x")
    work.type("흐림")
    work.press("Enter")
    line("reject with an earlier reason", "2", "reject", lambda w: w.press("x", "Enter"),
         lambda before: now("reject")["state"] == "rejected")
    line("undo", "1", None, lambda w: w.press("u"), lambda before: now("reject")["state"] != "rejected")
    work.show("")
    work.press("F3")

    def color_everywhere(w):
        w.press("A", "s", "c", "r", "Enter", "p", "u", "Enter")

    shown = Counter()
    for one in listed(program, outdir).values():
        if one["record"]:
            shown.update(set(one["record"]["attributes"]["colors"]) - {"purple"})
    color = next(color for color, times in shown.most_common() if times <= 16)
    work.show(f"color:{color}")

    line(f"one color on {shown[color]} icons", "8", None, color_everywhere,
         lambda before: sum(color in one["record"]["attributes"]["colors"]
                            for one in listed(program, outdir).values() if one["record"]) == 0)
    work.press("Escape", "F5")

    def rename(w):
        w.press("r")
        w.type("새로운말")
        w.press("Enter")

    line("a tag renamed everywhere", "2 + text", None, rename,
         lambda before: any("새로운말" in one["record"]["tags_ko"]
                            for one in listed(program, outdir).values() if one["record"]))
    work.press("F2")
    line("all certain committed", "2", None, lambda w: w.press("M-c", "y"),
         lambda before: not any(one["state"] == "draft" for one in listed(program, outdir).values()))
    work.end()
    shutil.rmtree(folder, ignore_errors=True)
    print(f"{'job':34} {'goal':>9} {'keys':>5} {'texts':>6}")
    for job, goal, keys, texts, is_done in rows:
        print(f"{job:34} {goal:>9} {keys:5} {texts:6}  {'' if is_done else 'NOT DONE'}")
    return all(row[4] for row in rows)


POSITION = re.compile(r"Queue\s+([\d ]+)/([\d ]+)")
REASON = re.compile(r"\? ([a-z]+(?:_[a-z]+)*):")
FIX = re.compile(r"│\s+1 \S")
PREVIEW = re.compile(r"│y: .*│", re.S)
# The reasons whose fixes follow from what is known and need nobody's eye, in this order.
WHOLE_SET = ["mixed_script", "item_name_missing", "attributes_missing", "few_tags", "repetition", "few_queries"]


def offers_fix(work, patience=0.5):
    """Whether the record in hand offers a fix; those of a new text come a moment later."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if FIX.search(work.screen()):
            return True
        time.sleep(0.03)
    return False


def replay(program, source, labels, whole_set, most):
    """Takes the records in the order of the queue; a digit for every reason that offers a fix, until
    none does, then Enter. What is left without a fix is counted by reason."""
    folder = tempfile.mkdtemp(prefix="keystrokes-")
    outdir = os.path.join(folder, "out")
    os.mkdir(outdir)
    with open(labels, encoding="utf-8") as lines, open(os.path.join(outdir, "labels.jsonl"), "w", encoding="utf-8") as out:
        shutil.copyfileobj(lines, out)
    source = ["--db" if source.endswith((".sqlite", ".db")) else "--input", source]
    # Measures the pictures, so that the queue stands from the start.
    run(program, "--batch", "--resume", "--model", "demo", "--outdir", outdir, *source)
    work = Program(program, folder, [*source, "--outdir", outdir, "--no-model"], size=(160, 70))
    work.wait(lambda screen: POSITION.search(screen) and "uncertain" in screen, "queue", 60)
    time.sleep(2)
    work.show("state:uncertain,edited")
    bulk = 0
    if whole_set:
        for reason in WHOLE_SET:
            # Three keys show the records with the reason, a look at the preview, and it is done.
            work.show(f"state:uncertain,edited reason:{reason}")
            for _ in range(3):
                screen = work.still()
                if not FIX.search(screen):
                    break
                keys, _ = work.count(lambda w: w.press("g", "1"))
                if "Fix all alike" not in work.screen():
                    work.press("Escape")
                    break
                work.wait(lambda screen: PREVIEW.search(screen) or "Not now" in screen, "preview", 60)
                work.press("y")
                bulk += keys + 1 + 2
                work.wait(lambda screen: "Fix all alike" not in screen, "end of the preview", 60)
                time.sleep(0.5)
                break
        work.show("state:uncertain,edited")
    each, left, fixes = [], Counter(), Counter()
    while not most or len(each) < most:
        screen = work.still()
        found = POSITION.search(screen)
        if not found or "Record" not in screen or int(found[2].replace(" ", "")) == 0:
            break
        total = int(found[2].replace(" ", ""))
        keys = 0
        while keys < 20 and offers_fix(work):
            before = work.screen()
            keys += work.count(lambda w: w.press("1"))[0]
            work.wait(lambda now: now != before, "effect of a fix")
        screen = work.screen()
        left.update(set(REASON.findall(screen)))
        fixes[keys] += 1
        keys += work.count(lambda w: w.press("Enter"))[0]

        def is_next(now):
            here = POSITION.search(now)
            return here is None or int(here[2].replace(" ", "")) < total

        work.wait(is_next, "next record")
        each.append(keys)
    work.end()
    shutil.rmtree(folder, ignore_errors=True)
    seconds = [M + K * keys for keys in each]
    if not each:
        sys.exit("no record was in the queue")
    spread = (bulk * K + len(WHOLE_SET) * M if whole_set else 0) / len(each)
    print(f"records {len(each)}")
    print(f"keys a record: median {statistics.median(each)}, mean {statistics.mean(each):.1f}, most {max(each)}")
    print(f"seconds a record: median {statistics.median(seconds):.2f}, mean {statistics.mean(seconds):.2f}")
    if whole_set:
        print(f"whole-set fixes before: {bulk} keys, {spread:.3f} s a record")
    print("records by number of fixes:", dict(sorted(fixes.items())))
    print("reasons left without a fix:", dict(left.most_common()))
    return statistics.median(each) <= 8 and statistics.median(seconds) + spread <= 4


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    jobs = parser.add_subparsers(dest="job", required=True)
    one = jobs.add_parser("table")
    one.add_argument("program")
    two = jobs.add_parser("replay")
    two.add_argument("program")
    two.add_argument("source")
    two.add_argument("labels")
    two.add_argument("--whole-set", action="store_true", help="first take each fix of form for all records")
    two.add_argument("--most", type=int, default=0, help="stop after so many records")
    options = parser.parse_args()
    program = os.path.abspath(options.program)
    if options.job == "table":
        good = table(program)
    else:
        good = replay(program, os.path.abspath(options.source), options.labels, options.whole_set, options.most)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
