package org.calm4j.engine.op;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.calm4j.engine.op.cases.OpCase;
import org.calm4j.engine.op.cases.OpCases;
import org.calm4j.engine.op.cases.Tolerances;
import org.calm4j.engine.op.cases.Trial;
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * Every operation of a backend against the scalar definition: {@link OpCases}, each a test of its own. A backend's test extends this and says
 * which backend it is.
 */
public abstract class BackendConformance {
    /** The backend that is tested; several instances may be open. */
    protected abstract Backend open();

    /**
     * Of so many cases one is run: for backends that are emulated. A number without a divisor in common with the sizes' lets each size
     * come.
     */
    protected int oneCaseOf() {
        return 1;
    }

    protected Tolerances tolerances() {
        return Tolerances.F32;
    }

    /** Words that are done at a time where a vocabulary goes by in chunks. */
    protected int chunk() {
        return Integer.MAX_VALUE;
    }

    /** What is run, in order. */
    public final List<OpCase> cases() {
        return OpCases.chosen(oneCaseOf());
    }

    @TestFactory
    Stream<DynamicContainer> operations() {
        return cases().stream()
                .collect(Collectors.groupingBy(OpCase::op, LinkedHashMap::new, Collectors.toList()))
                .entrySet()
                .stream()
                .map(op -> DynamicContainer.dynamicContainer(
                        op.getKey(),
                        op.getValue().stream().map(of -> DynamicTest.dynamicTest(of.name(), () -> check(of)))));
    }

    /** Whether the backend does as the definition. */
    final void check(OpCase of) {
        try (Backend backend = open();
                Trial trial = Trial.against(of, backend, tolerances(), chunk())) {
            of.run(trial);
        }
    }
}
