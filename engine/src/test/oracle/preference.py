"""Every preference loss and its gradient in float64 PyTorch, on log-probabilities alone, and Direct Consistency Optimization of a whole model.

Writes ../resources/oracle/preference.json. The formulas of one-language losses are those of TRL's DPOTrainer.dpo_loss (loss_type), that of dco
is equation 10 of arXiv 2603.04678 with gamma_1 = 1 and gamma_2 = beta squared. Gradients come from autograd. Models, folders and optimizer are
those of models.py, which must have run before.
"""
import json
import pathlib

import numpy
import torch
import torch.nn.functional as F

import models

torch.set_default_dtype(torch.float64)
ROOT = pathlib.Path(__file__).resolve().parent.parent / "resources/oracle"


def one_language(kind, beta, smoothing, chosen, rejected, ref_chosen, ref_rejected, chosen_tokens, rejected_tokens):
    if kind == "ipo":
        chosen, ref_chosen = chosen / chosen_tokens, ref_chosen / chosen_tokens
        rejected, ref_rejected = rejected / rejected_tokens, ref_rejected / rejected_tokens
    a, b = chosen - ref_chosen, rejected - ref_rejected
    logits = a - b
    return {
        "sigmoid": lambda: -F.logsigmoid(beta * logits) * (1 - smoothing) - F.logsigmoid(-beta * logits) * smoothing,
        "robust": lambda: (-F.logsigmoid(beta * logits) * (1 - smoothing) + F.logsigmoid(-beta * logits) * smoothing) / (1 - 2 * smoothing),
        "hinge": lambda: torch.relu(1 - beta * logits),
        "ipo": lambda: (logits - 1 / (2 * beta)) ** 2,
        "sppo_hard": lambda: (a - 0.5 / beta) ** 2 + (b + 0.5 / beta) ** 2,
        "nca_pair": lambda: -F.logsigmoid(beta * a) - 0.5 * F.logsigmoid(-beta * a) - 0.5 * F.logsigmoid(-beta * b),
        "apo_zero": lambda: 1 - torch.sigmoid(beta * a) + torch.sigmoid(beta * b),
        "apo_down": lambda: torch.sigmoid(beta * a) + 1 - torch.sigmoid(beta * (a - b)),
        "sft": lambda: -chosen / chosen_tokens,
    }[kind]()


def dco(beta, first, second, ref_first, ref_second):
    delta_1, delta_2 = (first[0] - first[1]) - (ref_first[0] - ref_first[1]), (second[0] - second[1]) - (ref_second[0] - ref_second[1])
    return (delta_1 - (ref_second[0] - ref_second[1]) / beta).abs() + (delta_2 - beta * (ref_first[0] - ref_first[1])).abs()


def values(random):
    """One-language losses on random log-probabilities."""
    cases = []
    for kind in ("sigmoid", "robust", "hinge", "ipo", "sppo_hard", "nca_pair", "apo_zero", "apo_down", "sft"):
        for beta, smoothing in ((0.1, 0.0), (0.7, 0.2)):
            for _ in range(3):
                logp = -random.uniform(1, 40, 2) / 4
                ref = logp + random.uniform(-3, 3, 2)
                tokens = random.randint(1, 9, 2)
                policy = torch.tensor(logp, requires_grad=True)
                loss = one_language(kind, beta, smoothing, policy[0], policy[1], *ref, *tokens.tolist())
                loss.backward()
                cases.append({"loss_type": kind, "beta": beta, "label_smoothing": smoothing, "logps": logp.tolist(), "reference": ref.tolist(),
                              "tokens": tokens.tolist(), "loss": loss.item(), "gradient": policy.grad.tolist()})
    return cases


def two_language_values(random):
    cases = []
    for beta in (1.0, 0.5, 3.0):
        for _ in range(4):
            logp = -random.uniform(1, 40, 4) / 4
            ref = logp + random.uniform(-3, 3, 4)
            policy = torch.tensor(logp, requires_grad=True)
            loss = dco(beta, policy[:2], policy[2:], ref[:2], ref[2:])
            loss.backward()
            cases.append({"beta": beta, "logps": logp.tolist(), "reference": ref.tolist(), "loss": loss.item(), "gradient": policy.grad.tolist()})
    return cases


def pair_values(model, reference, line, language):
    prompt, found = line[f"prompt_{language}_input_ids"], []
    for side in ("chosen", "rejected"):
        ids = prompt + line[f"{side}_{language}_input_ids"]
        with torch.no_grad():
            ref = models.logprobs(*reference, ids, len(prompt)).sum()
        found.append((models.logprobs(*model, ids, len(prompt)).sum(), ref))
    return found


def train(config, weights, data, beta, loss_type, loss_weights, batch_size, steps):
    """As train() in models.py, for lines in two languages; AdamW, weight decay 0.1 for matrices, gradients clipped to 1."""
    trained = {k: v.clone().requires_grad_() for k, v in weights.items()}
    model, reference = (config, trained, None), (config, weights, None)
    optimizer = torch.optim.AdamW([{"params": [p for p in trained.values() if p.dim() >= 2], "weight_decay": 0.1},
                                   {"params": [p for p in trained.values() if p.dim() < 2], "weight_decay": 0.0}], lr=1e-3)
    log, order = [], models.batches(len(data), batch_size)
    for step in range(1, steps + 1):
        losses, margins, consistent = [], [], []
        for line in (data[i] for i in next(order)):
            both = [pair_values(model, reference, line, language) for language in (1, 2)]
            loss = 0
            for kind, weight in zip(loss_type, loss_weights):
                if kind == "dco":
                    loss = loss + weight * dco(beta, *[[v for v, _ in pair] for pair in both], *[[r for _, r in pair] for pair in both])
                else:
                    for language, pair in zip((1, 2), both):
                        tokens = [len(line[f"{side}_{language}_input_ids"]) for side in ("chosen", "rejected")]
                        loss = loss + weight / 2 * one_language(kind, beta, 0.0, pair[0][0], pair[1][0], pair[0][1], pair[1][1], *tokens)
            losses.append(line.get("weight", 1) * loss)
            margins += [beta * ((pair[0][0] - pair[1][0]) - (pair[0][1] - pair[1][1])).item() for pair in both]
            consistent.append(float((both[0][0][0] > both[0][1][0]).item() == (both[1][0][0] > both[1][1][0]).item()))
        loss = torch.stack(losses).mean()
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(list(trained.values()), 1.0)
        optimizer.step()
        log.append({"step": step, "loss": loss.item(), "grad_norm": norm.item(), "rewards/margins": sum(margins) / len(margins),
                    "consistency": sum(consistent) / len(consistent)})
    final = {k: {"sum": p.sum().item(), "sum_squares": p.pow(2).sum().item()} for k, p in trained.items()}
    return {"beta": beta, "loss_type": loss_type, "loss_weights": loss_weights, "batch_size": batch_size, "data": data, "steps": log,
            "final": final}


def main():
    random = numpy.random.RandomState(7)
    name, (config, kind, _, _) = next(iter(models.MODELS.items()))
    weights = models.make_weights(config, numpy.random.RandomState(42), kind)

    def tokens(low, high):
        return random.randint(0, config["vocab_size"], random.randint(low, high + 1)).tolist()

    data = [{f"{field}_{language}_input_ids": tokens(1, 6) for language in (1, 2) for field in ("prompt", "chosen", "rejected")} for _ in range(5)]
    for line, weight in zip(data, (1, 2.5, 1, 0.5, 1)):
        line["weight"] = weight
    runs = [train(config, weights, data, 1.0, ["dco"], [1.0], 2, 5),
            train(config, weights, data, 2.0, ["dco", "sft", "sigmoid"], [1.0, 0.5, 0.25], 5, 4)]
    json.dump({"model": name, "losses": values(random), "dco": two_language_values(random), "runs": runs},
              (ROOT / "preference.json").open("w"), indent=1)


main()
