"""Opens every format of `labeler-tui export` with the libraries that people open it with.

Run by hand:  pip install datasets webdataset pandas polars duckdb pillow
              python tests/open_datasets.py target/release/labeler-tui OUTDIR
OUTDIR holds committed records; what is not installed is named and passed over.
"""

import importlib.util
import json
import pathlib
import subprocess
import sys
import tempfile

program, outdir = (str(pathlib.Path(arg).resolve()) for arg in sys.argv[1:3])
work = pathlib.Path(tempfile.mkdtemp(prefix="datasets-"))
SPLIT = ["--split", "train=0.8,test=0.2", "--shard-size", "20"]


def export(format, *args):
    to = work / (format + "".join(args).replace("/", "_"))
    command = [program, "export", "--outdir", outdir, "--to", str(to), "--format", format]
    ended = subprocess.run([*command, *SPLIT, *args], capture_output=True, text=True)
    assert ended.returncode in (0, 3), ended.stderr
    return to, ended.stdout.splitlines()[0]


def have(*modules):
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        print(f"  not installed, passed over: {', '.join(missing)}")
    return not missing


def with_datasets(to):
    from datasets import Image, load_dataset

    found = load_dataset(str(to), cache_dir=str(work / "cache"))
    train = found["train"]
    assert isinstance(train.features["image"], Image), train.features
    first = train[0]
    assert first["image"].size[0] > 0 and first["text"], first
    return {name: len(rows) for name, rows in found.items()}


def image_folder():
    to, said = export("imagefolder", "--captions", "label,queries")
    print(said)
    if have("datasets"):
        print("  datasets:", with_datasets(to))


def parquet_images():
    to, said = export("parquet-images")
    print(said)
    files = sorted(str(file) for file in to.glob("data/train-*"))
    if have("datasets"):
        print("  datasets:", with_datasets(to))
    if have("pandas", "pyarrow"):
        import pandas

        rows = pandas.concat(pandas.read_parquet(file) for file in files)
        assert rows.image.iloc[0]["bytes"][:4] == b"\x89PNG"
        print("  pandas:", len(rows), "rows")
    if have("polars"):
        import polars

        print("  polars:", polars.read_parquet(files).height, "rows")
    if have("duckdb"):
        import duckdb

        counted = duckdb.sql(f"select count(*), count(distinct text) from read_parquet({files})")
        print("  duckdb:", counted.fetchall())


def web_dataset():
    to, said = export("webdataset")
    print(said)
    sizes = json.loads((to / "train/sizes.json").read_text())
    shards = [str(to / "train" / name) for name in sizes]
    if have("webdataset"):
        import webdataset

        rows = webdataset.WebDataset(shards, shardshuffle=False).decode("pil")
        rows = list(rows.to_tuple("png", "txt", "json"))
        assert len(rows) == sum(sizes.values()), (len(rows), sizes)
        print("  webdataset:", len(rows), "samples,", rows[0][1])
    if have("open_clip_train"):
        from open_clip_train.data import get_dataset_size

        pattern = str(to / "train") + "/{00000..%05d}.tar" % (len(shards) - 1)
        assert get_dataset_size(pattern)[0] == sum(sizes.values())
        print("  open_clip:", get_dataset_size(pattern))


def tables():
    for format, separator in (("csv", ","), ("tsv", "\t")):
        to, said = export(format, "--captions", "label,queries", "--copy-images")
        print(said)
        if have("pandas"):
            import pandas

            rows = pandas.read_csv(to / f"train.{format}", sep=separator)
            assert list(rows.columns) == ["filepath", "title"]
            assert all(pathlib.Path(path).exists() for path in rows.filepath)
            print("  pandas:", len(rows), "rows")
        if have("open_clip_train"):
            from open_clip_train.data import CsvDataset

            file = str(to / f"train.{format}")
            rows = CsvDataset(file, lambda image: image, "filepath", "title", separator, lambda t: t)
            assert rows[0][0].size[0] > 0
            print("  open_clip:", len(rows), "rows")


def sidecar():
    to, said = export("sidecar", "--flatten", "white", "--upscale", "8")
    print(said)
    from PIL import Image

    pairs = [(png, png.with_suffix(".txt")) for png in to.glob("train/*/*.png")]
    assert pairs and all(text.read_text().strip() for _, text in pairs)
    assert all(Image.open(png).mode == "RGB" for png, _ in pairs)
    print("  pillow:", len(pairs), "pairs")


def json_lines():
    to, said = export("jsonl", "--copy-images", "--paths", "relative")
    print(said)
    rows = [json.loads(line) for line in (to / "train.jsonl").read_text().splitlines()]
    assert all((to / row["image_path"]).exists() for row in rows)
    print("  json:", len(rows), "rows")


for check in (image_folder, parquet_images, web_dataset, tables, sidecar, json_lines):
    check()
