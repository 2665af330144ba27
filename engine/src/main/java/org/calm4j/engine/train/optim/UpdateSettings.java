package org.calm4j.engine.train.optim;

/**
 * How a step changes the weights, besides AdamW's settings and the learning rate.
 *
 * @param maxSkippedSteps so many steps in a row may have a loss or gradient that is not finite, and change nothing; one more ends the run
 * @param groups weights with learning rates and weight decays of their own
 * @param emaDecay of the moving average of the weights, which is kept beside them; 0 for none
 * @param memory how moments are kept
 */
public record UpdateSettings(
        int maxSkippedSteps, ParameterGroups groups, double emaDecay, OptimizerMemory memory, Optimizer optimizer) {
    public static final UpdateSettings DEFAULT = new UpdateSettings(10, ParameterGroups.NONE, 0, OptimizerMemory.F32);

    /** With AdamW. */
    public UpdateSettings(int maxSkippedSteps, ParameterGroups groups, double emaDecay, OptimizerMemory memory) {
        this(maxSkippedSteps, groups, emaDecay, memory, new PlainAdamW());
    }

    public UpdateSettings keeping(OptimizerMemory memory) {
        return new UpdateSettings(maxSkippedSteps, groups, emaDecay, memory, optimizer);
    }
}
