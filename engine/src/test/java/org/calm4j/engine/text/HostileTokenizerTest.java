package org.calm4j.engine.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.function.Consumer;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Small files that ask for hours or all memory: each is refused by the name of its part, or its work is bounded by the text. */
@Tag("slow")
final class HostileTokenizerTest {
    private static final Duration TIME = Duration.ofSeconds(20);
    private static final long BYTES = 1L << 30;
    private static final String TEXT = "a b  c ab \u00e9 日本 xyz ".repeat(500);

    @TempDir
    private Path folder;

    /** @param message in what is said; null where the file is read and the text tokenised */
    private record Case(String name, String message, String text, Consumer<ObjectNode> change) {
        static Case of(String name, String message, String part, String value) {
            return new Case(name, message, TEXT, json -> json.set(part, json(value)));
        }

        @Override
        public String toString() {
            return name;
        }
    }

    private static String parts(String list, String part, int times) {
        return "{'type':'Sequence','" + list + "':[" + (part + ",").repeat(times - 1) + part + "]}";
    }

    private static String replace(String pattern, String content) {
        return "{'type':'Replace','pattern':" + pattern + ",'content':'" + content + "'}";
    }

    static List<Case> cases() {
        String doubled = replace("{'String':'a'}", "aa");
        String prepend = "{'type':'Prepend','prepend':'" + "p".repeat(1_000_000) + "'}";
        String split = "{'type':'Split','pattern':{'Regex':'%s'},'behavior':'Isolated','invert':false}";
        String slow = split.formatted("(?:x+x+)+y|\\\\s");
        String bytes = "{'type':'ByteLevel','add_prefix_space':true,'trim_offsets':true,'use_regex':true}";
        String blanks = "{'type':'Metaspace','replacement':'%s','prepend_scheme':'always','split':true}";
        String template =
                "{'type':'TemplateProcessing','single':[" + "{'SpecialToken':{'id':'s','type_id':0}},".repeat(5000)
                        + "{'Sequence':{'id':'A','type_id':0}}],'special_tokens':{'s':{'id':'s','ids':["
                        + "1,".repeat(5000) + "1]}}}";
        String one =
                "{'type':'TemplateProcessing','single':[{'SpecialToken':{'id':'s','type_id':0}},{'Sequence':{'id':'A','type_id':0}}],"
                        + "'special_tokens':{'s':{'id':'s','ids':[" + "1,".repeat(400) + "1]}}}";
        return List.of(
                Case.of(
                        "replacements that double",
                        "normalizer makes more than",
                        "normalizer",
                        parts("normalizers", doubled, 60)),
                Case.of(
                        "replacements with matches of nothing",
                        "normalizer",
                        "normalizer",
                        parts("normalizers", replace("{'Regex':'x*'}", "yyyyyy"), 60)),
                Case.of("a long prefix of every piece", "normalizer makes more than", "normalizer", prepend),
                Case.of(
                        "a prefix that is replaced",
                        "normalizer makes more than",
                        "normalizer",
                        parts("normalizers", "{'type':'Prepend','prepend':'aaaa'}," + doubled, 40)),
                Case.of(
                        "many parts",
                        "normalizer has 20001 parts",
                        "normalizer",
                        parts("normalizers", "{'type':'NFC'}", 20_000)),
                Case.of(
                        "parts in parts",
                        "normalizer has",
                        "normalizer",
                        parts(
                                "normalizers",
                                parts("normalizers", parts("normalizers", "{'type':'Lowercase'}", 30), 30),
                                30)),
                Case.of(
                        "a long pattern",
                        "normalizer.pattern has 50001 characters",
                        "normalizer",
                        replace("{'String':'" + "a".repeat(50_000) + "b'}", "")),
                Case.of(
                        "byte alphabets of byte alphabets",
                        "pre_tokenizer makes more than",
                        "pre_tokenizer",
                        parts("pretokenizers", bytes, 60)),
                Case.of(
                        "blanks before each piece",
                        "pre_tokenizer makes more than",
                        "pre_tokenizer",
                        parts("pretokenizers", blanks.formatted("▁") + "," + blanks.formatted("_"), 25)),
                new Case(
                        "slow expressions in small pieces",
                        "takes too many steps",
                        ("x".repeat(200) + " ").repeat(50),
                        json -> json.set(
                                "pre_tokenizer",
                                json(parts("pretokenizers", "{'type':'WhitespaceSplit'}," + slow, 1)))),
                new Case(
                        "a slow expression",
                        "takes too many steps",
                        "x".repeat(5000),
                        json -> json.set("pre_tokenizer", json(slow))),
                new Case("a long list of ranges", null, "\uFF00".repeat(20_000), json -> {
                    StringBuilder ranges = new StringBuilder();
                    for (int c = 0x400; ranges.length() < 9000; c += 3) {
                        ranges.append((char) c).append('-').append((char) (c + 1));
                    }
                    json.set("pre_tokenizer", json(split.formatted("[" + ranges + "]")));
                }),
                Case.of(
                        "many pre-tokenizers",
                        "pre_tokenizer has",
                        "pre_tokenizer",
                        parts("pretokenizers", bytes, 10_000)),
                Case.of("many tokens round a text", "adds more than 1000 tokens", "post_processor", template),
                Case.of("many templates", "adds more than 1000 tokens", "post_processor", parts("processors", one, 90)),
                Case.of("decoders that double", "decoder makes more than", "decoder", parts("decoders", doubled, 60)),
                Case.of("many decoders", "decoder has", "decoder", parts("decoders", "{'type':'Fuse'}", 50_000)),
                Case.of(
                        "decoders in decoders",
                        null,
                        "decoder",
                        "{'type':'Sequence','decoders':[".repeat(80) + "{'type':'ByteFallback'}" + "]}".repeat(80)),
                Case.of(
                        "strips more than there is",
                        null,
                        "decoder",
                        "{'type':'Strip','content':'a','start':2147483647,'stop':2147483647}"),
                new Case("a long affix", "model.end_of_word_suffix has", TEXT, json -> ((ObjectNode) json.get("model"))
                        .put("end_of_word_suffix", "a".repeat(100_000))),
                new Case(
                        "a long token", "has a token of 40000 characters", TEXT, json -> json.withObject("/model/vocab")
                                .put("t".repeat(40_000), 5000)),
                new Case("added tokens that begin alike", null, "a".repeat(300_000), json -> {
                    for (int i = 0; i < 500; i++) {
                        added(json, "a".repeat(999 - i) + "b", false);
                    }
                }),
                new Case("many added tokens", null, "token ".repeat(20_000), json -> {
                    for (int i = 0; i < 30_000; i++) {
                        added(json, "token" + i, i % 2 == 0);
                    }
                }),
                new Case("added tokens behind a long prefix", "normalizer makes more than", TEXT, json -> {
                    for (int i = 0; i < 5_000; i++) {
                        added(json, "t" + i, true);
                    }
                    json.set("normalizer", json("{'type':'Prepend','prepend':'" + "p".repeat(900) + "'}"));
                }),
                new Case("blanks that many tokens take", null, " \t".repeat(100_000), json -> {
                    added(json, " ", false).put("rstrip", true).put("lstrip", true);
                    added(json, "\t", false);
                }),
                new Case(
                        "marks on one character",
                        "combining marks",
                        "a" + "\u0301\u0316".repeat(100_000),
                        json -> json.set("normalizer", json("{'type':'NFC'}"))),
                new Case("ids far apart", "largest token id", TEXT, json -> json.withObject("/model/vocab")
                        .put("far", Integer.MAX_VALUE)),
                new Case("huge padding", null, TEXT, json -> {
                    json.set(
                            "padding",
                            json("{'strategy':{'Fixed':2147483647},'pad_to_multiple_of':1000000000,'pad_id':-1}"));
                    json.set("truncation", json("{'max_length':2147483647,'stride':2147483647}"));
                }));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void hostile(Case hostile) throws IOException {
        ObjectNode json = honest();
        hostile.change.accept(json);
        Files.write(folder.resolve("tokenizer.json"), Json.pretty(json));
        assertTimeoutPreemptively(TIME, () -> {
            long before = allocated();
            try {
                Tokenizer tokenizer = Tokenizer.read(folder);
                int[] ids = tokenizer.encode(hostile.text);
                assertThat(tokenizer.decode(ids, false).length()).isLessThan(200 * hostile.text.length());
                assertThat(hostile.message).isNull();
            } catch (CalmException e) {
                assertThat(e.kind()).isEqualTo(CalmException.Kind.BAD_INPUT);
                assertThat(e.getMessage())
                        .doesNotContain("\n")
                        .contains(hostile.message == null ? "must be read" : hostile.message);
            }
            assertThat(allocated() - before).isLessThan(BYTES);
        });
    }

    /** What a published file may do to a text is far below the bounds. */
    @Test
    void honestGrowthIsNoCrime() throws IOException {
        ObjectNode json = honest();
        json.set(
                "normalizer",
                json("{'type':'Sequence','normalizers':[{'type':'NFKD'},{'type':'Prepend','prepend':'▁'},"
                        + replace("{'String':' '}", "▁▁▁") + "]}"));
        Files.write(folder.resolve("tokenizer.json"), Json.pretty(json));
        assertThat(Tokenizer.read(folder).encode("\uFDFA".repeat(20_000))).hasSizeGreaterThan(360_000);
    }

    private static long allocated() {
        return ((ThreadMXBean) ManagementFactory.getThreadMXBean()).getCurrentThreadAllocatedBytes();
    }

    private static ObjectNode added(ObjectNode json, String content, boolean normalized) {
        ArrayNode tokens = json.withArray("added_tokens");
        return tokens.addObject()
                .put("id", 256 + tokens.size())
                .put("content", content)
                .put("single_word", false)
                .put("lstrip", false)
                .put("rstrip", false)
                .put("normalized", normalized)
                .put("special", false);
    }

    /** Every byte is a token. */
    private static ObjectNode honest() {
        ObjectNode json = Json.mapper().createObjectNode();
        ObjectNode model = json.putObject("model").put("type", "BPE").put("byte_fallback", true);
        model.putArray("merges");
        ObjectNode vocabulary = model.putObject("vocab");
        for (int b = 0; b < 256; b++) {
            vocabulary.put(String.format("<0x%02X>", b), b);
        }
        vocabulary.put("a", 256);
        return json;
    }

    private static com.fasterxml.jackson.databind.JsonNode json(String text) {
        try {
            return Json.mapper().readTree(text.replace('\'', '"'));
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }
}
