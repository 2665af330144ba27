package org.calm4j.calm.option;

import org.calm4j.engine.Setting;
import org.calm4j.engine.train.division.Division;

/** How the work of a step is divided among the processes that a launcher started. */
@OptionRecord("Several processes")
public record DivisionOptions(
        @Option(
                value =
                        "Parts of a step, a power of two, whose gradients are added in a fixed order: any number of ranks that"
                                + " divides it gives the same bits. Default: 1, which rank 0 trains alone.",
                label = "N",
                later = true)
        Integer parts,

        @Option(
                value = "As in DeepSpeed, what ranks divide instead of having all of it: 0 (default): nothing, 1: the"
                        + " optimizer's moments. It changes no bits.",
                label = "0|1",
                later = true)
        Integer zero) {
    public DivisionOptions {
        Setting.of("parts")
                .check(parts == null || Division.isParts(parts), "must be a power of two from 1 to " + Division.MOST);
        Setting.of("zero").check(zero == null || zero == 0 || zero == 1, "must be 0 or 1");
    }
}
