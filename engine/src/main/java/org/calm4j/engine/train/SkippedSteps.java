package org.calm4j.engine.train;

import com.fasterxml.jackson.annotation.JsonProperty;

/**
 * Steps that changed nothing, since their loss or gradient was not finite.
 *
 * @param inARow those since the last step that changed the weights
 */
record SkippedSteps(int all, @JsonProperty("in_a_row") int inARow) {
    static final SkippedSteps NONE = new SkippedSteps(0, 0);

    SkippedSteps after(boolean oneMore) {
        return oneMore ? new SkippedSteps(all + 1, inARow + 1) : new SkippedSteps(all, 0);
    }
}
