package org.calm4j.engine.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import org.calm4j.engine.tensor.Tensor;

/** A tensor against what an oracle's file says of it: sum, sum_squares and its first entries. */
final class OracleTensor {
    private OracleTensor() {}

    static void check(Tensor actual, JsonNode expected, double tolerance) {
        double sum = 0;
        double squares = 0;
        for (long i = 0; i < actual.size(); i++) {
            sum += actual.get(i);
            squares += actual.get(i) * actual.get(i);
        }
        close(actual.name() + " sum", sum, expected.required("sum"), tolerance);
        close(actual.name() + " squares", squares, expected.required("sum_squares"), tolerance);
        checkFirst(actual, expected, tolerance);
    }

    /** Of the first entries alone. */
    static void checkFirst(Tensor actual, JsonNode expected, double tolerance) {
        JsonNode first = expected.required("first");
        for (int i = 0; i < first.size(); i++) {
            close(actual.name() + " " + i, actual.get(i), first.get(i), tolerance);
        }
    }

    /** Relative to the value, where that is above 1. */
    static void close(String what, double actual, JsonNode expected, double tolerance) {
        double value = expected.doubleValue();
        assertThat(actual).as(what).isCloseTo(value, within(tolerance * Math.max(1, Math.abs(value))));
    }
}
