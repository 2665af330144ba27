package org.calm4j.calm.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.calm4j.calm.world.Curriculum;
import org.calm4j.calm.world.World;
import org.calm4j.calm.world.WorldConfig;
import org.calm4j.calm.world.WorldFiles;
import org.calm4j.engine.config.Llama;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.tensor.DType;

/**
 * A run that the launcher has Java observe once after a build: the commands that only read and write files, on some made-up samples, and a very small
 * model. Java records the classes and how often methods were called, so that later starts are faster.
 */
public final class Rehearsal {
    private static final int QUESTIONS = 300;
    private static final int CHOICES = 5;
    private static final Map<String, String[]> RESPONSES = Map.of(
            "en",
                    new String[] {
                        "Explanation: It is said so.\n\nAnswer: %c. thing %d", "Answer: %c", "It could be %c. But no."
                    },
            "fr",
                    new String[] {
                        "Explication : On le dit.\n\nRéponse : %c. thing %d", "Réponse: %c", "C’est peut-être %c."
                    },
            "zh", new String[] {"解释:据说如此。\n\n答案:%c. thing %d", "答案：%c", "可能是%c。"});

    private Rehearsal() {}

    public static void main(String[] arguments) throws IOException {
        Path folder = Files.createTempDirectory("calm-rehearsal");
        try {
            List<String> samples = new ArrayList<>();
            for (String language : RESPONSES.keySet()) {
                Path list = folder.resolve(language + ".json");
                Json.write(list, items(RESPONSES.get(language)));
                samples.add(folder.resolve(language + ".jsonl").toString());
                calm("import", list.toString(), "--language", language, "--output", samples.getLast());
            }
            String votes = folder.resolve("votes.jsonl").toString();
            calm(with(samples, "vote", "--output", votes, "--samples"));
            calm(with(
                    samples,
                    "pairs",
                    "--votes",
                    votes,
                    "--output",
                    folder.resolve("pairs.jsonl").toString(),
                    "--samples"));
            calm("dpo", "--help");
            useModel(folder.resolve("world"));
        } finally {
            try (Stream<Path> files = Files.walk(folder)) {
                files.sorted(Comparator.reverseOrder()).forEach(Rehearsal::delete);
            }
        }
    }

    /** A model trained for a few steps. */
    private static void useModel(Path folder) {
        World world = World.create(WorldConfig.of(List.of("en", "fr")), 1);
        Curriculum curriculum = new Curriculum(world);
        WorldFiles.write(world, curriculum, folder);
        Path config = folder.resolve(WorldFiles.TOKENIZER).resolve("config.json");
        Json.write(
                config,
                Llama.config(
                                curriculum.tokenizer().size(),
                                16,
                                32,
                                1,
                                2,
                                2,
                                256,
                                curriculum.tokenizer().eosId())
                        .toJson(DType.F32));
        String documents = folder.resolve("documents.jsonl").toString();
        Jsonl.write(Path.of(documents), curriculum.epoch(8));
        String base = folder.resolve("base").toString();
        calm(
                "pretrain",
                "--config",
                config.toString(),
                "--data",
                documents,
                "--output",
                base,
                "--max-steps",
                "2",
                "--batch-size",
                "2");
        Jsonl.write(
                folder.resolve("texts.jsonl"),
                List.of(Map.of("id", 1, "prompt", "Paris is", "completion", "in France .")));
        calm(
                "score",
                "--model",
                base,
                "--input",
                folder.resolve("texts.jsonl").toString(),
                "--output",
                folder.resolve("scores.jsonl").toString());
    }

    private static List<Map<String, Object>> items(String[] responses) {
        List<Map<String, Object>> items = new ArrayList<>();
        for (int q = 0; q < QUESTIONS; q++) {
            StringBuilder input = new StringBuilder("Which is number " + q + "?\n");
            for (int c = 0; c < CHOICES; c++) {
                input.append((char) ('A' + c)).append(". thing ").append(c).append('\n');
            }
            List<String> said = new ArrayList<>();
            for (int r = 0; r < responses.length; r++) {
                int choice = (q * (r + 1) + r) % CHOICES;
                said.add(String.format(responses[r], (char) ('A' + choice), choice));
            }
            Map<String, Object> item =
                    new LinkedHashMap<>(Map.of("instruction", "Answer.", "input", input.toString(), "output", "A"));
            item.put("pred", said);
            items.add(item);
        }
        return items;
    }

    private static String[] with(List<String> samples, String... arguments) {
        return Stream.concat(Stream.of(arguments), samples.stream()).toArray(String[]::new);
    }

    private static void calm(String... arguments) {
        StringWriter said = new StringWriter();
        if (Calm.execute(new PrintWriter(said), new PrintWriter(said), arguments) != 0) {
            throw new IllegalStateException(said.toString());
        }
    }

    private static void delete(Path file) {
        try {
            Files.delete(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
