"""Numbers of PyTorch for the tests of single operations.

Run from anywhere, with PyTorch 1.13 (Debian's python3-torch 1.13.0), on the CPU, in float64:

    python3 engine/src/test/oracle/ops.py

It writes engine/src/test/resources/oracle/ops/<noun>.json, the same bytes every time: a list of cases, each with its inputs and PyTorch's
outputs. A number stands as itself, a tensor as {"shape": [...], "data": [...]} in row-major order. "d" before a name is the gradient, by
PyTorch's autograd, of the sum of the outputs times "dOut" (of the log-probabilities times "coefficient"). Inputs are random with three
decimals, or chosen to be awkward.
"""
import json
import pathlib

import torch
import torch.nn.functional as F

OUT = pathlib.Path(__file__).resolve().parents[1] / "resources" / "oracle" / "ops"
torch.set_default_dtype(torch.float64)
random = torch.Generator().manual_seed(20250117)


def uniform(scale, *shape):
    """Uniform in (-scale, scale), rounded to three decimals."""
    return (scale * (2 * torch.rand(*shape, generator=random) - 1)).mul(1000).round().div(1000)


def indices(bound, count):
    return torch.randint(bound, (count,), generator=random)


def encode(value):
    if isinstance(value, torch.Tensor):
        return {"shape": list(value.shape), "data": value.detach().reshape(-1).tolist()}
    return value


def write(noun, cases):
    OUT.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({name: encode(value) for name, value in case.items()}) for case in cases]
    (OUT / f"{noun}.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")


def leaf(tensor):
    return tensor.clone().requires_grad_()


def embedding(tokens, vocabulary, width):
    table, index, d_out = leaf(uniform(1, vocabulary, width)), indices(vocabulary, tokens), uniform(1, tokens, width)
    out = F.embedding(index, table)
    out.backward(d_out)
    return dict(table=table, index=index, dOut=d_out, out=out, dTable=table.grad)


def linear(t, n, k, alpha):
    x, w, d_out = leaf(uniform(1, t, k)), leaf(uniform(1, n, k)), uniform(1, t, n)
    out = alpha * F.linear(x, w)
    out.backward(d_out)
    return dict(alpha=alpha, x=x, w=w, dOut=d_out, out=out, dX=x.grad, dW=w.grad)


def rms_norm(t, c, epsilon, scale):
    """As LlamaRMSNorm of transformers computes it."""
    x, w, d_out = leaf(uniform(scale, t, c)), leaf(uniform(1, c)), uniform(1, t, c)
    rstd = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + epsilon)
    out = w * (x * rstd)
    out.backward(d_out)
    return dict(epsilon=epsilon, x=x, w=w, dOut=d_out, out=out, rstd=rstd.squeeze(-1), dX=x.grad, dW=w.grad)


def rope(t, h, d, positions):
    """As apply_rotary_pos_emb of transformers: x cos + rotate_half(x) sin, cos and sin repeated for both halves."""
    x, d_out = leaf(uniform(2, t, h, d)), uniform(1, t, h, d)
    position = indices(positions, t)
    frequency = 10000.0 ** (-torch.arange(0, d, 2).double() / d)
    angle = torch.arange(positions).double()[:, None] * frequency
    cosine, sine = angle.cos(), angle.sin()
    cos = torch.cat([cosine, cosine], -1)[position][:, None]
    sin = torch.cat([sine, sine], -1)[position][:, None]
    rotated = torch.cat([-x[..., d // 2:], x[..., :d // 2]], -1)
    out = x * cos + rotated * sin
    out.backward(d_out)
    return dict(x=x, cosine=cosine, sine=sine, position=position, dOut=d_out, out=out, dX=x.grad)


def attention(rows, keys, h, g, d, segments, window=0):
    """segments: (queryStart, queryLength, keyStart, keyLength, parent); the mask is built dense, row by row. With a window, as
    sliding_window_overlay of transformers, a key is seen when key position > query position - window."""
    q, k, v = leaf(uniform(2, rows, h, d)), leaf(uniform(2, keys, g, d)), leaf(uniform(1, keys, g, d))
    d_out, scale = uniform(1, rows, h, d), d ** -0.5
    sees = torch.zeros(rows, keys, dtype=torch.bool)
    for query_start, query_length, key_start, key_length, parent in segments:
        for j in range(query_length):
            # The keys that the row sees, from its own back to the first of the root: key number i is i positions away.
            path = list(range(key_start, key_start + key_length - query_length + j + 1))
            above = parent
            while above >= 0:
                _, _, start, length, above = segments[above]
                path = list(range(start, start + length)) + path
            for distance, key in enumerate(reversed(path)):
                sees[query_start + j, key] = window == 0 or distance < window
    repeated_k, repeated_v = k.repeat_interleave(h // g, 1), v.repeat_interleave(h // g, 1)
    scores = torch.einsum("thd,shd->hts", q, repeated_k) * scale
    scores = scores.masked_fill(~sees, float("-inf"))
    out = torch.einsum("hts,shd->thd", F.softmax(scores, -1), repeated_v)
    out.backward(d_out)
    return dict(scale=scale, window=window, segments=torch.tensor(segments), q=q, k=k, v=v, dOut=d_out, out=out,
                lse=torch.logsumexp(scores, -1).transpose(0, 1), dQ=q.grad, dK=k.grad, dV=v.grad)


def swiglu(t, f, scale):
    gate, up, d_out = leaf(uniform(scale, t, f)), leaf(uniform(1, t, f)), uniform(1, t, f)
    out = F.silu(gate) * up
    out.backward(d_out)
    return dict(gate=gate, up=up, dOut=d_out, out=out, dGate=gate.grad, dUp=up.grad)


def bias(t, n):
    x, b, d_out = uniform(1, t, n), leaf(uniform(1, n)), uniform(1, t, n)
    out = x + b
    out.backward(d_out)
    return dict(x=x, bias=b, dOut=d_out, out=out, dBias=b.grad)


def scale(t, n):
    x, s, d_out = leaf(uniform(1, t, n)), leaf(uniform(1, n)), uniform(1, t, n)
    out = x * s
    out.backward(d_out)
    return dict(x=x, scale=s, dOut=d_out, out=out, dX=x.grad, dScale=s.grad)


def layer_norm(t, c, epsilon, scale):
    x, w, b, d_out = leaf(uniform(scale, t, c)), leaf(uniform(1, c)), leaf(uniform(1, c)), uniform(1, t, c)
    out = F.layer_norm(x, (c,), w, b, epsilon)
    out.backward(d_out)
    return dict(epsilon=epsilon, x=x, w=w, bias=b, dOut=d_out, out=out, mean=x.mean(-1),
                rstd=torch.rsqrt(x.var(-1, unbiased=False) + epsilon), dX=x.grad, dW=w.grad, dBias=b.grad)


def partial_rope(t, h, d, turned, positions):
    """Rotary embedding of the first elements of each head, as GPT-NeoX of transformers has it."""
    case = rope(t, h, turned, positions)
    rest, d_rest = uniform(1, t, h, d - turned), uniform(1, t, h, d - turned)
    for name, tail in dict(x=rest, out=rest, dOut=d_rest, dX=d_rest).items():
        case[name] = torch.cat([case[name].detach(), tail], -1)
    return case


def gelu(t, f, scale):
    x, d_out = leaf(uniform(scale, t, f)), uniform(1, t, f)
    out = F.gelu(x, approximate="tanh")
    out.backward(d_out)
    return dict(x=x, dOut=d_out, out=out, dX=x.grad)


def token_log_prob(n, vocabulary, c, scale):
    x, w = leaf(uniform(scale, n, c)), leaf(uniform(scale, vocabulary, c))
    target, coefficient = indices(vocabulary, n), uniform(1, n)
    logits = F.linear(x, w)
    log_prob = F.log_softmax(logits, -1)[torch.arange(n), target]
    log_prob.backward(coefficient)
    return dict(x=x, w=w, target=target, coefficient=coefficient, logProb=log_prob, lse=torch.logsumexp(logits, -1), dX=x.grad, dW=w.grad)


def adamw(n, steps, learning_rate, betas, epsilon, weight_decay, max_norm):
    """torch.optim.AdamW after clip_grad_norm_; per step the gradient before clipping, its norm, and the weights after the step."""
    start = uniform(1, n)
    parameter = torch.nn.Parameter(start.clone())
    optimizer = torch.optim.AdamW([parameter], lr=learning_rate, betas=betas, eps=epsilon, weight_decay=weight_decay)
    gradients, norms, weights = uniform(2, steps, n), [], []
    gradients[1, 0] = 0
    gradients[:, 1] = 0
    for gradient in gradients:
        parameter.grad = gradient.clone()
        norms.append(torch.nn.utils.clip_grad_norm_([parameter], max_norm))
        optimizer.step()
        weights.append(parameter.detach().clone())
    state = optimizer.state[parameter]
    return dict(learningRate=learning_rate, beta1=betas[0], beta2=betas[1], epsilon=epsilon, weightDecay=weight_decay, maxNorm=max_norm,
                start=start, gradients=gradients, norms=torch.stack(norms), weights=torch.stack(weights), m=state["exp_avg"],
                v=state["exp_avg_sq"])


CAUSAL = [(0, 5, 0, 5, -1)]
# A prompt with two continuations, one of them continued twice; a second tree, whose continuation's rows come before its prompt's.
FOREST = [(0, 3, 0, 3, -1), (3, 2, 3, 2, 0), (5, 1, 5, 1, 0), (6, 2, 6, 2, 1), (8, 1, 8, 1, 1), (11, 2, 11, 2, -1), (9, 2, 9, 2, 5)]
# Keys in a cache with holes: a prompt that asks nothing, two sequences' newest tokens below it, and a prompt's second chunk.
DECODE = [(0, 0, 1, 4, -1), (0, 1, 6, 3, 0), (1, 1, 10, 1, 0), (2, 3, 12, 5, -1)]

write("Embedding", [embedding(7, 5, 3), embedding(1, 1, 1)])
write("Linear", [linear(3, 5, 4, 1.0), linear(1, 2, 7, -0.7)])
write("RmsNorm", [rms_norm(3, 5, 1e-6, 2), rms_norm(2, 4, 0.3, 0.5), rms_norm(1, 1, 1e-5, 1), rms_norm(1, 3, 1e-5, 0.005)])
ropes = [rope(4, 2, 6, 9), rope(3, 1, 2, 60)]
attentions = [attention(5, 5, 2, 2, 3, CAUSAL), attention(13, 13, 4, 2, 2, FOREST), attention(5, 18, 3, 1, 4, DECODE)]
write("SwiGlu", [swiglu(3, 5, 4), swiglu(1, 4, 60)])
write("TokenLogProb", [token_log_prob(4, 7, 3, 1), token_log_prob(3, 5, 2, 20)])
write("AdamW", [adamw(5, 4, 1e-2, (0.9, 0.999), 1e-8, 0.1, 1.0), adamw(3, 3, 0.1, (0.8, 0.9), 0.2, 0.0, 100.0)])
write("Rope", ropes + [partial_rope(3, 2, 7, 4, 9)])
write("Attention", attentions + [attention(5, 5, 2, 2, 3, CAUSAL, window) for window in (1, 3)]
      + [attention(13, 13, 4, 2, 2, FOREST, 4), attention(5, 18, 3, 1, 4, DECODE, 4)])
write("Bias", [bias(3, 5), bias(1, 1)])
write("LayerNorm", [layer_norm(3, 5, 1e-6, 2), layer_norm(2, 4, 0.3, 0.5), layer_norm(1, 3, 1e-5, 0.005)])
write("Gelu", [gelu(3, 5, 4), gelu(1, 4, 40)])
write("Scale", [scale(3, 5), scale(1, 1)])
