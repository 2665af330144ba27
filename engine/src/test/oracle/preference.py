"""Every preference loss and its gradient in float64 PyTorch, on log-probabilities alone, and Direct Consistency Optimization of a whole model.

Writes ../resources/oracle/preference.json. The formulas of one-language losses are those of TRL's DPOTrainer (loss_type), of
its CPOTrainer for simpo and cpo, of its KTOTrainer for kto and apo_zero_unpaired, and of ORPO's paper (eqs. 6 and 7) for orpo, that of dco
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


DEFAULTS = {"f_divergence_type": "reverse_kl", "f_alpha_divergence_coef": 0.5, "discopop_tau": 0.05, "simpo_gamma": 0.5, "cpo_alpha": 0.0}
SCORED = ("sigmoid", "robust", "hinge", "ipo", "exo_pair", "bco_pair", "sppo_hard", "nca_pair", "discopop", "sigmoid_norm", "apo_zero", "apo_down")
KINDS = SCORED + ("aot", "aot_unpaired", "sft", "simpo", "cpo", "orpo")


def score(log_ratio, divergence, alpha):
    """What DPOTrainer makes of log-ratios under f_divergence_type."""
    if divergence == "reverse_kl" or divergence == "alpha_divergence" and abs(alpha - 1) < 1e-6:
        return log_ratio
    return {"forward_kl": lambda: -torch.exp(-log_ratio),
            "js_divergence": lambda: F.logsigmoid(log_ratio),
            "alpha_divergence": lambda: torch.exp((alpha - 1) * log_ratio) / (alpha - 1)}[divergence]()


def one_language(kind, beta, smoothing, chosen, rejected, ref_chosen, ref_rejected, chosen_tokens, rejected_tokens, **settings):
    s = {**DEFAULTS, **settings}
    divergence = s["f_divergence_type"], s["f_alpha_divergence_coef"]
    ratio = chosen - ref_chosen, rejected - ref_rejected
    a, b = score(ratio[0], *divergence), score(ratio[1], *divergence)
    logits = a - b
    mean, other_mean = chosen / chosen_tokens, rejected / rejected_tokens

    def smoothed(logit):
        return -F.logsigmoid(logit) * (1 - smoothing) - F.logsigmoid(-logit) * smoothing

    def exo():
        log_q = F.logsigmoid(beta * logits), F.logsigmoid(-beta * logits)
        return (torch.exp(log_q[0]) * (log_q[0] - numpy.log(1 - smoothing)) + torch.exp(log_q[1]) * (log_q[1] - numpy.log(smoothing)))

    def discopop():
        m = torch.sigmoid(beta * logits / s["discopop_tau"])
        return -F.logsigmoid(beta * logits) * (1 - m) + torch.exp(-beta * logits) * m

    def orpo():
        odds = torch.exp(mean) / (1 - torch.exp(mean)), torch.exp(other_mean) / (1 - torch.exp(other_mean))
        return -mean - beta * F.logsigmoid(torch.log(odds[0] / odds[1]))

    return {
        "sigmoid": lambda: smoothed(beta * logits),
        "robust": lambda: (-F.logsigmoid(beta * logits) * (1 - smoothing) + F.logsigmoid(-beta * logits) * smoothing) / (1 - 2 * smoothing),
        "hinge": lambda: torch.relu(1 - beta * logits),
        "ipo": lambda: (a / chosen_tokens - b / rejected_tokens - 1 / (2 * beta)) ** 2,
        "exo_pair": exo,
        "bco_pair": lambda: -F.logsigmoid(beta * a) - F.logsigmoid(-beta * b),
        "sppo_hard": lambda: (a - 0.5 / beta) ** 2 + (b + 0.5 / beta) ** 2,
        "nca_pair": lambda: -F.logsigmoid(beta * a) - 0.5 * F.logsigmoid(-beta * a) - 0.5 * F.logsigmoid(-beta * b),
        "discopop": discopop,
        "sigmoid_norm": lambda: -F.logsigmoid(beta * (a / chosen_tokens - b / rejected_tokens)),
        "apo_zero": lambda: 1 - torch.sigmoid(beta * ratio[0]) + torch.sigmoid(beta * ratio[1]),
        "apo_down": lambda: torch.sigmoid(beta * ratio[0]) + 1 - torch.sigmoid(beta * logits),
        # Of one pair; over several: transport().
        "aot": lambda: smoothed(beta * (ratio[0] - ratio[1])),
        "aot_unpaired": lambda: smoothed(beta * (ratio[0] - ratio[1])),
        "sft": lambda: -s.get("likelihood", mean),
        "simpo": lambda: smoothed(beta * (mean - other_mean) - s["simpo_gamma"]) - s["cpo_alpha"] * mean,
        "cpo": lambda: smoothed(beta * (chosen - rejected)) - s["cpo_alpha"] * mean,
        "orpo": orpo,
    }[kind]()


def dco(beta, first, second, ref_first, ref_second):
    delta_1, delta_2 = (first[0] - first[1]) - (ref_first[0] - ref_first[1]), (second[0] - second[1]) - (ref_second[0] - ref_second[1])
    return (delta_1 - (ref_second[0] - ref_second[1]) / beta).abs() + (delta_2 - beta * (ref_first[0] - ref_first[1])).abs()


def value(random, kind, beta, smoothing, **settings):
    settings = {**DEFAULTS, **settings}
    logp = -random.uniform(1, 40, 2) / 4
    ref = logp + random.uniform(-3, 3, 2)
    tokens = random.randint(1, 9, 2)
    policy = torch.tensor(logp, requires_grad=True)
    loss = one_language(kind, beta, smoothing, policy[0], policy[1], *ref, *tokens.tolist(), **settings)
    loss.backward()
    return {"loss_type": kind, "beta": beta, "label_smoothing": smoothing, **settings, "logps": logp.tolist(), "reference": ref.tolist(),
            "tokens": tokens.tolist(), "loss": loss.item(), "gradient": policy.grad.tolist()}


def values(random):
    """One-language losses on random log-probabilities, then those under other divergences."""
    cases = []
    for kind in KINDS:
        first = 1e-3 if kind == "exo_pair" else 0.0
        for beta, smoothing, others in ((0.1, first, {}), (0.7, 0.2, {"discopop_tau": 0.3, "simpo_gamma": 1.1, "cpo_alpha": 0.6})):
            cases += [value(random, kind, beta, smoothing, **others) for _ in range(3)]
    for kind in SCORED:
        for divergence, alpha in (("forward_kl", 0.5), ("js_divergence", 0.5), ("alpha_divergence", 0.5), ("alpha_divergence", 1.0),
                                  ("alpha_divergence", 1.6)):
            cases += [value(random, kind, 0.3, 0.1, f_divergence_type=divergence, f_alpha_divergence_coef=alpha) for _ in range(2)]
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


def transport(kind, beta, smoothing, chosen, rejected, ref_chosen, ref_rejected):
    """aot and aot_unpaired over a batch, vectors of one number a pair; the losses are in the order of ranks."""
    better, worse = (chosen - rejected, ref_chosen - ref_rejected) if kind == "aot" else (chosen - ref_chosen, rejected - ref_rejected)
    logit = beta * (torch.sort(better)[0] - torch.sort(worse)[0])
    return -F.logsigmoid(logit) * (1 - smoothing) - F.logsigmoid(-logit) * smoothing


def transport_values(random):
    cases = []
    for kind in ("aot", "aot_unpaired"):
        for beta, smoothing in ((0.1, 0.0), (0.7, 0.2)):
            logp = -random.uniform(1, 40, (2, 6)) / 4
            ref = logp + random.uniform(-3, 3, (2, 6))
            policy = torch.tensor(logp, requires_grad=True)
            loss = transport(kind, beta, smoothing, *policy, *torch.tensor(ref)).sum()
            loss.backward()
            cases.append({"loss_type": kind, "beta": beta, "label_smoothing": smoothing, "logps": logp.T.tolist(), "reference": ref.T.tolist(),
                          "loss": loss.item(), "gradient": policy.grad.T.tolist()})
    return cases


def weight_of(pair):
    """WPO's."""
    return torch.exp(pair["on policy"])


def step_losses(pairs, s):
    """For train() of models.py."""
    if s["loss_type"][0].startswith("aot"):
        sides = [torch.stack([p[name] for p in pairs]) for name in ("chosen", "rejected", "reference chosen", "reference rejected")]
        return list(transport(s["loss_type"][0], s["beta"], s["label_smoothing"], *sides))
    others = {k: v for k, v in s.items() if k in DEFAULTS}
    return [(weight_of(p) if s.get("use_weighting") else 1) * sum(weight * one_language(kind, s["beta"], s["label_smoothing"], p["chosen"], p["rejected"], p["reference chosen"],
                                      p["reference rejected"], *p["tokens"], likelihood=p["chosen likelihood"], **others)
                for kind, weight in zip(s["loss_type"], s["loss_weights"]))
            for p in pairs]


def unpaired(kind, beta, desirable_weight, undesirable_weight, completions):
    """TRL's KTOTrainer: log-ratio, that of the mismatched completion, label; a list of losses, and z0."""
    kl = torch.clamp(torch.stack([torch.as_tensor(other) for _, other, _ in completions]).mean(), min=0).detach()
    losses = []
    for ratio, _, label in completions:
        if kind == "kto":
            loss = 1 - torch.sigmoid(beta * (ratio - kl)) if label else 1 - torch.sigmoid(beta * (kl - ratio))
        else:
            loss = 1 - torch.sigmoid(beta * ratio) if label else torch.sigmoid(beta * ratio)
        losses.append((desirable_weight if label else undesirable_weight) * loss)
    return losses, kl


def unpaired_cases(random):
    cases = []
    for kind in ("kto", "apo_zero_unpaired"):
        for beta, desirable, undesirable, shift in ((0.1, 1.0, 1.0, 0.5), (0.7, 1.3, 0.6, 0.5), (0.4, 1.0, 2.0, -2.0)):
            ratios, labels = random.uniform(-3, 3, (2, 5)), [True, False, False, True, True]
            policy = torch.tensor(ratios[0], requires_grad=True)
            losses, kl = unpaired(kind, beta, desirable, undesirable, list(zip(policy, ratios[1] + shift, labels)))
            loss = torch.stack(losses).sum()
            loss.backward()
            cases.append({"loss_type": kind, "beta": beta, "desirable_weight": desirable, "undesirable_weight": undesirable,
                          "ratios": ratios[0].tolist(), "others": (ratios[1] + shift).tolist(), "labels": labels, "kl": kl.item(),
                          "losses": [loss.item() for loss in losses], "gradient": policy.grad.tolist()})
    return cases


def unpaired_values(model, reference, line, s, log):
    """Log-ratios of a line's completion and of another line's after its prompt."""
    prompt, side, ratios = line["prompt_input_ids"], "chosen" if line["label"] else "rejected", []
    for completion in (line["completion_input_ids"], line["other"]):
        ids = prompt + completion
        tokens = models.token_values(*model, ids, len(prompt))
        with torch.no_grad():
            start = models.logprobs(*reference, ids, len(prompt)).sum()
        ratios.append(tokens["logps"].sum() - start)
        if completion is line["completion_input_ids"]:
            models.log_tokens(log, side, tokens)
            log.setdefault("logps/" + side, []).append(tokens["logps"].sum().item())
            log.setdefault("rewards/" + side, []).append(s["beta"] * ratios[0].item())
    return ratios[0], ratios[1].detach(), line["label"], log


def unpaired_losses(completions, s):
    """For train() of models.py."""
    losses, kl = unpaired(s["loss_type"][0], s["beta"], s["desirable_weight"], s["undesirable_weight"], [c[:3] for c in completions])
    log = completions[0][3]
    if s["loss_type"] == ["kto"]:
        log["kl"] = [kl.item()]
    if "rewards/chosen" in log and "rewards/rejected" in log:
        log["rewards/margins"] = [sum(log["rewards/chosen"]) / len(log["rewards/chosen"]) - sum(log["rewards/rejected"]) / len(log["rewards/rejected"])]
    return losses


def unpaired_runs(config, kind, lora):
    """Whole models trained on single completions; the mismatched one is the completion before in the batch of the file's order."""
    random = numpy.random.RandomState(42)
    weights = models.make_weights(config, random, kind)
    models.make_adapter(config, lora, random, 0.0)
    adapter = models.make_adapter(config, lora, random, 0.4)
    lines = [{f"{field}_input_ids": random.randint(0, config["vocab_size"], random.randint(1, 8)).tolist() for field in ("prompt", "completion")}
             for _ in range(7)]
    for line, label in zip(lines, (True, False, False, True, True, False, True)):
        line["label"] = label
    runs = []
    for loss_type, others in (("kto", {"batch_size": 4, "micro_batch_size": 3, "desirable_weight": 1.2, "undesirable_weight": 0.7}),
                              ("kto", {"batch_size": 5, "beta": 0.5, "max_grad_norm": 0.05}),
                              ("apo_zero_unpaired", {"batch_size": 3})):
        settings = {"beta": 0.1, "max_steps": 4, "loss_type": [loss_type], "desirable_weight": 1.0, "undesirable_weight": 1.0, **others}
        size = settings["batch_size"]
        data = []
        for first in range(0, len(lines), size):
            batch = lines[first:first + size]
            data += [{**line, "other": batch[i - 1]["completion_input_ids"]} for i, line in enumerate(batch)]
        runs.append(models.train(config, weights, loss_type, data, settings, pair_losses=unpaired_losses, line_values=unpaired_values))
        runs.append(models.train(config, weights, loss_type + " of an adapter", data, settings, "adapter", lora, adapter,
                                 pair_losses=unpaired_losses, line_values=unpaired_values))
    return runs


def sampled(model, prompts, random):
    """Pairs that the model wrote: others have next to no weight under WPO."""
    pairs = []
    for prompt in prompts:
        pair = {"prompt_input_ids": prompt}
        for side in ("chosen", "rejected"):
            ids = list(prompt)
            for _ in range(random.randint(1, 7)):
                with torch.no_grad():
                    p = torch.softmax(models.logits(*model, ids)[-1], -1).numpy()
                ids.append(int(random.choice(len(p), p=p / p.sum())))
            pair[side + "_input_ids"] = ids[len(prompt):]
        pairs.append(pair)
    return pairs


def pair_runs(config, kind, lora):
    """Whole models trained on pairs by losses that models.py does not know."""
    random = numpy.random.RandomState(42)
    weights = models.make_weights(config, random, kind)
    models.make_adapter(config, lora, random, 0.0)
    adapter = models.make_adapter(config, lora, random, 0.4)
    pairs = [{f"{field}_input_ids": random.randint(0, config["vocab_size"], random.randint(1, 8)).tolist()
              for field in ("prompt", "chosen", "rejected")} for _ in range(5)]
    own = sampled((config, weights, None), [pair["prompt_input_ids"] for pair in pairs], numpy.random.RandomState(5))
    runs = []
    for loss_type, others in (
            ("discopop", {"discopop_tau": 0.2}),
            ("exo_pair", {"label_smoothing": 1e-3}),
            ("sigmoid", {"f_divergence_type": "js_divergence"}),
            ("bco_pair", {"f_divergence_type": "alpha_divergence", "f_alpha_divergence_coef": 0.7}),
            ("sigmoid_norm sft", {"ld_alpha": 0.3}),
            ("simpo", {"beta": 2.0, "simpo_gamma": 0.8, "cpo_alpha": 0.5}),
            ("orpo", {}),
            ("sigmoid", {"use_weighting": True}),
            ("sigmoid bco_pair sft", {"use_weighting": True, "loss_weights": [0.8, 0.2, 1.0], "batch_size": 3}),
            ("sigmoid bco_pair sft", {"loss_weights": [0.8, 0.2, 1.0], "batch_size": 5, "micro_batch_size": 2}),
            ("ipo sft", {"use_weighting": True, "ld_alpha": 0.6, "batch_size": 5, "micro_batch_size": 2, "max_grad_norm": 0.1}),
            ("sigmoid", {"ref_model_sync_steps": 2, "ref_model_mixup_alpha": 0.6, "max_steps": 6}),
            ("ipo", {"ref_model_sync_steps": 1, "ref_model_mixup_alpha": 0.3, "batch_size": 5, "micro_batch_size": 2, "ld_alpha": 0.5}),
            ("aot", {"ref_model_sync_steps": 1, "ref_model_mixup_alpha": 1.0, "batch_size": 4, "micro_batch_size": 3}),
            ("aot", {"batch_size": 4, "label_smoothing": 0.1}),
            ("aot_unpaired", {"batch_size": 5, "micro_batch_size": 2, "ld_alpha": 0.5})):
        settings = {"beta": 0.1, "label_smoothing": 0.0, "max_steps": 4, "loss_type": loss_type.split(), **others}
        data = own if "use_weighting" in others else pairs
        settings.setdefault("loss_weights", [1.0, 0.4][:len(settings["loss_type"])])
        runs.append(models.train(config, weights, loss_type, data, settings, pair_losses=step_losses))
        if "ref_model_sync_steps" in others:
            continue
        runs.append(models.train(config, weights, loss_type + " of an adapter", data, settings, "adapter", lora, adapter,
                                 pair_losses=step_losses))
    return runs


def main():
    random = numpy.random.RandomState(7)
    name, (config, kind, _, lora) = next(iter(models.MODELS.items()))
    weights = models.make_weights(config, numpy.random.RandomState(42), kind)

    def tokens(low, high):
        return random.randint(0, config["vocab_size"], random.randint(low, high + 1)).tolist()

    data = [{f"{field}_{language}_input_ids": tokens(1, 6) for language in (1, 2) for field in ("prompt", "chosen", "rejected")} for _ in range(5)]
    for line, weight in zip(data, (1, 2.5, 1, 0.5, 1)):
        line["weight"] = weight
    runs = [train(config, weights, data, 1.0, ["dco"], [1.0], 2, 5),
            train(config, weights, data, 2.0, ["dco", "sft", "sigmoid"], [1.0, 0.5, 0.25], 5, 4)]
    json.dump({"model": name, "losses": values(random), "dco": two_language_values(random), "runs": runs,
               "transport": transport_values(random), "pair_runs": pair_runs(config, kind, lora), "unpaired": unpaired_cases(random),
               "unpaired_runs": unpaired_runs(config, kind, lora)},
              (ROOT / "preference.json").open("w"), indent=1)


main()
