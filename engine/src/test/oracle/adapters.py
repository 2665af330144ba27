"""Training of LoRA's relatives in float64 PyTorch: DoRA, PiSSA, LoRA+, rsLoRA, modules that are trained whole, learning rates by name.

    /usr/bin/python3 engine/src/test/oracle/adapters.py

Writes ../resources/oracle/adapters.json: a list of runs over the folders that models.py writes, each with
  model, lora       the folder; the adapter's settings as in adapter_config.json, "pissa" among the values of init_lora_weights
  start             tensors of the adapter before the first step, by PEFT's names; absent with PiSSA, which begins with the weights
  settings          as in models.py, and learning_rates, weight_decays (by regular expressions that are found in names), loraplus_lr_ratio
  documents         the lines; steps, final as in models.py
The layer with DoRA is written as the whole matrix that PEFT's DoraLinearLayer stands for, with the norm detached: x m/|V| V^T with
V = W + scale B A. PiSSA's as PEFT's: the residual W - scale B0 A0 is the frozen weight, by torch.linalg.svd; signs so that the largest
element of a row of A is positive.
"""
import copy
import json
import re

import numpy
import torch
import torch.nn.functional as F

import models

ROOT = models.ROOT


def stored_weights(name):
    """The stored values, which models.py rounds as it makes them."""
    seed = list(models.MODELS).index(name)
    config, kind, _, _ = models.MODELS[name]
    return config, models.make_weights(config, numpy.random.RandomState(42 + seed), kind)


def scale_of(lora, path, rank):
    alpha = models.pattern(lora, "alpha_pattern", path, lora["lora_alpha"])
    return alpha / (rank ** 0.5 if lora["use_rslora"] else rank)


def project(x, config, weights, adapter, path):
    w, bias = weights[path + ".weight"], weights.get(path + ".bias")
    w = w.T if config["model_type"] == "gpt2" else w
    lora, tensors = adapter
    name = f"base_model.model.{path}."
    a, b = tensors.get(name + "lora_A.weight"), tensors.get(name + "lora_B.weight")
    if a is None:
        return F.linear(x, w, bias)
    scale = scale_of(lora, path, a.shape[0])
    residual = lora.get("residual", {}).get(path)
    if residual is not None:
        w = residual
    whole = w + scale * b @ a
    if lora["use_dora"]:
        whole = (tensors[name + "lora_magnitude_vector"] / whole.norm(dim=1).detach())[:, None] * whole
    return F.linear(x, whole, bias)


models.project = project


def pissa(w, scale, rank):
    u, s, v = torch.linalg.svd(w, full_matrices=False)
    root = torch.sqrt(s[:rank] / scale)
    a, b = root[:, None] * v[:rank], u[:, :rank] * root
    largest = torch.gather(a, 1, a.abs().argmax(dim=1, keepdim=True))[:, 0]
    return torch.sign(largest)[:, None] * a, b * torch.sign(largest)


def run(name, title, changes, settings, whole=()):
    config, weights = stored_weights(name)
    lora = {**models.LORA, "target_modules": models.MODELS[name][3]["target_modules"], "use_dora": False, **changes}
    random = numpy.random.RandomState(7)
    start, residual = {}, {}
    for path, columns, rows in models.linears(config):
        number = int(re.search(r"\.(\d+)\.", path).group(1))
        if not any(path.endswith("." + t) for t in lora["target_modules"]) or number not in lora.get("layers_to_transform", [number]):
            continue
        rank = models.pattern(lora, "rank_pattern", path, lora["r"])
        prefix, scale = "base_model.model." + path, scale_of(lora, path, rank)
        w = weights[path + ".weight"]
        w = w.T if config["model_type"] == "gpt2" else w
        if lora.get("init_lora_weights") == "pissa":
            a, b = pissa(w, scale, rank)
            residual[path] = w - scale * b @ a
        else:
            a = models.stored(random.uniform(-0.5, 0.5, (rank, columns)), "F32")
            b = models.stored(changes.get("b_scale", 0.4) * random.standard_normal((rows, rank)), "F32")
        start[prefix + ".lora_A.weight"], start[prefix + ".lora_B.weight"] = a, b
        if lora["use_dora"]:
            m = (w + scale * b @ a).norm(dim=1) * (1 + torch.tensor(0.1 * random.standard_normal(rows)))
            start[prefix + ".lora_magnitude_vector"] = models.stored(m.numpy(), "F32")
    if models.tied(config) and whole:
        # The part of a tied matrix that is trained is a copy; the other stays.
        config = {**config, "tie_word_embeddings": False}
        weights = {**weights, "lm_head.weight": weights["model.embed_tokens.weight"]}
    start.update({n: weights[n] for n in weights if any(n.endswith(module + ".weight") for module in whole)})
    trained = {n: p.clone().requires_grad_() for n, p in start.items()}
    s = {"max_steps": 4, "batch_size": 2, "learning_rate": 1e-2, "adam_beta1": 0.9, "adam_beta2": 0.999, "adam_epsilon": 1e-8,
         "weight_decay": 0.1, "max_grad_norm": 1.0, **settings}

    def rate(n, p):
        for pattern, value in s.get("learning_rates", {}).items():
            if re.search(pattern, n):
                return value
        plus = "lora_B" in n or ".lora_" in n and p.dim() == 1
        return s["learning_rate"] * (s.get("loraplus_lr_ratio", 1.0) if plus else 1.0)

    def decay(n, p):
        for pattern, value in s.get("weight_decays", {}).items():
            if re.search(pattern, n):
                return value
        return s["weight_decay"] if p.dim() >= 2 else 0.0

    optimizer = torch.optim.AdamW([{"params": [p], "lr": rate(n, p), "weight_decay": decay(n, p)} for n, p in trained.items()],
                                  betas=(s["adam_beta1"], s["adam_beta2"]), eps=s["adam_epsilon"])
    lines = [{"input_ids": random.randint(0, config["vocab_size"], size).tolist(), "completion_start": begin}
             for size, begin in ((11, 4), (6, 5), (15, 7), (7, 2), (3, 1))]
    order, steps = models.batches(len(lines), s["batch_size"]), []
    for step in range(1, s["max_steps"] + 1):
        now = {**weights, **{n: p for n, p in trained.items() if n in weights}}
        loss = torch.stack([models.document_loss((config, now, ({**lora, "residual": residual}, trained)), lines[i]) for i in next(order)]).mean()
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(list(trained.values()), s["max_grad_norm"])
        optimizer.step()
        steps.append({"step": step, "loss": loss.item(), "grad_norm": norm.item()})
    final = {n: {"sum": p.sum().item(), "sum_squares": p.pow(2).sum().item(), "first": p.reshape(-1)[:3].tolist()} for n, p in trained.items()}
    result = {"model": name, "name": title, "lora": {k: v for k, v in lora.items() if k != "b_scale"}, "whole": list(whole), "settings": s,
              "documents": lines, "steps": steps, "final": final}
    if not residual:
        result["start"] = {n: {"shape": list(p.shape), "data": p.reshape(-1).tolist()} for n, p in start.items() if "lora" in n}
    return result


def main():
    dora = {"use_dora": True}
    runs = [run("llama-untied", "dora", dora, {}), run("gpt2", "dora, transposed with biases", dora, {}),
            run("llama-tied", "fresh dora with loraplus", {**dora, "b_scale": 0.0}, {"loraplus_lr_ratio": 16.0}),
            run("llama-untied", "pissa", {"init_lora_weights": "pissa"}, {}),
            run("gpt2", "pissa, transposed", {"init_lora_weights": "pissa", "use_rslora": True}, {}),
            run("llama-untied", "rslora, patterns, one layer",
                {"use_rslora": True, "layers_to_transform": [1], "rank_pattern": {"q_proj": 3}, "alpha_pattern": {"v_proj": 5}}, {}),
            run("llama-untied", "modules to save", {"modules_to_save": ["embed_tokens", "lm_head", "norm"]},
                {"learning_rates": {"embed|lm_head": 1e-3, "lora_A": 3e-2}, "weight_decays": {"norm": 0.3, "lm_head": 0.0}},
                ("embed_tokens", "lm_head", "model.norm", "input_layernorm", "post_attention_layernorm")),
            run("llama-tied", "a head of its own", {"modules_to_save": ["lm_head"]}, {}, ("lm_head",)),
            run("llama-tied", "an embedding of its own", {"modules_to_save": ["embed_tokens"]}, {}, ("embed_tokens",))]
    (ROOT / "adapters.json").write_text("[\n" + ",\n".join(json.dumps(each) for each in runs) + "\n]\n")


if __name__ == "__main__":
    main()
