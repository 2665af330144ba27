package org.calm4j.engine.train.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Arrays;
import java.util.Locale;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.model.OracleModel;
import org.junit.jupiter.api.Test;

final class ScheduleTest {
    /** Every step's rate by transformers' formulas: {@code src/test/oracle/schedules.py}. */
    @Test
    void agreesWithTransformers() {
        JsonNode table = Json.read(OracleModel.folder("schedules.json"), JsonNode.class);
        assertThat(table).hasSize(26);
        for (JsonNode row : table) {
            Schedule.Kind kind =
                    Schedule.Kind.valueOf(row.required("kind").textValue().toUpperCase(Locale.ROOT));
            double peak = row.required("peak").doubleValue();
            double end = row.path("lr_end").asDouble(1e-7) / peak;
            Schedule schedule = new Schedule(
                    kind,
                    peak,
                    kind == Schedule.Kind.POLYNOMIAL
                            ? end
                            : row.path("min_lr_rate").asDouble(0),
                    row.path("power").asDouble(1),
                    row.required("warmup").intValue(),
                    row.path("decay_steps").asInt(0),
                    decay(row.path("decay_type").asText("cosine")),
                    row.required("total").intValue(),
                    kind == Schedule.Kind.COSINE_WITH_RESTARTS
                            ? row.path("num_cycles").asInt(1)
                            : 0);
            JsonNode rates = row.required("rates");
            for (int step = 0; step < rates.size(); step++) {
                assertThat(schedule.learningRate(step))
                        .as("%s, step %s", schedule, step)
                        .isCloseTo(rates.get(step).doubleValue(), within(1e-15 * peak));
            }
        }
    }

    private static Schedule.Decay decay(String name) {
        return Arrays.stream(Schedule.Decay.values())
                .filter(each -> each.toString().equals(name))
                .findFirst()
                .orElseThrow();
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
