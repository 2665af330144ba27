package org.calm4j.calm.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.calm4j.calm.data.Pair;
import org.calm4j.calm.data.Prediction;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.data.Samples;
import org.calm4j.calm.data.Vote;
import org.calm4j.calm.experiment.WorldOnDisk;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code run --seeds}, and {@code report} of what it leaves. */
@Tag("slow")
class SeedsTest {
    @TempDir
    Path folder;

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    private int calm(String... arguments) {
        out.getBuffer().setLength(0);
        err.getBuffer().setLength(0);
        return Calm.execute(new PrintWriter(out), new PrintWriter(err), arguments);
    }

    private Path config() throws IOException {
        WorldOnDisk.write(folder);
        return Files.writeString(
                folder.resolve("run.yaml"),
                Files.readString(folder.resolve("experiment.yaml"))
                        .replace("../", folder + "/")
                        .replace("output: out", "output: " + folder.resolve("out")));
    }

    /** As {@code docs/files.md} promises. */
    private void everyFileJoinsByIdAndLanguage(Path run) {
        Map<List<String>, Question> questions = byPlace(
                Jsonl.read(folder.resolve("world/some.jsonl"), Question.class),
                line -> List.of(line.id(), line.language()));
        Map<List<String>, Samples> samples = byPlace(
                Jsonl.read(run.resolve("samples.jsonl"), Samples.class), line -> List.of(line.id(), line.language()));
        assertThat(samples.keySet()).isEqualTo(questions.keySet());
        List<Vote> votes = Jsonl.read(run.resolve("votes.jsonl"), Vote.class);
        assertThat(votes.stream().map(Vote::id).toList())
                .doesNotHaveDuplicates()
                .containsExactlyInAnyOrderElementsOf(questions.keySet().stream()
                        .map(List::getFirst)
                        .distinct()
                        .toList());
        Map<List<String>, Pair> pairs = byPlace(
                Jsonl.read(run.resolve("pairs.jsonl"), Pair.class), line -> List.of(line.id(), line.language()));
        assertThat(pairs).isNotEmpty();
        Map<String, Vote> winners = new HashMap<>();
        votes.forEach(vote -> winners.put(vote.id(), vote));
        pairs.forEach((place, pair) -> {
            assertThat(pair.prompt()).isEqualTo(samples.get(place).prompt());
            assertThat(pair.chosenAnswer()).isEqualTo(winners.get(pair.id()).answer());
        });
        for (String folder : List.of("eval-before", "eval-after", "eval-sft")) {
            Map<List<String>, Samples> responses = byPlace(
                    Jsonl.read(run.resolve(folder).resolve("responses.jsonl"), Samples.class),
                    line -> List.of(line.id(), line.language()));
            Map<List<String>, Prediction> predictions = byPlace(
                    Jsonl.read(run.resolve(folder).resolve("predictions.jsonl"), Prediction.class),
                    line -> List.of(line.id(), line.language()));
            assertThat(responses.keySet()).isEqualTo(questions.keySet());
            assertThat(predictions.keySet()).isEqualTo(questions.keySet());
            predictions.forEach((place, prediction) -> {
                assertThat(prediction.prediction())
                        .isEqualTo(responses.get(place).responses().getFirst().answer());
                assertThat(prediction.answer()).isEqualTo(questions.get(place).answer());
                assertThat(prediction.group())
                        .isEqualTo(questions.get(place).group())
                        .isNotNull();
            });
        }
    }

    private static <T> Map<List<String>, T> byPlace(List<T> lines, Function<T, List<String>> place) {
        Map<List<String>, T> byPlace = new HashMap<>();
        lines.forEach(line -> assertThat(byPlace.put(place.apply(line), line)).isNull());
        return byPlace;
    }

    @Test
    void oneFolderASeedAndOneReport() throws IOException {
        String config = config().toString();
        assertThat(calm("run", config, "--seeds", "4,5", "--dry-run")).isZero();
        assertThat(out.toString()).contains("seed-4/eval-before: would run", "seed-5/dpo: would run");
        assertThat(calm("run", config, "--seeds", "4,5", "--json", "--threads", "1"))
                .as(err.toString())
                .isZero();
        String first = out.toString();
        JsonNode result = Json.mapper().readTree(first);
        JsonNode four = result.path("seeds").path("4");
        JsonNode five = result.path("seeds").path("5");
        for (String figure : List.of("accuracy_mean", "consistency")) {
            for (String model : List.of("before", "after", "sft")) {
                double a = four.path(model).path(figure).asDouble();
                double b = five.path(model).path(figure).asDouble();
                assertThat(result.path(model).path(figure).asDouble()).isEqualTo((a + b) / 2, offset(1e-12));
                assertThat(result.path("over_seeds")
                                .path("main")
                                .path("models")
                                .path(model)
                                .path(figure)
                                .path("deviation")
                                .asDouble())
                        .isEqualTo(Math.abs(a - b) / Math.sqrt(2), offset(1e-12));
            }
            JsonNode gain = result.path("over_seeds")
                    .path("main")
                    .path("against")
                    .path("sft")
                    .path(figure);
            assertThat(gain.path("seeds").path(1).path("difference").asDouble())
                    .isEqualTo(
                            five.path("after").path(figure).asDouble()
                                    - five.path("sft").path(figure).asDouble(),
                            offset(1e-12));
            assertThat(gain.path("seeds").path(1).path("interval")).hasSize(2);
        }
        assertThat(result.path("after").path("n")).isEqualTo(four.path("after").path("n"));
        // The seeds differ in what they sampled.
        assertThat(Files.readString(folder.resolve("out/seed-4/samples.jsonl")))
                .isNotEqualTo(Files.readString(folder.resolve("out/seed-5/samples.jsonl")));
        assertThat(folder.resolve("out/seed-5/report.html")).exists();
        assertThat(Path.of(result.path("report").asText()))
                .content()
                .contains("href=\"seed-4/report.html\"", "After CALM");
        assertThat(folder.resolve("out/report.md"))
                .content()
                .contains("| After CALM | ", "| CALM less … | Seed |", "| sft | 5 |");

        everyFileJoinsByIdAndLanguage(folder.resolve("out/seed-4"));
        onlyTheAlignmentIsMeasuredByLanguage(folder.resolve("out/seed-4"), config);

        // What is done is not done again.
        assertThat(calm("run", config, "--seeds", "4,5", "--json", "--threads", "1"))
                .isZero();
        assertThat(out.toString()).isEqualTo(first);
        assertThat(err.toString().lines().filter(line -> line.startsWith("[")))
                .isNotEmpty()
                .allMatch(line -> line.endsWith("done before"));

        // The same from the folders, in whatever order, and from the folder of both.
        String all = folder.resolve("all").toString();
        assertThat(calm(
                        "report",
                        folder.resolve("out/seed-4").toString(),
                        folder.resolve("out/seed-5").toString(),
                        "--output",
                        all,
                        "--json"))
                .isZero();
        assertThat(Json.mapper().readTree(out.toString()).path("over_seeds")).isEqualTo(result.path("over_seeds"));
        assertThat(Path.of(all, "report.html")).content().contains("href=\"../out/seed-4/report.html\"");
        assertThat(calm("report", folder.resolve("out").toString())).isZero();
        assertThat(out.toString())
                .isEqualTo(Files.readString(folder.resolve("out/report.md")) + System.lineSeparator());

        assertThat(calm(
                        "report",
                        folder.resolve("out/seed-4").toString(),
                        folder.resolve("out/seed-4").toString()))
                .isEqualTo(3);
        assertThat(err.toString()).contains("seed 4");
        assertThat(calm("run", config, "--seeds", "4,4")).isEqualTo(2);
        assertThat(calm("run", config, "--seeds", "4", "--seed", "4")).isEqualTo(2);
    }

    /** Every ten steps, unless nothing inside is looked at; the model is the same. */
    private void onlyTheAlignmentIsMeasuredByLanguage(Path run, String config) throws IOException {
        assertThat(measuredSteps(run.resolve("calm"))).containsExactly(10, 20);
        assertThat(measuredSteps(run.resolve("sft"))).isEmpty();
        Path unseen = folder.resolve("unseen");
        assertThat(calm(
                        "run",
                        config,
                        "--seed",
                        "4",
                        "--threads",
                        "1",
                        "--set",
                        "output=" + unseen,
                        "--set",
                        "inside=0",
                        "--set",
                        "baselines=[]",
                        "--set",
                        "samples=" + run.resolve("samples.jsonl")))
                .as(err.toString())
                .isZero();
        assertThat(measuredSteps(unseen.resolve("calm"))).isEmpty();
        assertThat(unseen.resolve("calm/model.safetensors"))
                .hasSameBinaryContentAs(run.resolve("calm/model.safetensors"));
    }

    private static List<Object> measuredSteps(Path trained) {
        return Jsonl.readMaps(trained.resolve("metrics.jsonl")).stream()
                .filter(line -> line.keySet().stream().anyMatch(key -> key.startsWith("inspect/margins/")))
                .map(line -> line.get("step"))
                .toList();
    }

    /** The translator is a part of the pairs' settings. */
    @Test
    void aRunTranslates() throws IOException {
        String config = config().toString();
        assertThat(calm(
                        "run",
                        config,
                        "--set",
                        "baselines=[]",
                        "--set",
                        "pairs.translator=model",
                        "--set",
                        "pairs.translator_max_new_tokens=16",
                        "--set",
                        "pairs.chosen_sources=[sampled, translated, template]",
                        "--threads",
                        "1"))
                .as(err.toString())
                .isZero();
        // As what a response says, in every other language, the text of its option.
        List<String> translations = new ArrayList<>();
        List<Samples> lines = Jsonl.read(folder.resolve("out/samples.jsonl"), Samples.class);
        for (Samples from : lines) {
            for (Samples to : lines) {
                if (to.id().equals(from.id()) && !to.language().equals(from.language())) {
                    from.responses().stream()
                            .filter(response -> response.answer() != null)
                            .forEach(response -> translations.add(Json.compact(Map.of(
                                    "source",
                                    from.language(),
                                    "target",
                                    to.language(),
                                    "text",
                                    response.text(),
                                    "translation",
                                    to.choices().stream()
                                            .filter(choice -> choice.label().equals(response.answer()))
                                            .findFirst()
                                            .orElseThrow()
                                            .text()))));
                }
            }
        }
        Path file = Files.write(folder.resolve("translations.jsonl"), translations);
        assertThat(calm(
                        "run",
                        config,
                        "--set",
                        "baselines=[]",
                        "--set",
                        "pairs.translator=file",
                        "--set",
                        "pairs.translations=" + file,
                        "--set",
                        "pairs.chosen_sources=[translated]",
                        "--threads",
                        "1"))
                .as(err.toString())
                .isZero();
        assertThat(err.toString()).contains("sample: done before").doesNotContain("pairs: done before");
        assertThat(Jsonl.read(folder.resolve("out/pairs.jsonl"), Pair.class))
                .isNotEmpty()
                .allMatch(pair -> pair.chosenSource().equals("translated"));
        assertThat(calm("run", config, "--set", "pairs.translator=file")).isEqualTo(2);
        assertThat(err.toString()).contains("translations");
    }

    /** A second round with adapters starts from the first one's, and so does its reference: at its first step nothing is gained over it. */
    @Test
    void theReferenceOfALaterRoundIsWhereItStarts() throws IOException {
        String config = config().toString();
        assertThat(calm(
                        "run",
                        config,
                        "--set",
                        "dpo.lora_rank=4",
                        "--set",
                        "dpo.learning_rate=1e-2",
                        "--set",
                        "baselines=[iterative]",
                        "--set",
                        "evaluate.method=rank",
                        "--threads",
                        "1"))
                .as(err.toString())
                .isZero();
        JsonNode first = Jsonl.read(folder.resolve("out/iterative/metrics.jsonl"), JsonNode.class)
                .getFirst();
        assertThat(folder.resolve("out/iterative/adapter_config.json")).exists();
        assertThat(first.path("loss").asDouble()).isEqualTo(Math.log(2), offset(1e-6));
        assertThat(first.path("rewards/chosen").asDouble()).isEqualTo(0, offset(1e-5));
        // The first round had moved away from the model without its adapter.
        JsonNode last = Jsonl.read(folder.resolve("out/calm/metrics.jsonl"), JsonNode.class)
                .getLast();
        assertThat(Math.abs(last.path("rewards/margins").asDouble())).isGreaterThan(1e-3);
    }
}
