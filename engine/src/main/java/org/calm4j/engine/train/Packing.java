package org.calm4j.engine.train;

/**
 * How a step's lines are put into forward and backward passes.
 *
 * @param maxTokens tokens of a pass, unless a single line has more; 0: as many as fit into {@link Trainer#MICRO_BATCH_ROWS} rows
 */
public record Packing(int maxTokens) {
    public static final Packing STANDARD = new Packing(0);
}
