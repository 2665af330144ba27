package org.calm4j.calm.stage;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.calm4j.engine.train.Example;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class KeptLogProbsTest {
    private static final double[] NUMBERS = {-12.345678901234567, -0.1, Math.nextUp(-3.0), -1e-300};

    @TempDir
    private Path folder;

    private final List<String> said = new ArrayList<>();

    @Test
    void numbersComeBackToTheBit() {
        var kept = new KeptLogProbs(folder.resolve("a/b.json"), "key", said::add);
        assertThat(kept.load(NUMBERS.length)).isNull();
        kept.save(NUMBERS);
        assertThat(kept.load(NUMBERS.length)).isEqualTo(NUMBERS);
    }

    /** A file that is not whole, was changed, or is of another key counts as missing. */
    @Test
    void othersAreNotRead() throws IOException {
        Path file = folder.resolve("b.json");
        var kept = new KeptLogProbs(file, "key", said::add);
        kept.save(NUMBERS);
        String whole = Files.readString(file);
        assertThat(new KeptLogProbs(file, "another", said::add).load(NUMBERS.length))
                .isNull();
        for (String broken :
                List.of("", "{}", "[1]", whole.substring(0, whole.length() / 2), whole.replace("-0.1", "-0.2"))) {
            Files.writeString(file, broken);
            assertThat(kept.load(NUMBERS.length)).as(broken).isNull();
            assertThat(said.getLast()).contains("damaged");
        }
    }

    @Test
    void aKeyIsOfWeightsTokensAndSettings() throws IOException {
        Path model = Files.createDirectory(folder.resolve("model"));
        Files.writeString(model.resolve("model.safetensors"), "weights");
        Map<String, Object> settings = Map.of("ld_alpha", 1.0);
        Example.Preference pair = pair(new int[] {1, 2}, new int[] {3}, new int[] {4});
        String key = key(model, settings, pair);
        assertThat(key(model, settings, pair(new int[] {1, 2}, new int[] {3}, new int[] {4})))
                .isEqualTo(key);
        Set<String> others = Set.of(
                key(model, Map.of("ld_alpha", 0.5), pair),
                key(model, settings, pair, pair),
                key(model, settings, pair(new int[] {1}, new int[] {2, 3}, new int[] {4})),
                key(model, settings, pair(new int[] {1, 2}, new int[] {4}, new int[] {3})));
        assertThat(others).doesNotContain(key);
        Files.writeString(model.resolve("model.safetensors"), "other weights");
        assertThat(key(model, settings, pair)).isNotEqualTo(key);
    }

    private static String key(Path model, Map<String, Object> settings, Example.Preference... pairs) {
        return KeptLogProbs.of(List.of(model), settings, List.of(pairs), null, line -> {})
                .key();
    }

    private static Example.Preference pair(int[] prompt, int[] chosen, int[] rejected) {
        return new Example.Preference(prompt, chosen, rejected, 1);
    }
}
