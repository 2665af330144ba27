package org.calm4j.engine.model;

/** The seven linear layers of a block, with their Hugging Face names; these are what LoRA can adapt. */
public enum Projection {
    Q("self_attn.q_proj"),
    K("self_attn.k_proj"),
    V("self_attn.v_proj"),
    O("self_attn.o_proj"),
    GATE("mlp.gate_proj"),
    UP("mlp.up_proj"),
    DOWN("mlp.down_proj");

    private final String path;

    Projection(String path) {
        this.path = path;
    }

    /** The name inside a block, such as {@code self_attn.q_proj}. */
    public String path() {
        return path;
    }

    /** The last part of the name, such as {@code q_proj}: what PEFT calls a target module. */
    public String module() {
        return path.substring(path.indexOf('.') + 1);
    }

    /** Columns of the weight (O,I). */
    public int inputSize(ModelConfig config) {
        return switch (this) {
            case O -> config.heads() * config.headDim();
            case DOWN -> config.intermediateSize();
            default -> config.hiddenSize();
        };
    }

    /** Rows of the weight (O,I). */
    public int outputSize(ModelConfig config) {
        return switch (this) {
            case Q -> config.heads() * config.headDim();
            case K, V -> config.keyValueHeads() * config.headDim();
            case GATE, UP -> config.intermediateSize();
            case O, DOWN -> config.hiddenSize();
        };
    }
}
