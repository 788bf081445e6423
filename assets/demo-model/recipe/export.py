"""Writes the checkpoint in the Hugging Face layout, and the prompt that belongs to it. Usage: export.py WORK OUT"""

import json
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

import model as m
from answers import PROMPT
from images import MAX_PIXELS, MEAN, MERGE, MIN_PIXELS, PATCH, STD, VOCABULARY


def main(work, out):
    out.mkdir(parents=True, exist_ok=True)
    state = {k: v.half().contiguous() for k, v in torch.load(work / "model.pt")["model"].items()}
    save_file(state, out / "model.safetensors", metadata={"format": "pt"})
    token = Tokenizer.from_file(str(work / "tokenizer.json")).token_to_id
    config = {
        "architectures": ["Qwen2VLForConditionalGeneration"],
        "model_type": "qwen2_vl",
        "torch_dtype": "float16",
        "bos_token_id": token("<|endoftext|>"),
        "eos_token_id": token("<|im_end|>"),
        "pad_token_id": token("<|endoftext|>"),
        "vision_start_token_id": token("<|vision_start|>"),
        "vision_end_token_id": token("<|vision_end|>"),
        "image_token_id": token("<|image_pad|>"),
        "video_token_id": token("<|video_pad|>"),
        "attention_dropout": 0.0,
        "hidden_act": "silu",
        "hidden_size": m.HIDDEN,
        "initializer_range": 0.02,
        "intermediate_size": m.INTERMEDIATE,
        "max_position_embeddings": m.MAX_LENGTH,
        "max_window_layers": m.LAYERS,
        "num_attention_heads": m.HEADS,
        "num_hidden_layers": m.LAYERS,
        "num_key_value_heads": m.KV_HEADS,
        "rms_norm_eps": 1e-6,
        "rope_scaling": {"type": "mrope", "mrope_section": list(m.MROPE)},
        "rope_theta": m.THETA,
        "sliding_window": m.MAX_LENGTH,
        "tie_word_embeddings": True,
        "use_cache": True,
        "use_sliding_window": False,
        "vocab_size": m.VOCABULARY,
        "vision_config": {
            "model_type": "qwen2_vl",
            "depth": m.VISION_DEPTH,
            "embed_dim": m.VISION,
            "hidden_size": m.HIDDEN,
            "in_chans": 3,
            "mlp_ratio": 4,
            "num_heads": m.VISION_HEADS,
            "patch_size": PATCH,
            "spatial_merge_size": MERGE,
            "spatial_patch_size": PATCH,
            "temporal_patch_size": 2,
        },
    }
    generation = {
        "bos_token_id": config["bos_token_id"],
        "pad_token_id": config["pad_token_id"],
        "eos_token_id": [config["eos_token_id"], config["pad_token_id"]],
        "do_sample": False,
        "max_new_tokens": 256,
    }
    preprocessor = {
        "image_processor_type": "Qwen2VLImageProcessor",
        "processor_class": "Qwen2VLProcessor",
        "min_pixels": MIN_PIXELS,
        "max_pixels": MAX_PIXELS,
        "patch_size": PATCH,
        "temporal_patch_size": 2,
        "merge_size": MERGE,
        "image_mean": [round(x, 8) for x in MEAN.tolist()],
        "image_std": [round(x, 8) for x in STD.tolist()],
    }
    for name, content in (("config", config), ("generation_config", generation), ("preprocessor_config", preprocessor)):
        (out / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n")
    shutil.copy(work / "tokenizer.json", out / "tokenizer.json")
    if out == VOCABULARY.parent / "demo-model":
        shutil.copy(PROMPT, VOCABULARY.parent / "prompts" / "demo.toml")
    files = sorted(f for f in out.iterdir() if f.is_file())
    print(sum(v.numel() for v in state.values()), "parameters;", ", ".join(f"{f.name} {f.stat().st_size}" for f in files))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]).resolve())
