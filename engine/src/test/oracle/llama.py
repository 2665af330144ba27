"""A Llama in PyTorch, independent of the engine: two tiny models as Hugging Face folders, and float64 numbers about them.

Run from anywhere, with PyTorch 1.13 (Debian's python3-torch 1.13.0), on the CPU:

    python3 engine/src/test/oracle/llama.py

The model was compared, once and in float64, with the layers of transformers 4.57.6 (its LlamaDecoderLayer, LlamaRMSNorm and
LlamaRotaryEmbedding): log-probabilities and gradients differ by at most 6e-15, greedy continuations not at all.

It writes, the same bytes every time, two folders engine/src/test/resources/oracle/llama-tied and llama-untied (its head size is not
hidden_size / heads), each with
  config.json, model.safetensors   the model: F32 weights. All numbers below start from exactly these values, widened to float64.
  adapter-start/                   a PEFT LoRA on q_proj and v_proj, rank 2, alpha 4, A random, B zero, F32
  adapter/                         another one, A and B random
  gradient.safetensors             F64: the gradient of cross_entropy.loss with respect to every parameter, by autograd; names as in the
                                   model; the tied model's embedding has the sum of both uses
  oracle.json:
    score, score_adapter   lines as the score command reads and writes them: logprobs[i] is the natural-log probability of
                           input_ids[completion_start + i] after all tokens before it; without and with adapter/
    greedy                 output_ids: the most probable token, 16 times, end-of-sequence tokens counting as any other; logprobs: of each;
                           margin: the smallest distance, on the way, between the two largest logits
    cross_entropy          loss: the mean over the documents of the mean negative log-likelihood of a document's tokens from
                           completion_start on
    runs                   training runs, each starting from model.safetensors; one entry:
        name, settings     as the command's options; lines are taken in file order, a last short batch is used, then the file starts
                           again; constant learning rate; torch.nn.utils.clip_grad_norm_ then torch.optim.AdamW, weight decay on
                           parameters of two or more dimensions only (LoRA's matrices too)
        adapter            null: all parameters are trained; else the folder whose LoRA is trained, the model frozen
        data               the lines
        replay             settings.replay_batch_size documents of these are added to every step, in order, endlessly
        steps              one object a step, before its update: loss; grad_norm before clipping; for preference pairs the means over the
                           step's lines of rewards/chosen = beta (log-probability under the policy - under the reference),
                           rewards/rejected, rewards/margins, rewards/accuracies (margin > 0) and logps/chosen, logps/rejected
        final              of every trained parameter after the last step: sum, sum_squares and the first three entries

The loss of a step is the mean over its lines of weight (default 1) times the line's loss. A document's loss is the mean negative
log-likelihood of its tokens from completion_start on. A pair's loss is the sum over loss_type of loss_weights times
  sigmoid   -(1-s) log sigmoid(beta margin) - s log sigmoid(-beta margin), s the label smoothing, margin = (chosen - rejected) under the
            policy minus the same under the reference, each a sum over the completion's tokens
  sft       the mean negative log-likelihood of the chosen completion's tokens
Replayed documents add replay_weight times the mean of their losses. The reference is the starting model without any adapter.
"""
import json
import pathlib
import struct

import numpy
import torch
import torch.nn.functional as F

ROOT = pathlib.Path(__file__).resolve().parents[1] / "resources" / "oracle"
torch.set_default_dtype(torch.float64)

BASE = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 37, "hidden_size": 16, "intermediate_size": 24,
    "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_act": "silu", "max_position_embeddings": 64,
    "initializer_range": 0.02, "attention_bias": False, "mlp_bias": False, "bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "float32",
}
CONFIGS = {
    "llama-tied": {**BASE, "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "tie_word_embeddings": True},
    "llama-untied": {**BASE, "rms_norm_eps": 1e-3, "rope_theta": 500000.0, "tie_word_embeddings": False, "head_dim": 6},
}
LORA = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 2, "lora_alpha": 4, "lora_dropout": 0.0, "bias": "none",
        "target_modules": ["q_proj", "v_proj"], "fan_in_fan_out": False, "use_rslora": False, "inference_mode": True,
        "base_model_name_or_path": ".."}


# ---- the model ----

def shapes(config):
    c, f, v = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    d = config.get("head_dim", c // config["num_attention_heads"])
    h, g = config["num_attention_heads"] * d, config["num_key_value_heads"] * d
    yield "model.embed_tokens.weight", (v, c)
    for i in range(config["num_hidden_layers"]):
        layer = f"model.layers.{i}."
        yield layer + "input_layernorm.weight", (c,)
        yield layer + "self_attn.q_proj.weight", (h, c)
        yield layer + "self_attn.k_proj.weight", (g, c)
        yield layer + "self_attn.v_proj.weight", (g, c)
        yield layer + "self_attn.o_proj.weight", (c, h)
        yield layer + "post_attention_layernorm.weight", (c,)
        yield layer + "mlp.gate_proj.weight", (f, c)
        yield layer + "mlp.up_proj.weight", (f, c)
        yield layer + "mlp.down_proj.weight", (c, f)
    yield "model.norm.weight", (c,)
    if not config["tie_word_embeddings"]:
        yield "lm_head.weight", (v, c)


def norm(x, weight, config):
    return weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + config["rms_norm_eps"]))


def project(x, weights, adapter, name):
    out = F.linear(x, weights[name + ".weight"])
    a = (adapter or {}).get(f"base_model.model.{name}.lora_A.weight")
    if a is not None:
        b = adapter[f"base_model.model.{name}.lora_B.weight"]
        out = out + LORA["lora_alpha"] / LORA["r"] * F.linear(F.linear(x, a), b)
    return out


def rotate_half(x):
    x1, x2 = x.chunk(2, dim=-1)
    return torch.cat((-x2, x1), dim=-1)


def logits(config, weights, adapter, ids):
    """(T,V) of one sequence."""
    heads, groups = config["num_attention_heads"], config["num_key_value_heads"]
    d = config.get("head_dim", config["hidden_size"] // heads)
    t = len(ids)
    frequency = 1.0 / config["rope_theta"] ** (torch.arange(0, d, 2).double() / d)
    angle = torch.outer(torch.arange(t).double(), frequency)
    cos, sin = torch.cat((angle, angle), -1).cos(), torch.cat((angle, angle), -1).sin()
    hidden = torch.full((t, t), float("-inf")).triu(1)
    x = weights["model.embed_tokens.weight"][torch.tensor(ids)]
    for i in range(config["num_hidden_layers"]):
        layer = f"model.layers.{i}."
        y = norm(x, weights[layer + "input_layernorm.weight"], config)
        q, k, v = (project(y, weights, adapter, layer + f"self_attn.{which}_proj").view(t, -1, d).transpose(0, 1) for which in "qkv")
        q, k = (z * cos + rotate_half(z) * sin for z in (q, k))
        k, v = (z.repeat_interleave(heads // groups, dim=0) for z in (k, v))
        attention = torch.softmax(q @ k.transpose(1, 2) / d ** 0.5 + hidden, dim=-1) @ v
        x = x + project(attention.transpose(0, 1).reshape(t, heads * d), weights, adapter, layer + "self_attn.o_proj")
        y = norm(x, weights[layer + "post_attention_layernorm.weight"], config)
        gate, up = (project(y, weights, adapter, layer + f"mlp.{which}_proj") for which in ("gate", "up"))
        x = x + project(F.silu(gate) * up, weights, adapter, layer + "mlp.down_proj")
    x = norm(x, weights["model.norm.weight"], config)
    return F.linear(x, weights["model.embed_tokens.weight" if config["tie_word_embeddings"] else "lm_head.weight"])


def logprobs(config, weights, adapter, ids, start):
    """Of the tokens from index start on, one each."""
    log_p = torch.log_softmax(logits(config, weights, adapter, ids), dim=-1)
    return torch.stack([log_p[i - 1, ids[i]] for i in range(start, len(ids))])


# ---- files ----

def write_safetensors(path, tensors, kind):
    """Eight bytes little-endian: the header's length; the header; the data."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, tensor in tensors.items():
        raw = tensor.detach().numpy().astype({"F32": "<f4", "F64": "<f8"}[kind]).tobytes()
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(head)) + head + data)


def write_json(path, value):
    """Indented down to the lines of data and the steps, each of which is one line."""
    def lines(value, indent):
        inner = indent + "  "
        if isinstance(value, dict) and any(isinstance(x, (dict, list)) and len(json.dumps(x)) > 100 for x in value.values()):
            return "{\n" + ",\n".join(f"{inner}{json.dumps(k)}: {lines(x, inner)}" for k, x in value.items()) + f"\n{indent}}}"
        if isinstance(value, list) and value and isinstance(value[0], dict):
            return "[\n" + ",\n".join(inner + lines(x, inner) for x in value) + f"\n{indent}]"
        return json.dumps(value)
    path.write_text(lines(value, "") + "\n")


def f32(array):
    """What is left after storing as F32, in float64."""
    return torch.tensor(numpy.asarray(array).astype(numpy.float32).astype(numpy.float64))


def make_weights(config, random):
    weights = {}
    for name, shape in shapes(config):
        scale = 1.0 if name == "model.embed_tokens.weight" else 0.3
        weights[name] = f32(scale * random.standard_normal(shape) + (1 if len(shape) == 1 else 0))
    return weights


def make_adapter(config, random, b_scale):
    adapter = {}
    for name, (rows, columns) in ((n, s) for n, s in shapes(config) if len(s) == 2):
        if any(target in name for target in LORA["target_modules"]):
            path = "base_model.model." + name[:-len(".weight")]
            adapter[path + ".lora_A.weight"] = f32(random.uniform(-0.5, 0.5, (LORA["r"], columns)))
            adapter[path + ".lora_B.weight"] = f32(b_scale * random.standard_normal((rows, LORA["r"])))
    return adapter


def write_adapter(folder, adapter):
    write_safetensors(folder / "adapter_model.safetensors", adapter, "F32")
    (folder / "adapter_config.json").write_text(json.dumps(LORA, indent=2) + "\n")


# ---- numbers ----

def score(config, weights, adapter, lines):
    return [{**line, "logprobs": logprobs(config, weights, adapter, line["input_ids"], line["completion_start"]).tolist()}
            for line in lines]


def greedy(config, weights, line):
    ids, log_p, margin = list(line["input_ids"]), [], float("inf")
    for _ in range(16):
        last = logits(config, weights, None, ids)[-1]
        best = torch.topk(last, 2)
        margin = min(margin, (best.values[0] - best.values[1]).item())
        log_p.append(torch.log_softmax(last, -1)[best.indices[0]].item())
        ids.append(best.indices[0].item())
    return {**line, "output_ids": ids[len(line["input_ids"]):], "logprobs": log_p, "margin": margin}


def document_loss(model, line):
    return -logprobs(*model, line["input_ids"], line["completion_start"]).mean()


def pair_loss(model, reference, line, s, log):
    prompt, values = line["prompt_input_ids"], {}
    for side in ("chosen", "rejected"):
        ids = prompt + line[side + "_input_ids"]
        values[side] = logprobs(*model, ids, len(prompt)).sum()
        with torch.no_grad():
            values["reference " + side] = logprobs(*reference, ids, len(prompt)).sum()
        log.setdefault("rewards/" + side, []).append(s["beta"] * (values[side] - values["reference " + side]).item())
        log.setdefault("logps/" + side, []).append(values[side].item())
    margin = values["chosen"] - values["rejected"] - (values["reference chosen"] - values["reference rejected"])
    log.setdefault("rewards/margins", []).append(s["beta"] * margin.item())
    log.setdefault("rewards/accuracies", []).append(float(margin.item() > 0))
    smoothing = s["label_smoothing"]
    losses = {"sigmoid": -(1 - smoothing) * F.logsigmoid(s["beta"] * margin) - smoothing * F.logsigmoid(-s["beta"] * margin),
              "sft": -values["chosen"] / len(line["chosen_input_ids"])}
    return sum(weight * losses[kind] for kind, weight in zip(s["loss_type"], s["loss_weights"]))


def batches(count, size):
    """File order, the last batch short, and again from the start."""
    while True:
        for first in range(0, count, size):
            yield range(first, min(first + size, count))


def train(config, start, name, data, settings, adapter_name=None, start_adapter=None, replay=()):
    s = {"max_steps": 5, "batch_size": 2, "learning_rate": 1e-3, "adam_beta1": 0.9, "adam_beta2": 0.999, "adam_epsilon": 1e-8,
         "weight_decay": 0.1, "max_grad_norm": 1.0, **settings}
    trained = {k: v.clone().requires_grad_() for k, v in (start if start_adapter is None else start_adapter).items()}
    model = (config, trained, None) if start_adapter is None else (config, start, trained)
    decayed, others = [p for p in trained.values() if p.dim() >= 2], [p for p in trained.values() if p.dim() < 2]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": s["weight_decay"]}, {"params": others, "weight_decay": 0.0}],
                                  lr=s["learning_rate"], betas=(s["adam_beta1"], s["adam_beta2"]), eps=s["adam_epsilon"])
    order, steps, replayed = batches(len(data), s["batch_size"]), [], 0
    for step in range(1, s["max_steps"] + 1):
        log, losses = {}, []
        for line in (data[i] for i in next(order)):
            loss = pair_loss(model, (config, start, None), line, s, log) if "prompt_input_ids" in line else document_loss(model, line)
            losses.append(line.get("weight", 1) * loss)
        loss = torch.stack(losses).mean()
        if replay:
            documents = [replay[(replayed + i) % len(replay)] for i in range(s["replay_batch_size"])]
            replayed += len(documents)
            loss = loss + s["replay_weight"] * torch.stack([document_loss(model, line) for line in documents]).mean()
        optimizer.zero_grad()
        loss.backward()
        grad_norm = torch.nn.utils.clip_grad_norm_(list(trained.values()), s["max_grad_norm"])
        optimizer.step()
        steps.append({"step": step, "loss": loss.item(), "grad_norm": grad_norm.item(),
                      **{key: sum(values) / len(values) for key, values in log.items()}})
    final = {k: {"sum": p.sum().item(), "sum_squares": p.pow(2).sum().item(), "first": p.reshape(-1)[:3].tolist()}
             for k, p in trained.items()}
    return {"name": name, "settings": s, "adapter": adapter_name, "data": data, "replay": list(replay), "steps": steps, "final": final}


def main():
    for seed, (name, config) in enumerate(CONFIGS.items()):
        folder, random = ROOT / name, numpy.random.RandomState(42 + seed)

        def tokens(low, high):
            return random.randint(0, config["vocab_size"], random.randint(low, high + 1)).tolist()

        weights = make_weights(config, random)
        adapter_start, adapter = make_adapter(config, random, 0.0), make_adapter(config, random, 0.4)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        write_safetensors(folder / "model.safetensors", weights, "F32")
        write_adapter(folder / "adapter-start", adapter_start)
        write_adapter(folder / "adapter", adapter)

        lines = [{"id": f"s{i}", "input_ids": ids, "completion_start": random.randint(1, len(ids))}
                 for i, ids in enumerate([tokens(2, 2), tokens(5, 9), tokens(20, 24), tokens(8, 12)])]
        lines[2]["completion_start"] = 1
        prompts = [{"id": f"g{i}", "input_ids": tokens(1 + 4 * i, 3 + 4 * i)} for i in range(3)]
        documents = [{"input_ids": ids, "completion_start": start} for ids, start in
                     [(tokens(9, 12), 4), (tokens(6, 6), 5), (tokens(14, 16), 7), (tokens(5, 8), 2), (tokens(2, 2), 1)]]
        texts = [{"input_ids": tokens(6, 18), "completion_start": 1} for _ in range(5)]
        pairs = [{"prompt_input_ids": tokens(1, 8), "chosen_input_ids": tokens(1, 6), "rejected_input_ids": tokens(1, 6)} for _ in range(5)]
        weighted = [{**pair, "weight": weight} for pair, weight in zip(pairs, [0.5, 2.0, 1.0, 3.0, 0.25])]

        whole = {k: v.clone().requires_grad_() for k, v in weights.items()}
        loss = torch.stack([document_loss((config, whole, None), line) for line in documents]).mean()
        loss.backward()
        write_safetensors(folder / "gradient.safetensors", {k: p.grad for k, p in whole.items()}, "F64")

        dpo = {"beta": 0.1, "loss_type": ["sigmoid"], "loss_weights": [1.0], "label_smoothing": 0.0}
        replay = {"replay_batch_size": 2, "replay_weight": 0.7}
        write_json(folder / "oracle.json", {
            "torch": torch.__version__,
            "score": score(config, weights, None, lines),
            "score_adapter": score(config, weights, adapter, lines),
            "greedy": [greedy(config, weights, line) for line in prompts],
            "cross_entropy": {"documents": documents, "loss": loss.item()},
            "runs": [
                train(config, weights, "dpo", pairs, dpo),
                train(config, weights, "dpo without weight decay", pairs, {**dpo, "weight_decay": 0.0}),
                train(config, weights, "dpo and sft", pairs, {**dpo, "loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, 1.0]}),
                train(config, weights, "dpo with label smoothing, beta 0.5 and weights", weighted,
                      {**dpo, "beta": 0.5, "label_smoothing": 0.1, "learning_rate": 1e-2, "adam_beta2": 0.95}),
                train(config, weights, "dpo and sft with replay", pairs,
                      {**dpo, **replay, "loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, 0.3]}, replay=texts[:3]),
                train(config, weights, "dpo of a fresh adapter", pairs, dpo, "adapter-start", adapter_start),
                train(config, weights, "dpo of a trained adapter", pairs, dpo, "adapter", adapter),
                train(config, weights, "sft", documents, {}),
                train(config, weights, "pretrain", texts, {"batch_size": 3, "learning_rate": 1e-2, "max_grad_norm": 5.0}),
            ],
        })


main()
