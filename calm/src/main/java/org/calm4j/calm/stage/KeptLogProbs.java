package org.calm4j.calm.stage;

import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.calm4j.calm.run.Fingerprint;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.train.Example;
import org.calm4j.engine.train.References;

/**
 * A reference model's log-probabilities of pairs, kept on disk under a name made of all that they depend on: what was made of anything else is
 * under another name.
 *
 * @param key digest of the model's files, the tokens of the pairs, and the settings that enter
 * @param say receives where they are
 */
record KeptLogProbs(Path file, String key, Consumer<String> say) implements References.Kept {
    /** Part of every key: numbers of another version of this class are not read. */
    private static final int FORMAT = 1;

    /** @param digest of the numbers, by which a damaged file is known */
    private record Content(String key, String digest, double[] logps) {}

    /**
     * @param model the folders of the model and its adapter
     * @param settings others that decide bits
     * @param taken marks the lines that are scored; null for all
     */
    static KeptLogProbs of(
            List<Path> model,
            Map<String, Object> settings,
            List<? extends Example> lines,
            boolean[] taken,
            Consumer<String> say) {
        MessageDigest tokens = sha256();
        for (int i = 0; i < lines.size(); i++) {
            List<Example.Preference> pairs =
                    taken == null || taken[i] ? lines.get(i).preferences() : List.of();
            for (Example.Preference pair : pairs) {
                for (int[] part : List.of(pair.prompt(), pair.rejectedPrompt(), pair.chosen(), pair.rejected())) {
                    ByteBuffer bytes = ByteBuffer.allocate(Integer.BYTES * (part.length + 1));
                    bytes.putInt(part.length).asIntBuffer().put(part);
                    tokens.update(bytes.array());
                }
            }
        }
        Map<String, Object> all = new LinkedHashMap<>();
        all.put("format", FORMAT);
        all.put("model", model.stream().map(Fingerprint::of).toList());
        all.put("tokens", HexFormat.of().formatHex(tokens.digest()));
        all.put("settings", settings);
        String key = Fingerprint.of(all);
        String cache = System.getenv("XDG_CACHE_HOME");
        Path folder = cache == null ? Path.of(System.getProperty("user.home"), ".cache") : Path.of(cache);
        return new KeptLogProbs(folder.resolve("calm4j").resolve("reference").resolve(key + ".json"), key, say);
    }

    @Override
    public double[] load(int count) {
        if (!Files.isRegularFile(file)) {
            return null;
        }
        try {
            Content content = Json.read(file, Content.class);
            if (content != null
                    && key.equals(content.key)
                    && content.logps != null
                    && content.logps.length == count
                    && digest(content.logps).equals(content.digest)) {
                say.accept("calm: the reference's log-probabilities are read from " + file);
                return content.logps;
            }
        } catch (CalmException e) {
            // As one whose numbers are others.
        }
        say.accept("calm: " + file + " is damaged; the reference's log-probabilities are computed anew");
        return null;
    }

    @Override
    public void save(double[] logProbs) {
        Json.write(file, new Content(key, digest(logProbs), logProbs));
        say.accept("calm: the reference's log-probabilities are kept in " + file);
    }

    private static String digest(double[] numbers) {
        ByteBuffer bytes = ByteBuffer.allocate(Double.BYTES * numbers.length);
        bytes.asDoubleBuffer().put(numbers);
        return HexFormat.of().formatHex(sha256().digest(bytes.array()));
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
