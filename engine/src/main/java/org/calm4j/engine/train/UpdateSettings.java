package org.calm4j.engine.train;

/**
 * How a step changes the weights, besides the optimizer and its learning rate.
 *
 * @param maxSkippedSteps so many steps in a row may have a loss or gradient that is not finite, and change nothing; one more ends the run
 */
public record UpdateSettings(int maxSkippedSteps) {
    public static final UpdateSettings DEFAULT = new UpdateSettings(10);
}
