"""Language-specific neurons by LAPE (Tang et al. 2024), computed in a second way: in tensors, with PyTorch's kthvalue and topk.

python3 lape.py > ../resources/org/calm4j/calm/inspect/lape.json; needs torch. The rules are those of the paper's section 2.2 and of the
authors' code, identify.py of https://github.com/RUCAIBox/Language-Specific-Neurons, with its rates as parameters.
"""
import json

import torch


def select(probabilities, top_rate, filter_rate, bar_ratio):
    shares = probabilities / probabilities.sum(dim=-1, keepdim=True)
    shares[torch.isnan(shares)] = 0
    logs = torch.where(shares > 0, shares.log(), torch.zeros_like(shares))
    entropy = -torch.sum(shares * logs, dim=-1)
    flat = probabilities.flatten()
    top = flat.kthvalue(round(len(flat) * filter_rate)).values.item()
    entropy[(probabilities > top).sum(dim=-1) == 0] = torch.inf
    values, index = entropy.topk(round(len(entropy) * top_rate), largest=False)
    bar = flat.kthvalue(round(len(flat) * bar_ratio)).values.item()
    return [
        {"neuron": int(i), "entropy": float(v), "languages": torch.where(probabilities[i] > bar)[0].tolist()}
        for v, i in zip(values, index)
    ]


torch.manual_seed(1)
probabilities = torch.rand(60, 4, dtype=torch.float64) ** 3
probabilities[7] = 0
cases = [(0.1, 0.95, 0.95), (0.2, 0.8, 0.9), (0.05, 0.5, 0.5)]
print(
    json.dumps(
        {
            "probabilities": probabilities.tolist(),
            "cases": [{"rates": rates, "selected": select(probabilities.clone(), *rates)} for rates in cases],
        }
    )
)
