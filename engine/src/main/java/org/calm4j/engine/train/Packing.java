package org.calm4j.engine.train;

/**
 * How a step's lines are put into forward and backward passes.
 *
 * @param maxTokens tokens of a pass, unless a single line has more; 0: as many as fit into {@link Trainer#MICRO_BATCH_ROWS} rows
 * @param sharePrompts whether a prompt of several pairs in a pass is computed once, which adds gradients in another order; lines of a
 *     step that have the same prompt are then packed one after another
 * @param groupByPrompt whether an epoch's order has lines of one prompt one after another
 */
public record Packing(int maxTokens, boolean sharePrompts, boolean groupByPrompt) {
    public static final Packing STANDARD = new Packing(0, false, false);
}
