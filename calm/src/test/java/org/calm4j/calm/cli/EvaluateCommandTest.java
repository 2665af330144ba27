package org.calm4j.calm.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;
import org.junit.jupiter.api.Test;

/** Predictions, alone and against those of another run. */
final class EvaluateCommandTest extends CommandLineFixture {
    @Test
    void predictionsAreEvaluated() throws IOException {
        file(
                "p.jsonl",
                "{\"id\":1,\"language\":\"en\",\"answer\":\"A\",\"prediction\":\"A\"}",
                "{\"id\":1,\"language\":\"fr\",\"answer\":\"A\",\"prediction\":null}",
                "{\"id\":2,\"language\":\"en\",\"answer\":\"B\",\"prediction\":\"B\"}",
                "{\"id\":2,\"language\":\"fr\",\"answer\":\"B\",\"prediction\":\"B\"}");
        assertThat(calm("evaluate", "--predictions", path("p.jsonl"), "--output", path("eval"), "--json"))
                .isZero();
        JsonNode evaluation = Json.read(folder.resolve("eval/eval.json"), JsonNode.class);
        assertThat(evaluation.path("accuracy_mean").asDouble()).isEqualTo(0.75);
        assertThat(evaluation.path("consistency").asDouble()).isEqualTo(0.5);
        assertThat(Jsonl.readMaps(folder.resolve("eval/predictions.jsonl"))).hasSize(4);
        assertThat(calm("evaluate", "--output", path("eval"))).isEqualTo(2);
        // Against another run: what changed, by question.
        file(
                "q.jsonl",
                "{\"id\":1,\"language\":\"en\",\"answer\":\"A\",\"prediction\":\"B\"}",
                "{\"id\":1,\"language\":\"fr\",\"answer\":\"A\",\"prediction\":null}",
                "{\"id\":2,\"language\":\"en\",\"answer\":\"B\",\"prediction\":\"B\"}",
                "{\"id\":2,\"language\":\"fr\",\"answer\":\"B\",\"prediction\":\"A\"}");
        assertThat(calm(
                        "evaluate",
                        "--predictions",
                        path("p.jsonl"),
                        "--against",
                        path("q.jsonl"),
                        "--output",
                        path("eval"),
                        "--json"))
                .isZero();
        JsonNode against = Json.mapper().readTree(out.toString()).path("against");
        assertThat(against.path("accuracy_mean").path("difference").asDouble()).isEqualTo(0.5);
        assertThat(against.path("accuracy_mean").path("interval")).hasSize(2);
        assertThat(against.path("flips").path("en").path("gained").asInt()).isEqualTo(1);
        assertThat(against.path("flips").path("en").path("p_value").asDouble()).isEqualTo(1);
        assertThat(Json.read(folder.resolve("eval/comparison.json"), JsonNode.class))
                .isEqualTo(against);
        file("other.jsonl", "{\"id\":1,\"language\":\"en\",\"answer\":\"A\",\"prediction\":\"B\"}");
        assertThat(calm(
                        "evaluate",
                        "--predictions",
                        path("p.jsonl"),
                        "--against",
                        path("other.jsonl"),
                        "--output",
                        path("eval")))
                .isEqualTo(3);
    }

    @Test
    void aFileWithoutPredictionsIsNotOneOfWrongAnswers() throws IOException {
        file("questions.jsonl", "{\"id\":1,\"language\":\"en\",\"question\":\"Q\",\"choices\":[],\"answer\":\"A\"}");
        assertThat(calm("evaluate", "--predictions", path("questions.jsonl"), "--output", path("eval")))
                .isEqualTo(3);
        assertThat(err.toString()).contains("questions.jsonl:1: prediction is missing");
        assertThat(folder.resolve("eval")).doesNotExist();
    }
}
