package org.calm4j.calm.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import org.calm4j.calm.experiment.ModelOnDisk;
import org.calm4j.calm.inspect.ReplayDifference;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;
import org.junit.jupiter.api.Test;

/** What the inspect commands print, and that what one writes the next one reads. */
final class InspectCommandTest extends CommandLineFixture {
    @Test
    void flagsMayStandBeforeWhatToInspect() throws IOException {
        ModelOnDisk.write(folder.resolve("model"));
        assertThat(calm("inspect", "--quiet", "--json", "model", "--model", path("model")))
                .isZero();
        assertThat(err.toString()).isEmpty();
        assertThat(Json.mapper().readTree(out.toString()).isObject()).isTrue();
        assertThat(calm("inspect", "--debug", "model", "--model", path("none"))).isEqualTo(3);
        assertThat(err.toString()).contains("CalmException").contains("\tat ");
    }

    @Test
    void vectorsSteerAGeneration() throws IOException {
        ModelOnDisk.write(folder.resolve("model"));
        file(
                "texts.jsonl",
                "{\"id\":1,\"language\":\"en\",\"input_ids\":[3,4]}",
                "{\"id\":2,\"language\":\"ja\",\"input_ids\":[5,6]}");
        List<String> steer = List.of("inspect", "steer", "--model", path("model"), "--input", path("texts.jsonl"));
        assertThat(calm(with(
                        steer, "--at", "blocks.0.hook_resid_pre", "--from", "ja", "--to", "en", "--output", path("v"))))
                .isZero();
        assertThat(out.toString()).contains("blocks.0.hook_resid_pre, norm ");
        file("in.jsonl", "{\"id\":1,\"input_ids\":[3,4]}");
        List<String> generate = List.of("generate", "--model", path("model"), "--input", path("in.jsonl"));
        calm(with(generate, "--temperature", "0", "--max-new-tokens", "4"));
        String plain = out.toString();
        assertThat(calm(with(generate, "--temperature", "0", "--max-new-tokens", "4", "--steer", path("v"))))
                .isZero();
        assertThat(out.toString()).contains("logprobs").isNotEqualTo(plain);
        calm(with(generate, "--temperature", "0", "--max-new-tokens", "4", "--steer", path("v"), "--steer-scale", "0"));
        assertThat(out.toString()).isEqualTo(plain);
        assertThat(calm(with(generate, "--steer", path("in.jsonl")))).isEqualTo(3);
    }

    @Test
    void patchingSaysHowFarAttributionFollows() throws IOException {
        ModelOnDisk.write(folder.resolve("model"));
        file("p.jsonl", "{\"id\":1,\"clean_input_ids\":[3,4],\"corrupted_input_ids\":[5,4],\"answer\":3,\"wrong\":4}");
        List<String> patch =
                List.of("inspect", "patch", "--model", path("model"), "--input", path("p.jsonl"), "--at", "resid_pre");
        assertThat(calm(with(patch, "--method", "exact,attribution", "--output", path("effects"))))
                .isZero();
        assertThat(out.toString()).contains("Correlation of attribution with exact patching: ");
        assertThat(calm(with(patch, "--output", path("effects")))).isZero();
        assertThat(out.toString()).doesNotContain("orrelation");
    }

    @Test
    void neuronsAreToldWithWhatSilencingThemDoes() throws IOException {
        ModelOnDisk.write(folder.resolve("model"));
        file(
                "texts.jsonl",
                "{\"language\":\"en\",\"input_ids\":[3,4,5]}",
                "{\"language\":\"ja\",\"input_ids\":[5,6,4]}");
        List<String> neurons = List.of(
                "inspect", "neurons", "--model", path("model"), "--input", path("texts.jsonl"), "--output", path("n"));
        assertThat(calm(with(neurons, "--top-rate", "0.5"))).isZero();
        assertThat(out.toString()).contains("specific to languages", "own excess", "  random ");
        assertThat(calm(with(neurons, "--top-rate", "2"))).isEqualTo(2);
        assertThat(err.toString()).contains("--top-rate must be above 0 and at most 1");
    }

    @Test
    void aLensIsTunedAndLookedThrough() throws IOException {
        ModelOnDisk.write(folder.resolve("model"));
        file("texts.jsonl", "{\"id\":1,\"input_ids\":[3,4,5],\"completion_start\":1}");
        String[] tune = {"inspect", "tune-lens", "--model", path("model"), "--data", path("texts.jsonl")};
        assertThat(calm(with(List.of(tune), "--max-steps", "2", "--output", path("lens"))))
                .isZero();
        assertThat(out.toString()).contains("layer  logit lens  tuned lens");
        assertThat(calm(with(List.of(tune), "--batch-size", "0", "--output", path("other"))))
                .isEqualTo(2);
        List<String> lens = List.of(
                "inspect", "lens", "--model", path("model"), "--input", path("texts.jsonl"), "--output", path("l"));
        assertThat(calm(with(lens, "--tuned", path("lens")))).isZero();
        assertThat(calm(with(lens, "--tuned", path("model")))).isEqualTo(3);
        assertThat(err.toString()).contains("lens_type is null and not linear_tuned_lens");
    }

    @Test
    void aStepIsOfARunOrOfSettings() throws IOException {
        ModelOnDisk.write(folder.resolve("model"));
        file(
                "pairs.jsonl",
                "{\"language\":\"en\",\"prompt_input_ids\":[3],\"chosen_input_ids\":[4,5],\"rejected_input_ids\":[6]}",
                "{\"language\":\"ja\",\"prompt_input_ids\":[5],\"chosen_input_ids\":[3],\"rejected_input_ids\":[4]}");
        file("asked.jsonl", "{\"id\":\"q\",\"input_ids\":[3,4],\"completion_start\":1}");
        List<String> step = List.of("inspect", "step", "--output", path("step.jsonl"));
        assertThat(calm(with(step))).isEqualTo(2);
        assertThat(err.toString()).contains("the folder of a finished run, or --model and --data");
        assertThat(calm(with(step, path("run"), "--beta", "0.2"))).isEqualTo(2);
        assertThat(err.toString()).contains("--beta is a setting of the run");
        String[] settings = {"--model", path("model"), "--data", path("pairs.jsonl"), "--questions", path("asked.jsonl")
        };
        assertThat(calm(with(step, settings))).isZero();
        assertThat(out.toString()).contains("Cosines of the languages' gradients", "q: raised most by line ");
        assertThat(Jsonl.read(folder.resolve("step.jsonl"), JsonNode.class))
                .filteredOn(line -> line.path("kind").asText().equals("influence"))
                .hasSize(2);
    }

    /** A tensor of an adapter has a long name; the columns stay. */
    @Test
    void aReplaysTableHasColumns() {
        String name = "base_model.model.model.layers.11.self_attn.q_proj.lora_A.weight";
        String table = InspectReplayCommand.table(new ReplayDifference(
                0.25,
                List.of(new ReplayDifference.TensorDifference(name, new long[] {2, 2}, 1, 0.5)),
                Map.of("loss", new ReplayDifference.Metric(1.0, null))));
        assertThat(table.lines()).hasSize(5).allSatisfy(line -> assertThat(line)
                .hasSameSizeAs(table.lines().findFirst().orElseThrow()));
        assertThat(table).contains(name + "  ").endsWith("0.250000\n");
    }
}
