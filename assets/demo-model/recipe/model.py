"""Qwen2-VL at a few million parameters, under the parameter names of the Hugging Face checkpoint.

A training batch shares its prefix (the system turn), which is therefore computed once, and its grid of
patches. Attention is written as plain matrix products: the CPU's fused attention is slow backward.
"""

import functools

import torch
import torch.nn.functional as F
from torch import nn

HIDDEN, LAYERS, HEADS, KV_HEADS, HEAD_DIM, INTERMEDIATE, VOCABULARY = 192, 5, 6, 2, 32, 512, 3072
THETA, MROPE = 10000.0, (4, 6, 6)
VISION, VISION_DEPTH, VISION_HEADS = 128, 4, 4
MAX_LENGTH = 1024


def rotate(x):
    a, b = x.chunk(2, -1)
    return torch.cat((-b, a), -1)


def attend(q, k, v, mask=None):
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    if mask is not None:
        scores = scores + mask
    return torch.softmax(scores, -1).to(v.dtype) @ v


class RMSNorm(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x):
        x = x.float()
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.weight


class VisionBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(VISION, eps=1e-6), nn.LayerNorm(VISION, eps=1e-6)
        self.attn = nn.ModuleDict({"qkv": nn.Linear(VISION, 3 * VISION), "proj": nn.Linear(VISION, VISION)})
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(VISION, 4 * VISION), "fc2": nn.Linear(4 * VISION, VISION)})

    def forward(self, x, cos, sin):
        b, n, d = x.shape
        q, k, v = self.attn["qkv"](self.norm1(x)).view(b, n, 3, VISION_HEADS, d // VISION_HEADS).permute(2, 0, 3, 1, 4)
        q, k = (q * cos + rotate(q) * sin).to(v.dtype), (k * cos + rotate(k) * sin).to(v.dtype)
        x = x + self.attn["proj"](attend(q, k, v).transpose(1, 2).reshape(b, n, d))
        h = self.mlp["fc1"](self.norm2(x))
        return x + self.mlp["fc2"](h * torch.sigmoid(1.702 * h))


@functools.cache
def vision_rope(rows, columns):
    r = torch.arange(rows)[:, None].expand(rows, columns)
    c = torch.arange(columns)[None].expand(rows, columns)
    order = lambda p: p.reshape(rows // 2, 2, columns // 2, 2).permute(0, 2, 1, 3).flatten()  # noqa: E731
    half = VISION // VISION_HEADS // 2
    inverse = 1 / (10000 ** (torch.arange(0, half, 2).float() / half))
    angle = torch.cat([order(r)[:, None] * inverse, order(c)[:, None] * inverse], -1)
    angle = torch.cat([angle, angle], -1)
    return angle.cos(), angle.sin()


class Vision(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv3d(3, VISION, (2, 14, 14), (2, 14, 14), bias=False)})
        self.blocks = nn.ModuleList(VisionBlock() for _ in range(VISION_DEPTH))
        mlp = nn.Sequential(nn.Linear(4 * VISION, 4 * VISION), nn.GELU(), nn.Linear(4 * VISION, HIDDEN))
        self.merger = nn.ModuleDict({"ln_q": nn.LayerNorm(VISION, eps=1e-6), "mlp": mlp})

    def forward(self, patches, grid):
        """patches (batch, n, 588), one frame: the two frames of the kernel see the same picture."""
        cos, sin = vision_rope(*grid)
        x = F.linear(patches, self.patch_embed["proj"].weight.sum(2).flatten(1))
        for block in self.blocks:
            x = block(x, cos, sin)
        x = self.merger["ln_q"](x)
        return self.merger["mlp"](x.reshape(x.shape[0], -1, 4 * VISION))


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.input_layernorm, self.post_attention_layernorm = RMSNorm(HIDDEN), RMSNorm(HIDDEN)
        self.self_attn = nn.ModuleDict({
            "q_proj": nn.Linear(HIDDEN, HEADS * HEAD_DIM),
            "k_proj": nn.Linear(HIDDEN, KV_HEADS * HEAD_DIM),
            "v_proj": nn.Linear(HIDDEN, KV_HEADS * HEAD_DIM),
            "o_proj": nn.Linear(HEADS * HEAD_DIM, HIDDEN, bias=False),
        })
        self.mlp = nn.ModuleDict({
            "gate_proj": nn.Linear(HIDDEN, INTERMEDIATE, bias=False),
            "up_proj": nn.Linear(HIDDEN, INTERMEDIATE, bias=False),
            "down_proj": nn.Linear(INTERMEDIATE, HIDDEN, bias=False),
        })

    def qkv(self, x, cos, sin):
        b, t, _ = x.shape
        h = self.input_layernorm(x)
        split = lambda name, heads: self.self_attn[name](h).view(b, t, heads, HEAD_DIM).transpose(1, 2)  # noqa: E731
        q, k, v = split("q_proj", HEADS), split("k_proj", KV_HEADS), split("v_proj", KV_HEADS)
        return (q * cos + rotate(q) * sin).to(v.dtype), (k * cos + rotate(k) * sin).to(v.dtype), v

    def attention(self, q, k, v, mask):
        group = HEADS // KV_HEADS
        k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
        return attend(q, k, v, mask).transpose(1, 2).flatten(2)

    def finish(self, x, attention):
        x = x + self.self_attn["o_proj"](attention)
        h = self.post_attention_layernorm(x)
        return x + self.mlp["down_proj"](F.silu(self.mlp["gate_proj"](h)) * self.mlp["up_proj"](h))


class Text(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed_tokens = nn.Embedding(VOCABULARY, HIDDEN)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.norm = RMSNorm(HIDDEN)


@functools.cache
def text_rope(prefix, grid):
    """cos, sin for positions of: prefix | vision start | image | text. Without a grid there is no image."""
    head = prefix + 1 if grid else prefix
    position = torch.zeros(3, MAX_LENGTH)
    position[:, :head] = torch.arange(head)
    image, following = 0, head
    if grid:
        rows, columns = grid[0] // 2, grid[1] // 2
        image = rows * columns
        index = torch.arange(image)
        position[0, head : head + image] = head
        position[1, head : head + image] = head + index // columns
        position[2, head : head + image] = head + index % columns
        following = head + max(rows, columns)
    position[:, head + image :] = following + torch.arange(MAX_LENGTH - head - image)
    inverse = 1 / (THETA ** (torch.arange(0, HEAD_DIM, 2).float() / HEAD_DIM))
    angle = position[:, :, None] * inverse
    angle = torch.cat([part[i] for i, part in enumerate(angle.split(MROPE, -1))], -1)
    angle = torch.cat([angle, angle], -1)
    return angle.cos(), angle.sin()


class TinyQwen2VL(nn.Module):
    def __init__(self):
        super().__init__()
        self.visual, self.model = Vision(), Text()
        self.mask = torch.full((MAX_LENGTH, MAX_LENGTH), float("-inf")).triu(1)
        for name, p in self.named_parameters():
            if p.dim() >= 2:
                small = any(part in name for part in ("o_proj", "down_proj", "fc2", "attn.proj"))
                nn.init.normal_(p, std=p[0].numel() ** -0.5 * (0.5 if small else 1))
            elif "bias" in name:
                nn.init.zeros_(p)
        self.copy_circuit()

    @torch.no_grad()
    def copy_circuit(self):
        """Start with what copies a name: a previous-token head in layer 0 (made of q/k biases and the
        rotation), and heads in layer 1 that look for the same previous token and copy what is there."""
        generator = torch.Generator().manual_seed(1)
        self.model.embed_tokens.weight.normal_(0, 0.08, generator=generator)
        for layer in self.model.layers:
            layer.self_attn["o_proj"].weight.mul_(0.1)
            layer.mlp["down_proj"].weight.mul_(0.1)
        basis = torch.linalg.qr(torch.randn(HIDDEN, HIDDEN, generator=generator))[0]
        token, copy = basis[:, :HEAD_DIM].T, basis[:, HEAD_DIM : 3 * HEAD_DIM].T
        previous = torch.linalg.qr(torch.randn(HIDDEN, HEAD_DIM, generator=generator))[0]
        half = HEAD_DIM // 2
        turn = 1 / (THETA ** (torch.arange(0, HEAD_DIM, 2).float() / HEAD_DIM))
        fast = (torch.arange(half) < 6).float() * 5.8
        first = self.model.layers[0].self_attn
        for name in ("k_proj", "q_proj"):
            first[name].weight[:HEAD_DIM] *= 0.1
        first["k_proj"].bias[:HEAD_DIM] = torch.cat([fast, 0 * fast])
        first["q_proj"].bias[:HEAD_DIM] = torch.cat([fast * turn.cos(), -fast * turn.sin()])
        first["v_proj"].weight[:HEAD_DIM] = token * 1.4
        first["o_proj"].weight[:, :HEAD_DIM] = previous * 0.15
        second = self.model.layers[1].self_attn
        # The slow half of the rotation: these channels compare content, whatever the distance.
        slow = torch.cat([torch.arange(half // 2, half), torch.arange(half // 2, half) + half])
        group = HEADS // KV_HEADS
        for kv in range(KV_HEADS):
            source = torch.arange(half) + kv * half
            part = slice(kv * HEAD_DIM, (kv + 1) * HEAD_DIM)
            weight = second["k_proj"].weight[part]
            weight.mul_(0.1)
            weight[slow] = previous.T[source] * 2.24
            for head in (kv * group, kv * group + 1):
                weight = second["q_proj"].weight[head * HEAD_DIM : (head + 1) * HEAD_DIM]
                weight.mul_(0.1)
                weight[slow] = token[source] * 2.24
            second["v_proj"].weight[part] = copy[part]
            head = kv * group
            second["o_proj"].weight[:, head * HEAD_DIM : (head + 1) * HEAD_DIM] = copy[part].T * 0.5

    def forward(self, prefix, start, image, grid, ids):
        """Hidden states (batch, tokens, hidden) of `ids`. The sequence is prefix | start | image | ids; start is
        the vision-start token (1,), image (batch, n, hidden), and both are None without a picture."""
        embed, batch = self.model.embed_tokens, ids.shape[0]
        parts = [embed(ids)]
        if image is not None:
            parts = [embed(start)[None].expand(batch, -1, -1), image.float(), *parts]
        shared, x = embed(prefix)[None], torch.cat(parts, 1)
        p, n = len(prefix), x.shape[1]
        kind = torch.bfloat16 if torch.is_autocast_enabled("cpu") else torch.float32
        cos, sin = (t.to(kind) for t in text_rope(p, grid))
        mask = self.mask.to(kind)
        for layer in self.model.layers:
            qp, kp, vp = layer.qkv(shared, cos[:p], sin[:p])
            q, k, v = layer.qkv(x, cos[p : p + n], sin[p : p + n])
            k = torch.cat([kp.expand(batch, -1, -1, -1), k], 2)
            v = torch.cat([vp.expand(batch, -1, -1, -1), v], 2)
            x = layer.finish(x, layer.attention(q, k, v, mask[p : p + n, : p + n]))
            shared = layer.finish(shared, layer.attention(qp, kp, vp, mask[:p, :p]))
        return self.model.norm(x[:, n - ids.shape[1] :])

    def logits(self, hidden):
        return F.linear(hidden, self.model.embed_tokens.weight)


class Muon(torch.optim.Optimizer):
    """Momentum whose update is orthogonalised (Newton-Schulz), for matrices."""

    def __init__(self, params, lr=0.02, momentum=0.95, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            by_shape = {}
            for p in group["params"]:
                if p.grad is None:
                    continue
                buffer = self.state[p].setdefault("momentum", torch.zeros_like(p))
                buffer.lerp_(p.grad, 1 - group["momentum"])
                update = p.grad.lerp(buffer, group["momentum"]).flatten(1)
                by_shape.setdefault(update.shape, []).append((p, update))
            for shape, pairs in by_shape.items():
                x = torch.stack([update for _, update in pairs]).bfloat16()
                tall = shape[0] > shape[1]
                x = x.mT if tall else x
                x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
                for _ in range(5):
                    a = x @ x.mT
                    x = 3.4445 * x + (-4.775 * a + 2.0315 * (a @ a)) @ x
                x = x.mT if tall else x
                for (p, _), update in zip(pairs, x, strict=True):
                    p.mul_(1 - group["lr"] * group["weight_decay"])
                    p.add_(update.float().view_as(p), alpha=-group["lr"] * max(1, shape[0] / shape[1]) ** 0.5)
