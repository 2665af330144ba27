"""The shapes of GpuBench with PyTorch 2.4 or newer on the same card: attention, a training step of a Llama-shaped model in BF16, without compile.

With `tiny`, sizes that a CPU can do, on a CPU: to see that the script runs.
"""
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

TINY = "tiny" in sys.argv[1:]
DEVICE = "cpu" if TINY else "cuda"
DIVISOR = 32 if TINY else 1


class Block(nn.Module):
    def __init__(self, c, f, heads, groups):
        super().__init__()
        self.heads, self.groups, self.d = heads, groups, c // heads
        self.norm1, self.norm2 = nn.RMSNorm(c), nn.RMSNorm(c)
        self.q, self.o = nn.Linear(c, c, bias=False), nn.Linear(c, c, bias=False)
        self.k, self.v = nn.Linear(c, groups * self.d, bias=False), nn.Linear(c, groups * self.d, bias=False)
        self.gate, self.up, self.down = nn.Linear(c, f, bias=False), nn.Linear(c, f, bias=False), nn.Linear(f, c, bias=False)

    def forward(self, x, cosine, sine):
        b, t, c = x.shape

        def split(y, n):
            return y.view(b, t, n, self.d).transpose(1, 2)

        def turn(y):
            left, right = y.chunk(2, -1)
            return torch.cat([left * cosine - right * sine, right * cosine + left * sine], -1)

        n = self.norm1(x)
        q, k, v = turn(split(self.q(n), self.heads)), turn(split(self.k(n), self.groups)), split(self.v(n), self.groups)
        k, v = (y.repeat_interleave(self.heads // self.groups, 1) for y in (k, v))
        x = x + self.o(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(b, t, c))
        n = self.norm2(x)
        return x + self.down(F.silu(self.gate(n)) * self.up(n))


def wait():
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def seconds(run, runs=10):
    for _ in range(3):
        run()
    wait()
    start = time.perf_counter()
    for _ in range(runs):
        run()
    wait()
    return (time.perf_counter() - start) / runs


def attention(rows=4096 // DIVISOR, heads=16, d=128):
    q, k, v, g = (torch.randn(1, heads, rows, d, device=DEVICE, dtype=torch.bfloat16, requires_grad=True) for _ in range(4))
    flops = 4 * 0.5 * rows * (rows + 1) * heads * d
    forward = seconds(lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True))
    both = seconds(lambda: torch.autograd.grad(F.scaled_dot_product_attention(q, k, v, is_causal=True), (q, k, v), g))
    print(f"attention forward {rows}: {forward * 1e6:.1f} us, {flops / forward * 1e-12:.1f} TFLOP/s")
    print(f"attention backward {rows}: {(both - forward) * 1e6:.1f} us, {2.5 * flops / (both - forward) * 1e-12:.1f} TFLOP/s")


def training(name, vocabulary, c, f, layers, heads, groups, sequences, length):
    embedding = nn.Embedding(vocabulary, c)
    model = nn.ModuleList([embedding, nn.RMSNorm(c)] + [Block(c, f, heads, groups) for _ in range(layers)]).to(DEVICE)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    angle = torch.outer(torch.arange(length), 1e4 ** (-torch.arange(0, c // heads, 2) / (c // heads))).to(DEVICE)
    cosine, sine = angle.cos(), angle.sin()
    tokens = torch.randint(vocabulary, (sequences, length + 1), device=DEVICE)

    def step():
        with torch.autocast(DEVICE, torch.bfloat16):
            x = embedding(tokens[:, :-1])
            for block in model[2:]:
                x = block(x, cosine, sine)
            logits = F.linear(model[1](x), embedding.weight)
            loss = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1)
        optimizer.step()
        optimizer.zero_grad()

    taken = seconds(step, 5)
    print(f"training step {name}: {taken * 1e3:.1f} ms, {sequences * length / taken:.0f} tokens/s")


if __name__ == "__main__":
    if DEVICE == "cuda" and not torch.cuda.is_available():
        sys.exit("torch_peer: PyTorch sees no GPU; `tiny` tries the script on the CPU")
    print(torch.__version__, torch.cuda.get_device_name() if DEVICE == "cuda" else "on the CPU: tiny sizes, no figures to compare")
    attention()
    training("gpt2-124m shape", 50304 // DIVISOR, 768 // DIVISOR, 3072 // DIVISOR, 1 if TINY else 12, 12, 12, 8, 1024 // DIVISOR)
    training("llama-1b shape", 32000 // DIVISOR, 2048 // DIVISOR, 5632 // DIVISOR, 1 if TINY else 22, 32, 4, 4, 1024 // DIVISOR)
