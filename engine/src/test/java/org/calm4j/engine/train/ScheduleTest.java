package org.calm4j.engine.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

final class ScheduleTest {
    /** The values of transformers' get_linear_schedule_with_warmup and get_cosine_schedule_with_warmup at 10 warm-up steps of 100. */
    @Test
    void agreesWithTransformers() {
        Schedule linear = new Schedule(Schedule.Kind.LINEAR, 1, 0, 10, 100);
        assertThat(linear.learningRate(0)).isZero();
        assertThat(linear.learningRate(5)).isEqualTo(0.5);
        assertThat(linear.learningRate(10)).isEqualTo(1);
        assertThat(linear.learningRate(55)).isCloseTo(0.5, within(1e-15));
        assertThat(linear.learningRate(100)).isZero();
        Schedule cosine = new Schedule(Schedule.Kind.COSINE, 1, 0, 10, 100);
        assertThat(cosine.learningRate(40)).isCloseTo(0.75, within(1e-12));
        assertThat(cosine.learningRate(55)).isCloseTo(0.5, within(1e-12));
    }

    @Test
    void endsAtTheMinimum() {
        assertThat(new Schedule(Schedule.Kind.COSINE, 2, 0.03, 0, 50).learningRate(50))
                .isCloseTo(0.06, within(1e-12));
        assertThat(new Schedule(Schedule.Kind.LINEAR, 2, 0.1, 0, 50).learningRate(50))
                .isCloseTo(0.2, within(1e-12));
        assertThat(new Schedule(Schedule.Kind.CONSTANT, 2, 0.1, 0, 50).learningRate(50))
                .isEqualTo(2);
    }
}
