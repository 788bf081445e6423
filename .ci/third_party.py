#!/usr/bin/env python3
"""Writes assets/THIRD-PARTY.txt: every crate that the program is built from, its license and the
texts that go with it. To be run after a change of Cargo.lock; .ci/run compares the list of crates.
"""

import collections
import json
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
PLATFORMS = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", "aarch64-apple-darwin"]
IS_LICENSE = re.compile(r"(?i)^(un)?licen[sc]e|^copying|^notice|^copyright")
WIDTH = 80


def cargo(*arguments):
    command = ["cargo", *arguments, "--locked", "--offline"]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def crates():
    """Name and version of each crate that is linked in on a platform that the README lists."""
    found = set()
    for platform in PLATFORMS:
        tree = cargo("tree", "--edges", "normal", "--prefix", "none", "--format", "{p}",
                     "--target", platform)
        for line in tree.splitlines():
            name, version = line.split()[:2]
            found.add((name, version.removeprefix("v")))
    return sorted(crate for crate in found if crate[0] != "labeler-tui")


def license_files(folder):
    """License files of the crate and of what it bundles, one folder down."""
    places = [folder, *(each for each in folder.iterdir() if each.is_dir())]
    files = [each for place in places for each in place.iterdir()
             if each.is_file() and IS_LICENSE.match(each.name) and each.suffix not in (".rs", ".py")]
    # Of a choice, the shorter one that names the authors.
    if any("MIT" in each.name.upper() for each in files):
        files = [each for each in files if "APACHE" not in each.name.upper()]
    return sorted(files)


def main():
    packages = json.loads(cargo("metadata", "--format-version", "1"))["packages"]
    about = {(each["name"], each["version"]): each for each in packages}
    lines, texts = [], collections.defaultdict(list)
    for name, version in crates():
        package = about[name, version]
        lines.append(f"{name} {version}  {package['license'] or 'see its text'}")
        for file in license_files(pathlib.Path(package["manifest_path"]).parent):
            text = file.read_text(errors="replace").replace("\r\n", "\n").strip()
            text = "\n".join(line.rstrip() for line in text.splitlines())
            if name not in texts[text]:
                texts[text].append(name)
    out = ["labeler-tui is built from the crates below. Their authors give them under these licenses;",
           "the texts follow, each once.", "", *lines]
    for text, names in texts.items():
        out += ["", "=" * WIDTH, *wrapped(names), "-" * WIDTH, text]
    (ROOT / "assets/THIRD-PARTY.txt").write_text("\n".join(out) + "\n")


def wrapped(names):
    line = ""
    for name in names:
        if line and len(line) + len(name) + 2 > WIDTH:
            yield line + ","
            line = name
        else:
            line = f"{line}, {name}" if line else name
    yield line


if __name__ == "__main__":
    main()
