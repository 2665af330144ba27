"""Learning rates over the steps, by the formulas of transformers 4.57.6 (optimization.py).

    python3 engine/src/test/oracle/schedules.py

Writes ../resources/oracle/schedules.json: a list of settings, each with `rates`, the rate of every step from 0 to total_steps. The formulas
were compared once with the functions of that file; they do not differ.
"""
import json
import math
import pathlib

OUT = pathlib.Path(__file__).resolve().parent.parent / "resources/oracle/schedules.json"


def falling(kind, progress):
    return {"linear": 1.0 - progress, "cosine": 0.5 * (1.0 + math.cos(math.pi * progress)), "1-sqrt": 1.0 - math.sqrt(progress)}[kind]


def factor(kind, step, warmup, total, peak, min_lr_rate=0.0, lr_end=1e-7, power=1.0, decay_steps=0, decay_type="cosine", num_cycles=1):
    """What the peak is multiplied by."""
    if kind == "warmup_stable_decay":
        stable = total - warmup - decay_steps
        if step < warmup:
            return step / max(1, warmup) * (1 - min_lr_rate) + min_lr_rate
        if step < warmup + stable:
            return 1.0
        if step < total:
            return falling(decay_type, (step - warmup - stable) / max(1, decay_steps)) * (1 - min_lr_rate) + min_lr_rate
        return min_lr_rate
    if step < warmup:
        return step / max(1, warmup)
    progress = (step - warmup) / max(1, total - warmup)
    if kind == "constant_with_warmup":
        return 1.0
    if kind == "linear":
        return max(0.0, (total - step) / max(1, total - warmup))
    if kind in ("cosine", "cosine_with_min_lr"):
        return max(0.0, falling("cosine", progress) * (1 - min_lr_rate) + min_lr_rate)
    if kind == "cosine_with_restarts":
        return 0.0 if progress >= 1.0 else max(0.0, falling("cosine", num_cycles * progress % 1.0))
    if kind == "polynomial":
        return ((peak - lr_end) * (1 - progress) ** power + lr_end) / peak
    assert kind == "inverse_sqrt"
    timescale = warmup or 10_000
    return 1.0 / math.sqrt((step + timescale - warmup) / timescale)


def main():
    table = []
    for warmup in (0, 6):
        for settings in (
                {"kind": "constant_with_warmup"}, {"kind": "linear"}, {"kind": "cosine"}, {"kind": "inverse_sqrt"},
                {"kind": "cosine_with_min_lr", "min_lr_rate": 0.1}, {"kind": "polynomial", "lr_end": 1e-5, "power": 2.0},
                {"kind": "cosine_with_restarts"}, {"kind": "cosine_with_restarts", "num_cycles": 4},
                {"kind": "cosine_with_restarts", "num_cycles": 7}, {"kind": "polynomial"}, {"kind": "warmup_stable_decay", "decay_steps": 10},
                {"kind": "warmup_stable_decay", "decay_steps": 9, "decay_type": "linear", "min_lr_rate": 0.2},
                {"kind": "warmup_stable_decay", "decay_steps": 8, "decay_type": "1-sqrt", "min_lr_rate": 0.05}):
            all_settings = {"warmup": warmup, "total": 30, "peak": 3e-4, **settings}
            table.append({**all_settings, "rates": [3e-4 * factor(step=step, **all_settings) for step in range(31)]})
    OUT.write_text("[\n" + ",\n".join(json.dumps(each) for each in table) + "\n]\n")


if __name__ == "__main__":
    main()
