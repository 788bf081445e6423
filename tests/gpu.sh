#!/usr/bin/env bash
# Tests that need an NVIDIA card: the answers of the fixtures on the card, speed and memory of a
# random checkpoint of the exact 2B shape, and the behavior without a card. Takes under eight
# minutes. Run it by hand:
#
#   tests/gpu.sh                      builds the program, with CUDA_COMPUTE_CAP for the card
#   tests/gpu.sh PROGRAM [FOLDER]     uses a binary; the checkpoint is kept in FOLDER
#
# Needs python3, nvidia-smi and, to build, nvcc. TOKENIZER is a folder with tokenizer files and
# config.json (default: a fixture's). BATCHES and NEW_TOKENS change the benchmark.
set -euo pipefail
cd "$(dirname "$0")/.."

program=${1:-}
work=${2:-$(mktemp -d)}
batches=${BATCHES:-8 32 128}
new_tokens=${NEW_TOKENS:-200}
if [ -z "$program" ]; then
    cargo build --locked --release --features cuda
    program=target/release/labeler-tui
fi
program=$(realpath "$program")
export HF_HUB_OFFLINE=1 XDG_CACHE_HOME=$work/cache
mkdir -p "$work"
failed=0

echo "== card"
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
"$program" doctor --model demo 2>&1 | grep -E "device|memory|processor" || true

echo "== answers of the fixtures"
python3 - "$program" "$work/packed" <<'PY' || failed=1
import itertools, json, os, shutil, subprocess, sys
from concurrent.futures import ThreadPoolExecutor

program, packed, fixtures = sys.argv[1], sys.argv[2], "tests/fixtures"


def cases(model):
    return json.load(open(f"{fixtures}/{model}/reference/cases.json"))["cases"]


def ask(folder, case, *options):
    command = [program, "ask", "--json", "--model", folder, "--max-new-tokens", "48",
               "--ignore-eos", "--system", case["system"], *options]
    for image in case["images"]:
        command += ["--image", f"{fixtures}/images/{image}"]
    run = subprocess.run([*command, case["user"]], capture_output=True, text=True)
    if run.returncode != 0:
        raise RuntimeError(run.stderr.strip()[-300:])
    return json.loads(run.stdout)


def against(answer, tokens, logprobs):
    """The number of leading equal tokens, and the largest difference of their log-probabilities."""
    pairs = zip(answer["token_ids"], tokens)
    same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
    # A nearly equal token may win; everything after it is a different answer.
    return same, max(abs(a - b) for a, b in zip(answer["logprobs"][:same + 1], logprobs))


def fixture(precision, model, case):
    answer = ask(f"{fixtures}/{model}", case, "--device", "cuda", "--precision", precision,
                 "--quantize", "none")
    # The reference continues after an end token; the program never generates one with --ignore-eos.
    end = json.load(open(f"{fixtures}/{model}/generation_config.json"))["eos_token_id"]
    ends = [at for at, token in enumerate(case["greedy"]) if token in numbers(end)]
    length = min(ends, default=48)
    same, off = against(answer, case["greedy"][:length], case["logprobs"][:length])
    good = answer["prompt_token_ids"] == case["token_ids"]
    exact = same == length and off < 1e-3
    return good and (exact if precision == "fp32" else off < 0.3), same, off


def numbers(value):
    return value if isinstance(value, list) else [value]


def beside_cpu(folder, case, *options):
    card = ask(folder, case, "--device", "cuda", "--precision", "fp32", *options)
    plain = ask(folder, case, "--device", "cpu", "--precision", "fp32", *options)
    same, off = against(card, plain["token_ids"], plain["logprobs"])
    # 8-bit activations on one side and 16-bit on the other may choose different tokens.
    return (off < 0.3 if "q8_0" in options else same == 48 and off < 1e-3), same, off


def packed_folder(variant, how):
    """Assembles a packed checkpoint as `tests/vlm/packed.rs` does."""
    folder = f"{packed}/{variant}"
    os.makedirs(folder, exist_ok=True)
    for name in ("generation_config.json", "preprocessor_config.json", "tokenizer.json",
                 "tokenizer_config.json", "plain.safetensors", f"{variant}.safetensors"):
        shutil.copy(f"{fixtures}/packed/{name}", folder)
    config = json.load(open(f"{fixtures}/packed/config.json"))
    json.dump({**config, "quantization_config": how}, open(f"{folder}/config.json", "w"))
    shards = {"plain": "plain.safetensors", "packed": f"{variant}.safetensors"}
    json.dump({"weight_map": shards}, open(f"{folder}/model.safetensors.index.json", "w"))
    return folder


models = ("flat", "nested", "parts", "windowed", "windowed-nested", "deepstack", "deepstack-nested")
work = [(f"{precision} {model} {case['name']}", fixture, precision, model, case)
        for precision in ("fp32", "bf16", "fp16") for model in models for case in cases(model)]
work += [(f"q8_0 {model} {case['name']}, beside the CPU", beside_cpu, f"{fixtures}/{model}", case,
          "--quantize", "q8_0")
         for model in models for case in cases(model)[:2]]
for variant, how in json.load(open(f"{fixtures}/packed/variants.json")).items():
    folder = packed_folder(variant, how)
    work += [(f"{variant} {case['name']}, beside the CPU", beside_cpu, folder, case,
              "--quantize", "none") for case in cases("packed")[:2]]


def outcome(task):
    try:
        return task[1](*task[2:])
    except RuntimeError as error:
        return False, 0, error


failed = {}
with ThreadPoolExecutor(8) as pool:
    for (name, *_), (good, same, off) in zip(work, pool.map(outcome, work)):
        off = off if isinstance(off, Exception) else f"off by {off:.1e}"
        print(f"{name}: {same}/48 tokens, {off}{'' if good else '  DIFFERS'}")
        kind = name.split()[0]
        failed[kind] = [failed.get(kind, [0, 0])[0] + (not good), failed.get(kind, [0, 0])[1] + 1]
for kind, (bad, count) in failed.items():
    print(f"{kind}: {count - bad} of {count}")
sys.exit(any(bad for bad, _ in failed.values()))
PY

echo "== the demo's labels on the card and on the CPU"
for device in cuda cpu; do
    "$program" --demo --batch --device $device --precision fp32 --outdir "$work/demo-$device" >/dev/null || failed=1
done
python3 - "$work"/demo-{cuda,cpu}/labels.jsonl <<'PY' || failed=1
import json, sys

card, plain = ([json.loads(line) for line in open(path)] for path in sys.argv[1:])
same = sum(a["label_ko"] == b["label_ko"] and a["attributes"] == b["attributes"]
           for a, b in zip(card, plain))
print(f"{same} of {len(plain)} records are equal")
sys.exit(not same == len(card) == len(plain))
PY

echo "== a checkpoint of the 2B shape"
python3 - "${TOKENIZER:-tests/fixtures/flat}" "$work/model" <<'PY'
import array, json, math, os, random, shutil, struct, sys

source, folder = sys.argv[1:]
os.makedirs(folder, exist_ok=True)
config = json.load(open(f"{source}/config.json"))
config = {**config, **config.pop("text_config", {})}
hidden, inner, kv, layers, depth, width = 1536, 8960, 256, 28, 32, 1280
vocabulary = 151936
config.update(hidden_size=hidden, intermediate_size=inner, num_attention_heads=12,
              num_key_value_heads=2, num_hidden_layers=layers, vocab_size=vocabulary,
              max_position_embeddings=32768, rope_theta=1e6, tie_word_embeddings=True,
              rope_scaling={"type": "mrope", "mrope_section": [16, 24, 24]})
config["vision_config"] |= {"depth": depth, "embed_dim": width, "num_heads": 16, "mlp_ratio": 4,
                            "hidden_size": hidden, "patch_size": 14, "spatial_merge_size": 2,
                            "temporal_patch_size": 2}
shapes = {"visual.patch_embed.proj.weight": (width, 3, 2, 14, 14)}
for i in range(depth):
    block = f"visual.blocks.{i}."
    for norm in ("norm1", "norm2"):
        shapes |= {f"{block}{norm}.weight": (width,), f"{block}{norm}.bias": (width,)}
    for name, rows, columns in (("attn.qkv", 3 * width, width), ("attn.proj", width, width),
                                ("mlp.fc1", 4 * width, width), ("mlp.fc2", width, 4 * width)):
        shapes |= {f"{block}{name}.weight": (rows, columns), f"{block}{name}.bias": (rows,)}
shapes |= {"visual.merger.ln_q.weight": (width,), "visual.merger.ln_q.bias": (width,)}
for name, rows in (("mlp.0", 4 * width), ("mlp.2", hidden)):
    shapes |= {f"visual.merger.{name}.weight": (rows, 4 * width),
               f"visual.merger.{name}.bias": (rows,)}
shapes |= {"model.embed_tokens.weight": (vocabulary, hidden), "model.norm.weight": (hidden,)}
for i in range(layers):
    block = f"model.layers.{i}."
    for norm in ("input_layernorm", "post_attention_layernorm"):
        shapes[f"{block}{norm}.weight"] = (hidden,)
    for name, rows in (("q_proj", hidden), ("k_proj", kv), ("v_proj", kv)):
        shapes |= {f"{block}self_attn.{name}.weight": (rows, hidden),
                   f"{block}self_attn.{name}.bias": (rows,)}
    shapes |= {f"{block}self_attn.o_proj.weight": (hidden, hidden),
               f"{block}mlp.gate_proj.weight": (inner, hidden),
               f"{block}mlp.up_proj.weight": (inner, hidden),
               f"{block}mlp.down_proj.weight": (hidden, inner)}
table, at = {}, 0
for name, shape in shapes.items():
    end = at + 2 * math.prod(shape)
    table[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, end]}
    at = end
# One block of random numbers, read from a different offset for each tensor.
random.seed(0)
block = array.array("f", (random.gauss(0, 0.02) for _ in range(2_097_169))).tobytes()
half = bytearray(len(block) // 2)
half[0::2], half[1::2] = block[2::4], block[3::4]
block = memoryview(half).cast("H")
head = json.dumps(table).encode()
head += b" " * (-len(head) % 8)
with open(f"{folder}/model.safetensors", "wb", buffering=1 << 24) as file:
    file.write(struct.pack("<Q", len(head)) + head)
    start = 0
    for name, shape in shapes.items():
        left = math.prod(shape)
        if "norm" in name and name.endswith("weight"):
            file.write(b"\x80\x3f" * left)
            continue
        while left:
            part = block[start:start + left]
            file.write(part)
            left -= len(part)
            start = (start + len(part) + 31) % len(block)
json.dump(config, open(f"{folder}/config.json", "w"))
for name in os.listdir(source):
    if name.endswith((".json", ".txt")) and name != "config.json" and "index" not in name:
        shutil.copy(f"{source}/{name}", folder)
print(f"{at / 1e9:.1f} GB")
PY

echo "== memory, as announced"
for quantize in none q8_0; do
    "$program" doctor --model "$work/model" --device cuda --quantize $quantize | grep " memory "
done

echo "== speed"
for run in $(printf '%s-none ' $batches) 32-q8_0; do
    batch=${run%-*}
    # Records the peak memory of the card.
    nvidia-smi --query-gpu=memory.used --format=csv,noheader,nounits -lms 200 >"$work/memory" &
    meter=$!
    "$program" bench --json --model "$work/model" --device cuda --batch-size "$batch" \
        --icons $((3 * batch)) --new-tokens "$new_tokens" --quantize "${run#*-}" \
        >"$work/bench-$run.json" || failed=1
    kill $meter
    wait $meter 2>/dev/null || true
    python3 - "$work/bench-$run.json" "$(sort -n "$work/memory" | tail -1)" <<'PY' || failed=1
import json, sys

report = json.load(open(sys.argv[1]))
steps = report["seconds_per_step_by_batch"]
full = steps.get(str(report["batch_size"]))
print(f"{report['weights']} batch {report['batch_size']:3}: {report['icons_per_minute']:7.0f} icons/min, "
      f"{report['decode_tokens_per_second']:7.0f} tokens/s, prompts "
      f"{report['prefill_tokens_per_second'] or 0:7.0f} tokens/s, "
      f"step {1e3 * full if full else float('nan'):.1f} ms, pictures {report['vision_seconds']:.1f} s, "
      f"sampling {report['sampling_seconds']:.1f} s of {report['seconds']:.1f} s; "
      f"load {report['load_seconds']:.1f} s; {sys.argv[2]} MiB of the card")
PY
done

echo "== without a card"
if CUDA_VISIBLE_DEVICES= "$program" ask --device cuda --model demo hat >/dev/null 2>"$work/words"; then
    echo "--device cuda did not fail"
    failed=1
fi
cat "$work/words"
CUDA_VISIBLE_DEVICES= "$program" doctor --model demo 2>&1 | grep -A1 " device " || true
exit $failed
