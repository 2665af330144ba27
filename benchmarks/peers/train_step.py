#!/usr/bin/env python3
"""One training step of GPT-2 124M (B=4, T=64, F32, AdamW, clipping) in PyTorch at its best on a CPU: the peer of `calm bench train-step --model gpt2-124m`.

Usage: benchmarks/peers/train_step.py [threads] [steps]. Prints milliseconds a step. Needs torch (Debian: python3-torch).
Freed memory is kept by malloc, AdamW takes one tensor after another, attention is one fused call where torch has it: each of these is faster than the default.
"""
import os
import sys
import time

threads = int(sys.argv[1]) if len(sys.argv) > 1 else 1
steps = int(sys.argv[2]) if len(sys.argv) > 2 else 15
if os.environ.get("MALLOC_TRIM_THRESHOLD_") is None:
    # malloc and OpenBLAS read these when the process starts.
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        os.environ.pop(name, None)
    os.environ.update(MALLOC_TRIM_THRESHOLD_="100000000000", MALLOC_MMAP_THRESHOLD_="100000000000", MALLOC_TOP_PAD_="268435456",
                      OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS=str(threads))
    os.execv(sys.executable, [sys.executable] + sys.argv)

import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

torch.set_num_threads(threads)
torch.manual_seed(1)
B, T, C, HEADS, LAYERS, V, POSITIONS = 4, 64, 768, 12, 12, 50257, 1024


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(C), nn.LayerNorm(C)
        self.qkv, self.proj = nn.Linear(C, 3 * C), nn.Linear(C, C)
        self.fc, self.out = nn.Linear(C, 4 * C), nn.Linear(4 * C, C)
        self.register_buffer("mask", torch.full((T, T), float("-inf")).triu(1))

    def forward(self, x):
        q, k, v = (t.view(B, T, HEADS, C // HEADS).transpose(1, 2) for t in self.qkv(self.ln_1(x)).split(C, dim=2))
        if hasattr(F, "scaled_dot_product_attention"):
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            y = torch.softmax(q @ k.transpose(2, 3) * (C // HEADS) ** -0.5 + self.mask, dim=-1) @ v
        x = x + self.proj(y.transpose(1, 2).reshape(B, T, C))
        h = self.fc(self.ln_2(x))
        h = F.gelu(h, approximate="tanh")
        return x + self.out(h)


class Gpt2(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(V, C), nn.Embedding(POSITIONS, C)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.ln_f = nn.LayerNorm(C)

    def forward(self, tokens, targets):
        x = self.wte(tokens) + self.wpe(torch.arange(T))
        for block in self.blocks:
            x = block(x)
        logits = self.ln_f(x) @ self.wte.weight.T
        return F.cross_entropy(logits.view(-1, V), targets.reshape(-1))


model = Gpt2()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, foreach=False)
times = []
for step in range(steps):
    tokens = torch.randint(V, (B, T + 1))
    start = time.perf_counter()
    loss = model(tokens[:, :-1], tokens[:, 1:])
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    times.append(time.perf_counter() - start)
# The heap settles in the first steps.
times = sorted(times[steps // 3:])
print(f"torch {torch.__version__} threads={threads} median {1000 * times[len(times) // 2]:.0f} ms, best {1000 * times[0]:.0f} ms")
