"""What transformers computes for models of the five families whose config.json leaves fields out, or has unusual ones.

Run with transformers 5 and PyTorch 2, on the CPU; it was run with transformers 5.18.0 and torch 2.13.0:

    python3 engine/src/test/oracle/families.py

It writes engine/src/test/resources/oracle/families.json, one object a case:
  config      the whole config.json
  parameters  how many the model has, a tied head counted once
  logprobs    natural-log probabilities of IDS[1:], each after all before it, in float64; frequencies and the norms' roots are float32 in
              transformers, so the numbers hold to about 1e-6
Weights are no file: element i of a parameter is weight(name, i) below, rounded to float32.
"""
import json
import os
import pathlib
import tempfile

import numpy
import torch
from transformers import AutoConfig, AutoModelForCausalLM

OUTPUT = pathlib.Path(__file__).resolve().parents[1] / "resources" / "oracle" / "families.json"
IDS = [3, 14, 15, 9, 26, 5, 22, 8, 9, 7, 3, 23, 8, 4, 6, 26, 4, 3, 22, 8, 3, 27, 9, 5]

BASE = {"vocab_size": 29, "hidden_size": 16, "intermediate_size": 14, "num_hidden_layers": 3, "num_attention_heads": 4,
        "num_key_value_heads": 2, "max_position_embeddings": 32}
GPT2 = {"model_type": "gpt2", "vocab_size": 29, "n_embd": 12, "n_layer": 3, "n_head": 2, "n_positions": 32}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 16}
FULL_AND_SLIDING = ["full_attention", "sliding_attention", "full_attention"]


def family(model_type, head_dim=4):
    return lambda **fields: {"model_type": model_type, **BASE, "head_dim": head_dim, **fields}


def without(config, *names):
    return {name: value for name, value in config.items() if name not in names}


llama, mistral, qwen2, qwen3 = family("llama"), family("mistral"), family("qwen2"), family("qwen3")
CASES = {
    "llama": without(llama(), "head_dim"),
    "llama without num_key_value_heads": without(llama(), "num_key_value_heads"),
    "llama with null for it": llama(num_key_value_heads=None),
    "llama with one key/value head": llama(num_key_value_heads=1),
    "llama with wide heads": llama(head_dim=10, rms_norm_eps=0.05, rope_theta=500.0),
    "llama with biases": llama(attention_bias=True, mlp_bias=True, hidden_act="swish"),
    "llama with attention biases": llama(attention_bias=True),
    "llama tied": llama(tie_word_embeddings=True),
    "llama linear": llama(rope_scaling={"type": "linear", "factor": 3.0}),
    "llama llama3": llama(rope_theta=5000.0, rope_scaling=LLAMA3),
    "llama llama3, newer": llama(rope_parameters={**LLAMA3, "rope_theta": 5000.0}, dtype="float32"),
    "llama default": llama(rope_theta=77.0, rope_scaling={"rope_type": "default"}),
    "llama default, newer": llama(rope_scaling={}, rope_parameters={"rope_type": "default", "rope_theta": 77.0}),
    "llama yarn": llama(rope_scaling=YARN),
    "llama yarn, mscale": llama(rope_scaling={**YARN, "mscale": 0.7, "mscale_all_dim": 1.3}),
    "llama yarn, mscale only": llama(rope_scaling={**YARN, "mscale": 0.7, "mscale_all_dim": 0}),
    "llama yarn, attention_factor": llama(rope_scaling={**YARN, "attention_factor": 0.8}),
    "llama yarn, not truncated": llama(head_dim=10, rope_scaling={**YARN, "beta_fast": 8.0, "beta_slow": 0.5, "truncate": False}),
    "llama yarn, no original length": llama(rope_theta=300.0, rope_scaling=without(YARN, "original_max_position_embeddings")),
    "mistral": without(mistral(), "head_dim", "num_key_value_heads", "num_attention_heads") | {"num_attention_heads": 8},
    "mistral without a window": mistral(sliding_window=None),
    "mistral with a window": mistral(sliding_window=3, head_dim=6),
    "mistral, itself only": mistral(sliding_window=1),
    "mistral by layers": mistral(sliding_window=3, layer_types=FULL_AND_SLIDING),
    "qwen2": without(qwen2(), "head_dim"),
    "qwen2, window not used": qwen2(sliding_window=3, max_window_layers=0),
    "qwen2, late layers": qwen2(use_sliding_window=True, sliding_window=3, max_window_layers=1),
    "qwen2, null": qwen2(use_sliding_window=True, sliding_window=None, max_window_layers=0),
    "qwen2 by layers": qwen2(use_sliding_window=True, sliding_window=2, layer_types=FULL_AND_SLIDING, tie_word_embeddings=True),
    "qwen2 yarn": qwen2(rope_theta=1e6, rope_scaling=without(YARN, "rope_type") | {"type": "yarn"}),
    "qwen3": without(qwen3(), "head_dim"),
    "qwen3 with biases": qwen3(attention_bias=True, head_dim=6),
    "qwen3, late layers": qwen3(use_sliding_window=True, sliding_window=4, max_window_layers=2, tie_word_embeddings=True),
    "qwen3 yarn, newer": qwen3(rope_parameters={**YARN, "rope_theta": 999.0}),
    "gpt2": GPT2,
    "gpt2, other sizes": {**GPT2, "n_inner": 20, "layer_norm_epsilon": 0.01, "activation_function": "gelu_pytorch_tanh"},
    "gpt2, gelu_fast": {**GPT2, "n_inner": None, "activation_function": "gelu_fast"},
    "gpt2, no scale": {**GPT2, "scale_attn_weights": False, "tie_word_embeddings": False},
    "gpt2, scale by layer": {**GPT2, "scale_attn_by_inverse_layer_idx": True, "reorder_and_upcast_attn": True},
}


def weight(name, count):
    i = numpy.arange(count, dtype=numpy.float64)
    wave = numpy.sin(sum(name.encode()) + 1.7 * i + 0.003 * i * i)
    norm = "norm" in name or "ln_" in name
    return torch.tensor((1 + 0.3 * wave if norm and name.endswith("weight") else 0.5 * wave).astype(numpy.float32)).double()


def case(config):
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "config.json").write_text(json.dumps(config))
        read = AutoConfig.from_pretrained(folder)
    model = AutoModelForCausalLM.from_config(read, attn_implementation="eager").double().eval()
    for module in model.modules():
        # It asks for float32; the arithmetic is the same.
        if hasattr(module, "reorder_and_upcast_attn"):
            module.reorder_and_upcast_attn = False
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(weight(name, parameter.numel()).view(parameter.shape))
        log_p = torch.log_softmax(model(torch.tensor([IDS])).logits[0].double(), -1)
    return {"config": config, "parameters": sum(p.numel() for p in model.parameters()),
            "logprobs": [round(log_p[i, token].item(), 9) for i, token in enumerate(IDS[1:])]}


if __name__ == "__main__":
    torch.set_num_threads(1)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    rows = [f"  {json.dumps(name)}: {json.dumps(case(config))}" for name, config in CASES.items()]
    OUTPUT.write_text('{"ids": ' + json.dumps(IDS) + ', "cases": {\n' + ",\n".join(rows) + "\n}}\n")
