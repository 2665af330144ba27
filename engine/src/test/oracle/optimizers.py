"""Training with Muon and Schedule-Free AdamW in float64, independent of the engine, written from the papers.

    /usr/bin/python3 engine/src/test/oracle/optimizers.py

Writes ../resources/oracle/optimizers.json: a list of runs over the folders that models.py writes, each with
  model, adapter    the folder; null: all parameters are trained; else the folder whose LoRA is trained
  settings          as in models.py, and optimizer, warmup_steps (linear from 0, then constant) and the optimizer's own
  documents         the lines; two passes a step where micro_batch_size is half of batch_size
  steps             one object a step, before its update: loss, grad_norm before clipping
  final             of every trained parameter after the last step: sum, sum_squares and the first three entries
  model_final       the same of the model that is saved, Schedule-Free's x; absent with Muon, where it is final
  eval_loss         the mean loss of all documents under that model

Muon (Jordan et al. 2024; Liu et al. 2025): B = m B + (1 - m) g, u = NS5((1 - m) g + m B), w = (1 - lr wd) w - lr f u, with the polynomial
3.4445 X - 4.7750 (XX^T) X + 2.0315 (XX^T)^2 X, and f = sqrt(max(1, out/in)) or 0.2 sqrt(max(out, in)). Queries, keys and values of GPT-2's
c_attn are three matrices. Embeddings, positions, the head and vectors: torch.optim.AdamW. NS5 is by singular values here, not by products.

Schedule-Free (Defazio et al. 2024, algorithm 1, with decay at y): x, y and z are all kept.
"""
import json
import math

import numpy
import torch

import models


def newton_schulz(g):
    u, s, v = torch.linalg.svd(g, full_matrices=False)
    s = s / max(torch.linalg.norm(s), 1e-7)
    for _ in range(5):
        s = 3.4445 * s - 4.7750 * s ** 3 + 2.0315 * s ** 5
    return u @ torch.diag(s) @ v


class Muon:
    def __init__(self, trained, s, gpt2):
        self.s, self.gpt2 = s, gpt2
        self.hidden = {n: p for n, p in trained.items() if p.dim() == 2 and not any(e in n for e in ("embed_tokens", "lm_head", "wte", "wpe"))}
        self.buffers = {n: torch.zeros_like(p) for n, p in self.hidden.items()}
        others = [p for n, p in trained.items() if n not in self.hidden]
        self.adamw = torch.optim.AdamW(
            [{"params": [p for p in others if p.dim() >= 2], "weight_decay": s["weight_decay"]},
             {"params": [p for p in others if p.dim() < 2], "weight_decay": 0.0}],
            betas=(s["adam_beta1"], s["adam_beta2"]), eps=s["adam_epsilon"]) if others else None

    def factor(self, rows, columns):
        return math.sqrt(max(1, rows / columns)) if self.s["adjust_lr_fn"] == "original" else 0.2 * math.sqrt(max(rows, columns))

    def step(self, height):
        if self.adamw:
            for group in self.adamw.param_groups:
                group["lr"] = height * self.s["adamw_learning_rate"]
            self.adamw.step()
        lr, m = height * self.s["learning_rate"], self.s["muon_momentum"]
        for n, p in self.hidden.items():
            conv = self.gpt2 and "lora" not in n
            self.buffers[n] = m * self.buffers[n] + (1 - m) * p.grad
            nesterov = (1 - m) * p.grad + m * self.buffers[n]
            matrices = (nesterov.T if conv else nesterov).chunk(3 if conv and "c_attn" in n else 1)
            update = torch.cat([self.factor(*each.shape) * newton_schulz(each) for each in matrices])
            p.data = (1 - lr * self.s["weight_decay"]) * p.data - lr * (update.T if conv else update)


class ScheduleFree:
    def __init__(self, trained, s):
        self.s, self.y = s, trained
        self.x = {n: p.detach().clone() for n, p in trained.items()}
        self.z = {n: p.detach().clone() for n, p in trained.items()}
        self.v = {n: torch.zeros_like(p) for n, p in trained.items()}
        self.t, self.total, self.highest = 0, 0.0, 0.0

    def step(self, height):
        s, beta1, beta2 = self.s, self.s["adam_beta1"], self.s["adam_beta2"]
        self.t += 1
        lr = height * s["learning_rate"]
        self.highest = max(self.highest, lr)
        weight = self.t ** s["schedule_free_r"] * self.highest ** s["weight_lr_power"]
        self.total += weight
        c = weight / self.total if self.total > 0 else 0.0
        for n, y in self.y.items():
            self.v[n] = beta2 * self.v[n] + (1 - beta2) * y.grad ** 2
            root = torch.sqrt(self.v[n] / (1 - beta2 ** self.t))
            decay = s["weight_decay"] if y.dim() >= 2 else 0.0
            self.z[n] = self.z[n] - lr * (y.grad / (root + s["adam_epsilon"]) + decay * y.data)
            self.x[n] = (1 - c) * self.x[n] + c * self.z[n]
            y.data = (1 - beta1) * self.z[n] + beta1 * self.x[n]


def summary(trained):
    return {n: {"sum": p.sum().item(), "sum_squares": p.pow(2).sum().item(), "first": p.reshape(-1)[:3].tolist()} for n, p in trained.items()}


def run(name, adapter, settings):
    config, kind, _, lora = models.MODELS[name]
    weights = models.make_weights(config, numpy.random.RandomState(42 + list(models.MODELS).index(name)), kind)
    random = numpy.random.RandomState(11)
    trained = {n: p.clone().requires_grad_() for n, p in (read(name, adapter) if adapter else weights).items()}
    s = {"max_steps": 6, "batch_size": 4, "micro_batch_size": 2, "learning_rate": 1e-2, "warmup_steps": 3, "weight_decay": 0.1,
         "max_grad_norm": 1.0, "adam_beta1": 0.9, "adam_beta2": 0.99, "adam_epsilon": 1e-8, **settings}
    lines = [{"input_ids": random.randint(0, config["vocab_size"], size).tolist(), "completion_start": begin}
             for size, begin in ((11, 4), (6, 5), (15, 7), (7, 2), (9, 1), (5, 1))]

    def loss_of(values, some):
        now = (config, weights, (lora, values)) if adapter else (config, values, None)
        return torch.stack([models.document_loss(now, lines[i]) for i in some]).mean()

    free = s["optimizer"] == "schedule_free_adamw"
    optimizer = ScheduleFree(trained, s) if free else Muon(trained, s, config["model_type"] == "gpt2")
    order, steps = models.batches(len(lines), s["batch_size"]), []
    for step in range(s["max_steps"]):
        for p in trained.values():
            p.grad = None
        loss = loss_of(trained, next(order))
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(list(trained.values()), s["max_grad_norm"] or math.inf)
        optimizer.step(min(1.0, step / s["warmup_steps"]) if s["warmup_steps"] else 1.0)
        steps.append({"step": step + 1, "loss": loss.item(), "grad_norm": norm.item()})
    result = {"model": name, "adapter": adapter, "settings": s, "documents": lines, "steps": steps, "final": summary(trained)}
    if free:
        result["model_final"] = summary(optimizer.x)
    result["eval_loss"] = loss_of(optimizer.x if free else trained, range(len(lines))).item()
    return result


def read(name, adapter):
    content = (models.ROOT / name / adapter / "adapter_model.safetensors").read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8:8 + size])
    return {n: torch.tensor(numpy.frombuffer(content[8 + size:], "<f4")[slice(*(o // 4 for o in t["data_offsets"]))].reshape(t["shape"]).astype("f8"))
            for n, t in header.items() if n != "__metadata__"}


def main():
    muon = {"optimizer": "muon", "muon_momentum": 0.95, "adjust_lr_fn": "match_rms_adamw", "adamw_learning_rate": 3e-3}
    free = {"optimizer": "schedule_free_adamw", "schedule_free_r": 0.0, "weight_lr_power": 2.0}
    runs = [run("llama-untied", None, muon), run("gpt2", None, {**muon, "adjust_lr_fn": "original", "muon_momentum": 0.8}),
            run("llama-untied", "adapter", muon), run("gpt2", "adapter", {**muon, "max_grad_norm": 0.0}),
            run("llama-tied", None, free), run("llama-tied", None, {**free, "schedule_free_r": 1.5, "weight_lr_power": 1.0, "warmup_steps": 0}),
            run("llama-untied", "adapter", {**free, "adam_beta1": 0.95})]
    (models.ROOT / "optimizers.json").write_text("[\n" + ",\n".join(json.dumps(each) for each in runs) + "\n]\n")


if __name__ == "__main__":
    main()
