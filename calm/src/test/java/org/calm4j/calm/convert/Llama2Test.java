package org.calm4j.calm.convert;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.calm4j.calm.run.Progress;
import org.calm4j.calm.tool.ConvertStage;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.generate.Completion;
import org.calm4j.engine.generate.Generator;
import org.calm4j.engine.generate.Sampling;
import org.calm4j.engine.io.Shards;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.model.Scorer;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Backends;
import org.calm4j.engine.text.Tokenizer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Models of llama2.c, converted, against {@link RunC}. */
@Tag("slow")
final class Llama2Test {
    private static final String ALPHABET = "abcdé日 ";

    @TempDir
    private Path folder;

    /** Words that byte-pair encoding finds in random text: characters, then the most frequent pair again and again. */
    private static List<String> words(int merges, Random random) {
        List<String> words = new ArrayList<>(
                ALPHABET.codePoints().mapToObj(Character::toString).toList());
        List<String> text = new ArrayList<>();
        for (int i = 0; i < 3000; i++) {
            // Of unequal frequency.
            text.add(words.get(Math.min(random.nextInt(words.size()), random.nextInt(words.size()))));
        }
        for (int m = 0; m < merges; m++) {
            Map<String, Integer> counts = new HashMap<>();
            for (int i = 0; i + 1 < text.size(); i++) {
                String pair = text.get(i) + text.get(i + 1);
                if (!words.contains(pair) && pair.lastIndexOf(' ') <= 0) {
                    counts.merge(pair, 1, Integer::sum);
                }
            }
            String best = counts.entrySet().stream()
                    .max(Map.Entry.<String, Integer>comparingByValue().thenComparing(Map.Entry.comparingByKey()))
                    .orElseThrow()
                    .getKey();
            words.add(best);
            List<String> joined = new ArrayList<>();
            for (int i = 0; i < text.size(); i++) {
                boolean pair = i + 1 < text.size() && (text.get(i) + text.get(i + 1)).equals(best);
                joined.add(pair ? best : text.get(i));
                i += pair ? 1 : 0;
            }
            text = joined;
        }
        return words;
    }

    private static RunC model(boolean tied) {
        List<String> words = words(60, new Random(3));
        float[] scores = new float[words.size()];
        int characters = ALPHABET.codePointCount(0, ALPHABET.length());
        for (int i = 0; i < scores.length; i++) {
            // As SentencePiece has it: merges first, best first; characters behind them.
            scores[i] = i < characters ? -1000 - i : characters - i;
        }
        return new RunC(24, 40, 3, 4, 2, 48, tied, words, scores, 11);
    }

    private Path convert(RunC model) throws IOException {
        Path bin = Files.write(folder.resolve("model.bin"), model.modelFile());
        Path tokenizer = Files.write(folder.resolve("tokenizer.bin"), model.tokenizerFile());
        Path output = folder.resolve("converted");
        new ConvertStage(bin, null, tokenizer, output, null, Shards.DEFAULT_MAX_BYTES).run(Progress.NONE);
        return output;
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void sameProbabilitiesAndSameTextAtTemperatureZero(boolean tied) throws IOException {
        RunC runC = model(tied);
        try (Backend backend = Backends.open("cpu", 1);
                ModelFolder converted = ModelFolder.open(backend, convert(runC), null)) {
            for (String prompt : List.of("", "ab", "a cab é", "日 日b", "once ü")) {
                int[] tokens = converted.tokenizer().encode(prompt);
                assertThat(tokens)
                        .containsExactly(runC.encode(prompt).stream()
                                .mapToInt(Integer::intValue)
                                .toArray());
                Completion completion = new Generator(converted)
                        .generate(List.of(tokens), Sampling.greedy(47 - tokens.length), done -> {})
                        .getFirst()
                        .getFirst();
                int[] all = IntStream.concat(IntStream.of(tokens), IntStream.of(completion.tokens()))
                        .toArray();
                assertThat(converted.tokenizer().decode(all, true)).isEqualTo(runC.generate(prompt, 46));
                if (prompt.isEmpty()) {
                    assertThat(completion.text())
                            .isEqualTo(runC.generate("", 46))
                            .hasSizeGreaterThan(20);
                }
                double[] expected = runC.score(all);
                double[] found = new Scorer(converted.model())
                        .score(
                                List.of(new Scorer.Item(
                                        Arrays.copyOf(all, 1), List.of(Arrays.copyOfRange(all, 1, all.length)))),
                                done -> {})
                        .getFirst()
                        .getFirst();
                assertThat(found).containsExactly(expected, within(1e-4));
            }
        }
    }

    @Test
    void sameIdsForAnyText() throws IOException {
        RunC runC = model(true);
        Tokenizer tokenizer = Tokenizer.read(convert(runC));
        String letters = ALPHABET + "  aab🙂z\n";
        for (int i = 0; i < 3000; i++) {
            Random random = new Random(i);
            int[] codePoints = letters.codePoints().toArray();
            String text = IntStream.range(0, random.nextInt(30))
                    .map(c -> codePoints[random.nextInt(codePoints.length)])
                    .mapToObj(Character::toString)
                    .collect(Collectors.joining());
            List<Integer> expected = runC.encode(text);
            assertThat(Arrays.stream(tokenizer.encode(text)).boxed().toList())
                    .as(text)
                    .isEqualTo(expected);
            assertThat(tokenizer.decode(tokenizer.encode(text), true)).isEqualTo(text);
        }
    }

    @Test
    void whatIsNoSuchFileIsRefused() throws IOException {
        RunC runC = model(true);
        byte[] model = runC.modelFile();
        byte[] tokenizer = runC.tokenizerFile();
        int refused = 0;
        for (int i = 0; i < 400; i++) {
            Random random = new Random(i);
            boolean ofModel = random.nextBoolean();
            byte[] broken = (ofModel ? model : tokenizer).clone();
            if (random.nextBoolean()) {
                broken = Arrays.copyOf(broken, random.nextInt(broken.length));
            } else {
                // Where the numbers are that others depend on.
                broken[ofModel ? random.nextInt(28) : 4 + random.nextInt(4000)] = (byte) random.nextInt();
            }
            Path bin = Files.write(folder.resolve("m.bin"), ofModel ? broken : model);
            Path ids = Files.write(folder.resolve("t.bin"), ofModel ? tokenizer : broken);
            Path output = folder.resolve("out" + i);
            try {
                new ConvertStage(bin, null, ids, output, null, Shards.DEFAULT_MAX_BYTES).run(Progress.NONE);
            } catch (CalmException e) {
                refused++;
                assertThat(e.kind()).isEqualTo(CalmException.Kind.BAD_INPUT);
                assertThat(e.getMessage()).contains(ofModel ? "m.bin" : "t.bin").doesNotContain("\n");
                assertThat(output).doesNotExist();
            }
        }
        assertThat(refused).isGreaterThan(300);
        Path newer =
                Files.write(folder.resolve("newer.bin"), Arrays.copyOf(new byte[] {0x32, 0x34, 0x6b, 0x61, 2}, 28));
        assertThatThrownBy(() -> Llama2Checkpoint.open(newer)).hasMessageContaining("version 2");
    }
}
