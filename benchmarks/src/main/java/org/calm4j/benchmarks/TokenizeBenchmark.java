package org.calm4j.benchmarks;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.calm4j.engine.text.Tokenizer;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * A text of many languages (140 kB) to ids, on one thread, compared with Hugging Face's own library. The tokenizers are those that the engine's
 * tests fetched into the user's cache.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class TokenizeBenchmark {
    private static final List<String> SENTENCES = List.of(
            "The region of Japan is Eastern Asia, isn't it? We've asked 1234 times.\n",
            "日本の地域は東アジアです。首都は東京で、人口は約1400万人です。",
            "日本的地区是东亚，首都是东京。\n\n",
            "Die Hauptsprache von Österreich ist Deutsch, sagt man. ",
            "La région : « Europe de l’Ouest », n’est-ce pas ? ",
            "В начале было слово, и слово было у Бога. ",
            "في البدء كان الكلمة والكلمة كان عند الله. ",
            "आदि में वचन था, और वचन परमेश्वर के साथ था। ",
            "태초에 말씀이 계시니라 이 말씀이 하나님과 함께 계셨으니. ",
            "ในเริ่มแรกนั้นพระวาทะทรงดำรงอยู่แล้ว ",
            "for (int i = 0; i < 10; i++) {\n        sum += values[i];\n}\n\treturn sum;\n",
            "👩‍👩‍👧‍👦 🇯🇵 naïve café ½ ² …\n");

    @Param({"llama3", "qwen3", "llama2"})
    private String tokenizer;

    private Tokenizer ours;
    private HuggingFaceTokenizer theirs;
    private String text;

    @Setup
    public void setUp() throws IOException {
        String cache = System.getenv().getOrDefault("XDG_CACHE_HOME", System.getProperty("user.home") + "/.cache");
        Path folder = Path.of(cache, "calm4j", "tokenizers", tokenizer + "-3.7.2", "package", "models");
        if (!Files.exists(folder)) {
            throw new IOException("no " + folder + "; the engine's tests fetch it");
        }
        ours = Tokenizer.read(folder);
        theirs = HuggingFaceTokenizer.builder()
                .optTokenizerPath(folder.resolve("tokenizer.json"))
                .optTruncation(false)
                .optPadding(false)
                .build();
        StringBuilder all = new StringBuilder();
        for (int i = 0; i < 1200; i++) {
            all.append(SENTENCES.get(i * 7 % SENTENCES.size())).append(i);
        }
        text = all.toString();
    }

    @Benchmark
    public int[] calm4j() {
        return ours.encode(text);
    }

    @Benchmark
    public long[] huggingFace() {
        return theirs.encode(text).getIds();
    }

    @TearDown
    public void tearDown() {
        theirs.close();
    }
}
