package org.calm4j.engine.model;

/** The linear layers of a block by what they are for; a {@link Family} names them. These are what LoRA can adapt. */
public enum Projection {
    Q,
    K,
    V,
    /** Queries, keys and values in one product. */
    QKV,
    O,
    GATE,
    UP,
    DOWN;

    /** I, the columns of x. */
    public int inputSize(ModelConfig config) {
        return switch (this) {
            case O -> config.heads() * config.headDim();
            case DOWN -> config.intermediateSize();
            default -> config.hiddenSize();
        };
    }

    /** O, the columns of the result. */
    public int outputSize(ModelConfig config) {
        return switch (this) {
            case Q -> config.heads() * config.headDim();
            case K, V -> config.keyValueHeads() * config.headDim();
            case QKV -> (config.heads() + 2 * config.keyValueHeads()) * config.headDim();
            case GATE, UP -> config.intermediateSize();
            case O, DOWN -> config.hiddenSize();
        };
    }
}
