"""Language models of five families in PyTorch, independent of the engine: tiny ones as Hugging Face folders, and float64 numbers about them.

Run from anywhere, with PyTorch 1.13 (Debian's python3-torch 1.13.0), on the CPU:

    python3 engine/src/test/oracle/models.py

They were compared, once and in float64, with the decoder layers, norms and rotary frequencies of transformers 4.57.6: logits and gradients
do not differ at all, its frequencies by at most 3e-7, being float32 there. The sliding window's mask is as its masking_utils has it.

It writes, the same bytes every time, the folders engine/src/test/resources/oracle/NAME of MODELS below, each with
  config.json, model.safetensors   the model. All numbers below start from exactly the stored values, widened to float64.
  adapter-start/                   a PEFT LoRA, A random, B zero, F32
  adapter/                         another one, A and B random
  gradient.safetensors             F64: the gradient of cross_entropy.loss with respect to every parameter, by autograd; names as
                                   transformers writes them; a tied model's embedding has the sum of both uses
  hooks.safetensors                F64: the value at every hook point, by TransformerLens' names, and by autograd the gradient (NAME_grad) of
                                   the sum of the completion's log-probabilities; of the second score line, with adapter/
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
import math
import pathlib
import re
import struct

import numpy
import torch
import torch.nn.functional as F

ROOT = pathlib.Path(__file__).resolve().parents[1] / "resources" / "oracle"
torch.set_default_dtype(torch.float64)

TOKENS = {"bos_token_id": 1, "eos_token_id": 2}
BASE = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 37, "hidden_size": 16, "intermediate_size": 24,
    "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_act": "silu", "max_position_embeddings": 64,
    "initializer_range": 0.02, "attention_bias": False, "mlp_bias": False, **TOKENS, "torch_dtype": "float32",
}
SMALL = {
    "vocab_size": 29, "hidden_size": 8, "intermediate_size": 10, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "hidden_act": "silu", "max_position_embeddings": 64, "initializer_range": 0.02, "rms_norm_eps": 1e-5,
    **TOKENS,
}
LORA = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 2, "lora_alpha": 4, "lora_dropout": 0.0, "bias": "none",
        "target_modules": ["q_proj", "v_proj"], "fan_in_fan_out": False, "use_rslora": False, "inference_mode": True,
        "base_model_name_or_path": ".."}
ALL_LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]

# config.json; the type of the stored weights; whether their names lack the prefix and the file has old buffers; adapter_config.json
MODELS = {
    "llama-tied": ({**BASE, "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "tie_word_embeddings": True}, "F32", False, LORA),
    "llama-untied": ({**BASE, "rms_norm_eps": 1e-3, "rope_theta": 500000.0, "tie_word_embeddings": False, "head_dim": 6}, "F32", False,
                     LORA),
    "llama3-biases": ({
        **SMALL, "architectures": ["LlamaForCausalLM"], "model_type": "llama", "head_dim": 8, "attention_bias": True, "mlp_bias": True,
        "tie_word_embeddings": False, "dtype": "bfloat16",
        "rope_parameters": {"rope_type": "llama3", "rope_theta": 5000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                            "original_max_position_embeddings": 32}}, "BF16", False, {**LORA, "target_modules": ["o_proj", "gate_proj"]}),
    "mistral": ({
        **SMALL, "architectures": ["MistralForCausalLM"], "model_type": "mistral", "head_dim": 4, "sliding_window": 5,
        "rope_theta": 10000.0, "tie_word_embeddings": False, "torch_dtype": "float16"}, "F16", False,
        {**LORA, "target_modules": ["self_attn.q_proj", "down_proj"], "rank_pattern": {"down_proj": 3},
         "alpha_pattern": {"layers.1.self_attn.q_proj": 7}}),
    "qwen2": ({
        **SMALL, "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "rope_theta": 1000000.0, "sliding_window": 3,
        "use_sliding_window": True, "max_window_layers": 1, "rope_scaling": {"type": "linear", "factor": 2.0}, "tie_word_embeddings": True,
        "torch_dtype": "float32"}, "F32", False, {**LORA, "use_rslora": True, "target_modules": ["k_proj", "up_proj"]}),
    "qwen3": ({
        **SMALL, "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "head_dim": 6, "rope_theta": 10000.0,
        "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}, "sliding_window": None,
        "use_sliding_window": False, "max_window_layers": 2, "layer_types": ["full_attention", "full_attention"],
        "tie_word_embeddings": True, "torch_dtype": "bfloat16"}, "BF16", False, {**LORA, "target_modules": ALL_LINEAR}),
    "gpt2": ({
        "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "vocab_size": 29, "n_embd": 8, "n_layer": 2, "n_head": 2,
        "n_inner": None, "n_positions": 64, "n_ctx": 64, "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5,
        "initializer_range": 0.02, "attn_pdrop": 0.1, **TOKENS}, "F32", True,
        {**LORA, "fan_in_fan_out": True, "target_modules": ["c_attn", "c_fc"]}),
    "gpt2-untied": ({
        "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "vocab_size": 29, "n_embd": 8, "n_layer": 2, "n_head": 2,
        "n_inner": 20, "n_positions": 64, "activation_function": "gelu_new", "layer_norm_epsilon": 1e-3, "initializer_range": 0.02,
        "scale_attn_weights": False, "tie_word_embeddings": False, **TOKENS, "torch_dtype": "float16"}, "F16", False,
        {**LORA, "fan_in_fan_out": True, "target_modules": ["attn.c_proj", "mlp.c_proj"]}),
}
STANDARD = ("llama-tied", "llama-untied")


# ---- the models ----

def head_dim(config):
    return config.get("head_dim", config["hidden_size"] // config["num_attention_heads"])


def tied(config):
    return config.get("tie_word_embeddings", True)


def shapes(config):
    """Of all parameters, by the names that transformers gives them."""
    if config["model_type"] == "gpt2":
        c, v = config["n_embd"], config["vocab_size"]
        f = config["n_inner"] or 4 * c
        yield "transformer.wte.weight", (v, c)
        yield "transformer.wpe.weight", (config["n_positions"], c)
        for i in range(config["n_layer"]):
            layer = f"transformer.h.{i}."
            for norm_name in ("ln_1", "ln_2"):
                yield layer + norm_name + ".weight", (c,)
                yield layer + norm_name + ".bias", (c,)
            for name, size in {"attn.c_attn": (c, 3 * c), "attn.c_proj": (c, c), "mlp.c_fc": (c, f), "mlp.c_proj": (f, c)}.items():
                yield layer + name + ".weight", size
                yield layer + name + ".bias", size[1:]
        yield "transformer.ln_f.weight", (c,)
        yield "transformer.ln_f.bias", (c,)
        if not tied(config):
            yield "lm_head.weight", (v, c)
        return
    c, f, v, d = config["hidden_size"], config["intermediate_size"], config["vocab_size"], head_dim(config)
    h, g = config["num_attention_heads"] * d, config["num_key_value_heads"] * d
    attention_bias, mlp_bias = config.get("attention_bias", False), config.get("mlp_bias", False)
    qwen2 = config["model_type"] == "qwen2"
    yield "model.embed_tokens.weight", (v, c)
    for i in range(config["num_hidden_layers"]):
        layer = f"model.layers.{i}."
        yield layer + "input_layernorm.weight", (c,)
        for name, size, bias in [("q_proj", (h, c), attention_bias or qwen2), ("k_proj", (g, c), attention_bias or qwen2),
                                 ("v_proj", (g, c), attention_bias or qwen2), ("o_proj", (c, h), attention_bias)]:
            yield layer + f"self_attn.{name}.weight", size
            if bias:
                yield layer + f"self_attn.{name}.bias", size[:1]
        if config["model_type"] == "qwen3":
            yield layer + "self_attn.q_norm.weight", (d,)
            yield layer + "self_attn.k_norm.weight", (d,)
        yield layer + "post_attention_layernorm.weight", (c,)
        for name, size in {"gate_proj": (f, c), "up_proj": (f, c), "down_proj": (c, f)}.items():
            yield layer + f"mlp.{name}.weight", size
            if mlp_bias:
                yield layer + f"mlp.{name}.bias", size[:1]
    yield "model.norm.weight", (c,)
    if not tied(config):
        yield "lm_head.weight", (v, c)


def linears(config):
    """Paths of the linear layers of blocks, with inputs and outputs."""
    gpt2 = config["model_type"] == "gpt2"
    for name, shape in shapes(config):
        if len(shape) == 2 and (".h." in name or ".layers." in name):
            yield name[:-len(".weight")], shape[0 if gpt2 else 1], shape[1 if gpt2 else 0]


def rms_norm(x, weight, epsilon):
    return weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + epsilon))


def pattern(lora, name, path, otherwise):
    """As get_pattern_key of PEFT."""
    for key, value in lora.get(name, {}).items():
        if re.match(rf"(.*\.)?({key})$", path):
            return value
    return otherwise


def project(x, config, weights, adapter, path):
    """A linear layer, its weight (in, out) in GPT-2's Conv1D, with an adapter (config, weights) or without."""
    w, bias = weights[path + ".weight"], weights.get(path + ".bias")
    out = F.linear(x, w.T if config["model_type"] == "gpt2" else w, bias)
    lora, tensors = adapter or ({}, {})
    a = tensors.get(f"base_model.model.{path}.lora_A.weight")
    if a is not None:
        rank = a.shape[0]
        scale = pattern(lora, "alpha_pattern", path, lora["lora_alpha"]) / (rank ** 0.5 if lora["use_rslora"] else rank)
        out = out + scale * F.linear(F.linear(x, a), tensors[f"base_model.model.{path}.lora_B.weight"])
    return out


def rotate_half(x):
    x1, x2 = x.chunk(2, dim=-1)
    return torch.cat((-x2, x1), dim=-1)


def rope(config):
    """Frequencies (D/2) and what cosines and sines are multiplied by, as modeling_rope_utils of transformers has them."""
    parameters = {"rope_theta": config.get("rope_theta", 10000.0), **(config.get("rope_scaling") or config.get("rope_parameters") or {})}
    kind, base, d = parameters.get("rope_type", parameters.get("type", "default")), parameters["rope_theta"], head_dim(config)
    frequency = 1.0 / base ** (torch.arange(0, d, 2).double() / d)
    original = parameters.get("original_max_position_embeddings", config["max_position_embeddings"])
    if kind == "linear":
        return frequency / parameters["factor"], 1.0
    if kind == "llama3":
        low, high, factor = (parameters[k] for k in ("low_freq_factor", "high_freq_factor", "factor"))
        wavelength = 2 * math.pi / frequency
        scaled = torch.where(wavelength > original / low, frequency / factor, frequency)
        smooth = (original / wavelength - low) / (high - low)
        smoothed = (1 - smooth) * scaled / factor + smooth * scaled
        medium = ~(wavelength < original / high) & ~(wavelength > original / low)
        return torch.where(medium, smoothed, scaled), 1.0
    if kind == "yarn":
        factor = parameters["factor"]

        def correction(rotations):
            return d * math.log(original / (rotations * 2 * math.pi)) / (2 * math.log(base))

        low, high = max(math.floor(correction(32)), 0), min(math.ceil(correction(1)), d - 1)
        ramp = ((torch.arange(d // 2).double() - low) / ((high if high != low else high + 0.001) - low)).clamp(0, 1)
        return frequency / factor * ramp + frequency * (1 - ramp), 0.1 * math.log(factor) + 1
    return frequency, 1.0


def window(config, layer):
    """How far back a query sees; None for all the way."""
    if config["model_type"] == "mistral":
        return config["sliding_window"]
    slides = config.get("use_sliding_window", False) and layer >= config["max_window_layers"]
    return config["sliding_window"] if slides else None


SEEN = None  # hook point to tensor, while hooks() runs


def see(name, x, layer=None):
    """Keeps a value and, after backward(), its gradient."""
    if SEEN is not None:
        SEEN[name if layer is None else f"blocks.{layer}.{name}"] = x
        x.retain_grad()
    return x


def by_token(name, x, layer):
    """The same of (H,T,D), kept as (T,H,D)."""
    return see(name, x.transpose(0, 1), layer).transpose(0, 1)


def attend(q, k, v, scale, layer, window=None):
    """(H,T,D) each, keys and values shared by groups of heads; a key is seen when key position > query position - window."""
    t = q.shape[1]
    k, v = (z.repeat_interleave(q.shape[0] // z.shape[0], dim=0) for z in (k, v))
    distance = torch.arange(t)[:, None] - torch.arange(t)[None]
    hidden = (distance < 0) | (distance >= (window or t))
    scores = (q @ k.transpose(1, 2) * scale).masked_fill(hidden, float("-inf"))
    p = see("attn.hook_pattern", torch.softmax(scores, dim=-1), layer)
    return see("attn.hook_z", (p @ v).transpose(0, 1), layer).reshape(t, -1)


def logits(config, weights, adapter, ids):
    """(T,V) of one sequence."""
    if config["model_type"] == "gpt2":
        return gpt2_logits(config, weights, adapter, ids)
    t, d, epsilon = len(ids), head_dim(config), config["rms_norm_eps"]
    frequency, attention_factor = rope(config)
    angle = torch.outer(torch.arange(t).double(), frequency)
    cos, sin = (attention_factor * f(torch.cat((angle, angle), -1)) for f in (torch.cos, torch.sin))
    x = see("hook_embed", weights["model.embed_tokens.weight"][torch.tensor(ids)])
    for i in range(config["num_hidden_layers"]):
        layer = f"model.layers.{i}."
        x = see("hook_resid_pre", x.clone(), i)
        y = rms_norm(x, weights[layer + "input_layernorm.weight"], epsilon)
        q, k, v = (project(y, config, weights, adapter, layer + f"self_attn.{which}_proj").view(t, -1, d).transpose(0, 1)
                   for which in "qkv")
        if config["model_type"] == "qwen3":
            q, k = (rms_norm(z, weights[layer + f"self_attn.{which}_norm.weight"], epsilon) for z, which in ((q, "q"), (k, "k")))
        q, k, v = (by_token("attn.hook_" + which, z, i) for z, which in ((q, "q"), (k, "k"), (v, "v")))
        q, k = (by_token("attn.hook_rot_" + which, z * cos + rotate_half(z) * sin, i) for z, which in ((q, "q"), (k, "k")))
        attention = attend(q, k, v, d ** -0.5, i, window(config, i))
        x = x + see("hook_attn_out", project(attention, config, weights, adapter, layer + "self_attn.o_proj"), i)
        x = see("hook_resid_mid", x, i)
        y = rms_norm(x, weights[layer + "post_attention_layernorm.weight"], epsilon)
        gate, up = (project(y, config, weights, adapter, layer + f"mlp.{which}_proj") for which in ("gate", "up"))
        gate, up = see("mlp.hook_pre", gate, i), see("mlp.hook_pre_linear", up, i)
        y = see("mlp.hook_post", F.silu(gate) * up, i)
        x = x + see("hook_mlp_out", project(y, config, weights, adapter, layer + "mlp.down_proj"), i)
        x = see("hook_resid_post", x, i)
    x = rms_norm(x, weights["model.norm.weight"], epsilon)
    return F.linear(x, weights["model.embed_tokens.weight" if tied(config) else "lm_head.weight"])


def gpt2_logits(config, weights, adapter, ids):
    t, c, heads = len(ids), config["n_embd"], config["n_head"]

    def norm(x, path):
        return F.layer_norm(x, (c,), weights[path + ".weight"], weights[path + ".bias"], config["layer_norm_epsilon"])

    x = see("hook_embed", weights["transformer.wte.weight"][torch.tensor(ids)])
    x = x + see("hook_pos_embed", weights["transformer.wpe.weight"][:t].clone())
    scale = (c // heads) ** -0.5 if config.get("scale_attn_weights", True) else 1.0
    for i in range(config["n_layer"]):
        layer = f"transformer.h.{i}."
        x = see("hook_resid_pre", x.clone(), i)
        qkv = project(norm(x, layer + "ln_1"), config, weights, adapter, layer + "attn.c_attn").split(c, dim=-1)
        q, k, v = (by_token("attn.hook_" + which, z.view(t, heads, -1).transpose(0, 1), i) for z, which in zip(qkv, "qkv"))
        x = x + see("hook_attn_out", project(attend(q, k, v, scale, i), config, weights, adapter, layer + "attn.c_proj"), i)
        x = see("hook_resid_mid", x, i)
        y = project(norm(x, layer + "ln_2"), config, weights, adapter, layer + "mlp.c_fc")
        y = see("mlp.hook_pre", y, i)
        y = 0.5 * y * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (y + 0.044715 * torch.pow(y, 3.0))))
        y = see("mlp.hook_post", y, i)
        x = x + see("hook_mlp_out", project(y, config, weights, adapter, layer + "mlp.c_proj"), i)
        x = see("hook_resid_post", x, i)
    return F.linear(norm(x, "transformer.ln_f"), weights["transformer.wte.weight" if tied(config) else "lm_head.weight"])


def hooks(config, weights, adapter, line):
    """Of every hook point the value, and the gradient of the sum of the completion's log-probabilities (NAME_grad)."""
    global SEEN
    SEEN = {}
    weights = {k: v.clone().requires_grad_() for k, v in weights.items()}
    ids, start = line["input_ids"], line["completion_start"]
    whole = logits(config, weights, adapter, ids)
    log_p = torch.log_softmax(whole, dim=-1)
    torch.stack([log_p[i - 1, ids[i]] for i in range(start, len(ids))]).sum().backward()
    seen, SEEN = SEEN, None
    return {**seen, **{name + "_grad": x.grad for name, x in seen.items()}, "logits": whole}


def logprobs(config, weights, adapter, ids, start):
    """Of the tokens from index start on, one each."""
    return token_values(config, weights, adapter, ids, start)["logps"]


def token_values(config, weights, adapter, ids, start):
    """Of the tokens from index start on: log-probability, and what the row of logits says beside it."""
    rows, targets = logits(config, weights, adapter, ids)[start - 1:-1], torch.tensor(ids[start:])
    log_p = torch.log_softmax(rows, dim=-1)
    seen = log_p.detach()
    return {"logps": log_p.gather(1, targets[:, None])[:, 0], "log_sum_squares": torch.logsumexp(2 * seen, dim=-1),
            "entropy": -(seen.exp() * seen).sum(-1), "hits": (rows.argmax(-1) == targets).double(), "mean_logits": rows.detach().mean(-1)}


# ---- files ----

def encode(array, kind):
    """The bytes of numbers that the type can hold."""
    if kind == "BF16":
        return (array.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
    return array.astype({"F16": "<f2", "F32": "<f4", "F64": "<f8"}[kind]).tobytes()


def stored(array, kind):
    """What is left after storing, in float64."""
    array = numpy.asarray(array).astype(numpy.float32)
    if kind == "BF16":
        bits = array.view(numpy.uint32)
        array = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16 << 16).astype(numpy.uint32).view(numpy.float32)
    elif kind == "F16":
        array = array.astype(numpy.float16)
    return torch.tensor(array.astype(numpy.float64))


def write_safetensors(path, tensors, kind):
    """Eight bytes little-endian: the header's length; the header; the data."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, tensor in tensors.items():
        raw = encode(tensor.detach().numpy(), kind)
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


def make_weights(config, random, kind):
    weights = {}
    for name, shape in shapes(config):
        scale = 1.0 if name in ("model.embed_tokens.weight", "transformer.wte.weight") else 0.3
        mean = 1 if len(shape) == 1 and not name.endswith(".bias") else 0
        weights[name] = stored(scale * random.standard_normal(shape) + mean, kind)
    return weights


def old_file(config, weights):
    """The names of GPT-2's first checkpoints, with the masks that old versions saved."""
    tensors = {name[len("transformer."):]: tensor for name, tensor in weights.items()}
    for i in range(config["n_layer"]):
        tensors[f"h.{i}.attn.bias"] = torch.ones(1, 1, 4, 4).tril()
        tensors[f"h.{i}.attn.masked_bias"] = torch.tensor(-1e4)
    return tensors


def make_adapter(config, lora, random, b_scale):
    adapter = {}
    for path, columns, rows in linears(config):
        if any(path.endswith("." + target) for target in lora["target_modules"]):
            rank = pattern(lora, "rank_pattern", path, lora["r"])
            name = "base_model.model." + path
            adapter[name + ".lora_A.weight"] = stored(random.uniform(-0.5, 0.5, (rank, columns)), "F32")
            adapter[name + ".lora_B.weight"] = stored(b_scale * random.standard_normal((rows, rank)), "F32")
    return adapter


def write_adapter(folder, lora, adapter):
    write_safetensors(folder / "adapter_model.safetensors", adapter, "F32")
    (folder / "adapter_config.json").write_text(json.dumps(lora, indent=2) + "\n")


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


def document_loss(model, line, log=None):
    values = token_values(*model, line["input_ids"], line["completion_start"])
    if log is not None:
        log.setdefault("entropy", []).extend(values["entropy"].tolist())
        log.setdefault("mean_token_accuracy", []).extend(values["hits"].tolist())
    return -values["logps"].mean()


def log_tokens(log, side, values):
    """TRL's metrics of a chosen or rejected completion."""
    log.setdefault("entropy", []).extend(values["entropy"].tolist())
    log.setdefault("logits/" + side, []).extend(values["mean_logits"].tolist())
    if side == "chosen":
        log.setdefault("mean_token_accuracy", []).extend(values["hits"].tolist())


def pair_values(model, reference, line, s, log):
    """Summed log-probabilities; tokens past the length of the shorter completion count ld_alpha (LD-DPO), but not in the likelihood."""
    prompt, values = line["prompt_input_ids"], {"on policy": 0}
    shared = min(len(line[side + "_input_ids"]) for side in ("chosen", "rejected"))
    for side in ("chosen", "rejected"):
        ids = prompt + line[side + "_input_ids"]
        share = torch.tensor([1.0 if i < shared else s.get("ld_alpha", 1.0) for i in range(len(ids) - len(prompt))])
        tokens = token_values(*model, ids, len(prompt))
        logps = tokens["logps"]
        log_tokens(log, side, tokens)
        values["on policy"] += (logps.detach() - tokens["log_sum_squares"]).mean()
        values[side], values[side + " likelihood"] = (share * logps).sum(), logps.mean()
        with torch.no_grad():
            values["reference " + side] = (share * logprobs(*reference, ids, len(prompt))).sum()
        log.setdefault("rewards/" + side, []).append(s["beta"] * (values[side] - values["reference " + side]).item())
        log.setdefault("logps/" + side, []).append(values[side].item())
    margin = values["chosen"] - values["rejected"] - (values["reference chosen"] - values["reference rejected"])
    log.setdefault("rewards/margins", []).append(s["beta"] * margin.item())
    log.setdefault("rewards/accuracies", []).append(float(margin.item() > 0))
    return {**values, "margin": margin, "tokens": [len(line[side + "_input_ids"]) for side in ("chosen", "rejected")]}


def dpo_and_sft(pairs, s):
    """The losses of a step's pairs; other functions may take its place in train()."""
    smoothing = s["label_smoothing"]

    def loss(values):
        losses = {"sigmoid": -(1 - smoothing) * F.logsigmoid(s["beta"] * values["margin"]) - smoothing * F.logsigmoid(-s["beta"] * values["margin"]),
                  "sft": -values["chosen likelihood"]}
        return sum(weight * losses[kind] for kind, weight in zip(s["loss_type"], s["loss_weights"]))
    return [loss(values) for values in pairs]


def batches(count, size):
    """File order, the last batch short, and again from the start."""
    while True:
        for first in range(0, count, size):
            yield range(first, min(first + size, count))


def train(config, start, name, data, settings, adapter_name=None, lora=None, start_adapter=None, replay=(), pair_losses=dpo_and_sft, line_values=pair_values):
    s = {"max_steps": 5, "batch_size": 2, "learning_rate": 1e-3, "adam_beta1": 0.9, "adam_beta2": 0.999, "adam_epsilon": 1e-8,
         "weight_decay": 0.1, "max_grad_norm": 1.0, **settings}
    trained = {k: v.clone().requires_grad_() for k, v in (start if start_adapter is None else start_adapter).items()}
    model = (config, trained, None) if start_adapter is None else (config, start, (lora, trained))
    decayed, others = [p for p in trained.values() if p.dim() >= 2], [p for p in trained.values() if p.dim() < 2]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": s["weight_decay"]}, {"params": others, "weight_decay": 0.0}],
                                  lr=s["learning_rate"], betas=(s["adam_beta1"], s["adam_beta2"]), eps=s["adam_epsilon"])
    reference = {k: v.clone() for k, v in start.items()}
    order, steps, replayed = batches(len(data), s["batch_size"]), [], 0
    for step in range(1, s["max_steps"] + 1):
        log, lines = {}, [data[i] for i in next(order)]
        if "prompt_input_ids" in data[0]:
            losses = pair_losses([line_values(model, (config, reference, None), line, s, log) for line in lines], s)
        else:
            losses = [document_loss(model, line, log) for line in lines]
        losses = [line.get("weight", 1) * loss for line, loss in zip(lines, losses)]
        loss = torch.stack(losses).mean()
        if replay:
            documents = [replay[(replayed + i) % len(replay)] for i in range(s["replay_batch_size"])]
            replayed += len(documents)
            loss = loss + s["replay_weight"] * torch.stack([document_loss(model, line) for line in documents]).mean()
        optimizer.zero_grad()
        loss.backward()
        grad_norm = torch.nn.utils.clip_grad_norm_(list(trained.values()), s["max_grad_norm"])
        optimizer.step()
        if step % s.get("ref_model_sync_steps", step + 1) == 0:
            for k, v in reference.items():
                v.mul_(1 - s["ref_model_mixup_alpha"]).add_(trained[k].detach(), alpha=s["ref_model_mixup_alpha"])
        steps.append({"step": step, "loss": loss.item(), "grad_norm": grad_norm.item(),
                      **{key: sum(values) / len(values) for key, values in log.items()}})
    final = {k: {"sum": p.sum().item(), "sum_squares": p.pow(2).sum().item(), "first": p.reshape(-1)[:3].tolist()}
             for k, p in trained.items()}
    return {"name": name, "settings": s, "adapter": adapter_name, "data": data, "replay": list(replay), "steps": steps, "final": final}


def main():
    for seed, (name, (config, kind, old, lora)) in enumerate(MODELS.items()):
        folder, random = ROOT / name, numpy.random.RandomState(42 + seed)

        def tokens(low, high):
            return random.randint(0, config["vocab_size"], random.randint(low, high + 1)).tolist()

        weights = make_weights(config, random, kind)
        adapter_start, adapter = make_adapter(config, lora, random, 0.0), make_adapter(config, lora, random, 0.4)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        write_safetensors(folder / "model.safetensors", old_file(config, weights) if old else weights, kind)
        write_adapter(folder / "adapter-start", lora, adapter_start)
        write_adapter(folder / "adapter", lora, adapter)

        lines = [{"id": f"s{i}", "input_ids": ids, "completion_start": random.randint(1, len(ids))}
                 for i, ids in enumerate([tokens(2, 2), tokens(5, 9), tokens(20, 24), tokens(8, 12)])]
        lines[2]["completion_start"] = 1
        prompts = [{"id": f"g{i}", "input_ids": tokens(1 + 4 * i, 3 + 4 * i)} for i in range(3)]
        documents = [{"input_ids": ids, "completion_start": start} for ids, start in
                     [(tokens(9, 12), 4), (tokens(6, 6), 5), (tokens(14, 16), 7), (tokens(5, 8), 2), (tokens(2, 2), 1)]]
        texts = [{"input_ids": tokens(6, 18), "completion_start": 1} for _ in range(5)]
        pairs = [{"prompt_input_ids": tokens(1, 8), "chosen_input_ids": tokens(1, 6), "rejected_input_ids": tokens(1, 6)} for _ in range(5)]
        weighted = [{**pair, "weight": weight} for pair, weight in zip(pairs, [0.5, 2.0, 1.0, 3.0, 0.25])]

        write_safetensors(folder / "hooks.safetensors", hooks(config, weights, (lora, adapter), lines[1]), "F64")
        whole = {k: v.clone().requires_grad_() for k, v in weights.items()}
        loss = torch.stack([document_loss((config, whole, None), line) for line in documents]).mean()
        loss.backward()
        write_safetensors(folder / "gradient.safetensors", {k: p.grad for k, p in whole.items()}, "F64")

        dpo = {"beta": 0.1, "loss_type": ["sigmoid"], "loss_weights": [1.0], "label_smoothing": 0.0}
        replay = {"replay_batch_size": 2, "replay_weight": 0.7}
        runs = [train(config, weights, "dpo", pairs, dpo)]
        if name in STANDARD:
            runs += [
                train(config, weights, "dpo without weight decay", pairs, {**dpo, "weight_decay": 0.0}),
                train(config, weights, "dpo and sft", pairs, {**dpo, "loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, 1.0]}),
                train(config, weights, "dpo with label smoothing, beta 0.5 and weights", weighted,
                      {**dpo, "beta": 0.5, "label_smoothing": 0.1, "learning_rate": 1e-2, "adam_beta2": 0.95}),
                train(config, weights, "dpo and sft with replay", pairs,
                      {**dpo, **replay, "loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, 0.3]}, replay=texts[:3])]
        runs += [train(config, weights, "dpo of a fresh adapter", pairs, dpo, "adapter-start", lora, adapter_start),
                 train(config, weights, "dpo of a trained adapter", pairs, dpo, "adapter", lora, adapter)]
        if name in STANDARD:
            runs += [train(config, weights, "sft", documents, {}),
                     train(config, weights, "pretrain", texts, {"batch_size": 3, "learning_rate": 1e-2, "max_grad_norm": 5.0})]
        write_json(folder / "oracle.json", {
            "torch": torch.__version__,
            "score": score(config, weights, None, lines),
            "score_adapter": score(config, weights, (lora, adapter), lines),
            "greedy": [greedy(config, weights, line) for line in prompts],
            "cross_entropy": {"documents": documents, "loss": loss.item()},
            "runs": runs,
        })


if __name__ == "__main__":
    main()
