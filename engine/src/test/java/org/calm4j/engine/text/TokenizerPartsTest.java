package org.calm4j.engine.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Small tokenizer.json files, one for each part of the format, against Hugging Face's own library. */
@Tag("slow")
final class TokenizerPartsTest {
    private static final List<String> SPLITS =
            List.of("Removed", "Isolated", "Contiguous", "MergedWithPrevious", "MergedWithNext");

    @TempDir
    private Path folder;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{'type':'NFC'}",
                "{'type':'Lowercase'}",
                "{'type':'Strip','strip_left':true,'strip_right':true}",
                "{'type':'Strip','strip_left':false,'strip_right':true}",
                "{'type':'Prepend','prepend':'▁'}",
                "{'type':'Prepend','prepend':'ab'}",
                "{'type':'Replace','pattern':{'String':' '},'content':'▁'}",
                "{'type':'Replace','pattern':{'Regex':'\\\\s+'},'content':' '}",
                "{'type':'Replace','pattern':{'Regex':'[aeiou](?=\\\\w)'},'content':''}",
                "{'type':'Sequence','normalizers':[]}",
                "{'type':'Sequence','normalizers':[{'type':'NFC'},{'type':'Lowercase'},{'type':'Prepend','prepend':'▁'}]}"
            })
    void normalizers(String normalizer) throws IOException {
        check("normalizer", normalizer);
    }

    @Test
    void decompositions() throws IOException {
        // The library's tables of compatibility characters are older than Java's; of these all versions say the same.
        for (String form : List.of("NFD", "NFKD", "NFKC")) {
            write(bytes(), "normalizer", "{'type':'" + form + "'}");
            try (HuggingFace library = new HuggingFace(folder)) {
                List.of("é e\u0301 Å Å ﬁ ① ½ ﷺ 한글 각 \u1E9B\u0323 ｶﾞ ２", "日本 ñ").forEach(library::check);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{'type':'ByteLevel','add_prefix_space':true,'trim_offsets':true,'use_regex':true}",
                "{'type':'ByteLevel','add_prefix_space':true,'trim_offsets':true,'use_regex':false}",
                "{'type':'Metaspace','replacement':'▁','prepend_scheme':'always','split':true}",
                "{'type':'Metaspace','replacement':'▁','prepend_scheme':'first','split':true}",
                "{'type':'Metaspace','replacement':'▁','prepend_scheme':'first','split':false}",
                "{'type':'Metaspace','replacement':'▁','prepend_scheme':'never','split':true}",
                "{'type':'Whitespace'}",
                "{'type':'WhitespaceSplit'}",
                "{'type':'Digits','individual_digits':true}",
                "{'type':'Digits','individual_digits':false}",
                "{'type':'Punctuation','behavior':'Isolated'}",
                "{'type':'Punctuation','behavior':'MergedWithPrevious'}",
                "{'type':'Sequence','pretokenizers':[{'type':'WhitespaceSplit'},{'type':'Metaspace','replacement':'▁',"
                        + "'prepend_scheme':'first','split':true}]}",
                "{'type':'Sequence','pretokenizers':[{'type':'Digits','individual_digits':true},{'type':'ByteLevel','add_prefix_space':true,"
                        + "'trim_offsets':true,"
                        + "'use_regex':true}]}",
                "{'type':'Sequence','pretokenizers':[{'type':'ByteLevel','add_prefix_space':false,'trim_offsets':true,'use_regex':true},"
                        + "{'type':'Punctuation','behavior':'Isolated'}]}"
            })
    void preTokenizers(String preTokenizer) throws IOException {
        check("pre_tokenizer", preTokenizer);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{'String':' '}",
                "{'String':'ab'}",
                "{'Regex':'\\\\s+'}",
                "{'Regex':'\\\\d{1,3}|[^\\\\s\\\\p{L}]'}",
                "{'Regex':'a|\\\\w'}",
                "{'Regex':'(?i:the)|\\\\p{Lu}?\\\\p{Ll}+|\\\\p{M}'}",
                "{'Regex':'[!-/:-~]?[A-Za-z]+|[\\r\\n]+'}",
                "{'Regex':'(?<=a)b|\\\\W'}"
            })
    void splits(String pattern) throws IOException {
        for (String behavior : SPLITS) {
            for (boolean invert : new boolean[] {false, true}) {
                check(
                        "pre_tokenizer",
                        "{'type':'Split','pattern':" + pattern + ",'behavior':'" + behavior + "','invert':" + invert
                                + "}");
            }
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "[false,false,false,false]",
                "[true,false,false,false]",
                "[false,true,false,false]",
                "[false,false,true,false]",
                "[false,true,true,false]",
                "[true,true,true,false]",
                "[false,false,false,true]",
                "[true,true,true,true]"
            })
    void addedTokens(String options) throws IOException {
        String[] option = options.substring(1, options.length() - 1).split(",");
        for (String normalizer : List.of("null", "{'type':'Lowercase'}", "{'type':'Prepend','prepend':'▁'}")) {
            ObjectNode json = bytes();
            int id = 256;
            for (String content : List.of("<s>", "</s>", "the", "The", "he", "  ", "<s><s>", "é")) {
                json.withArray("added_tokens")
                        .addObject()
                        .put("id", id++)
                        .put("content", content)
                        .put("single_word", option[0].equals("true"))
                        .put("lstrip", option[1].equals("true"))
                        .put("rstrip", option[2].equals("true"))
                        .put("normalized", option[3].equals("true"))
                        .put("special", content.startsWith("<"));
            }
            write(json, "normalizer", normalizer);
            boolean ids = option[3].equals("true") && !normalizer.equals("null");
            try (HuggingFace library = new HuggingFace(folder)) {
                Consumer<String> check = ids ? library::checkIds : library::check;
                Texts.all().forEach(check);
                List.of(
                                "the The there athe, the\u0301 THE",
                                "<s><s><s>",
                                "x  <s>  y",
                                "  <s>\n\n</s>  ",
                                "é<s>é E\u0301")
                        .forEach(check);
            }
        }
    }

    /**
     * As tokenizers 0.23 decodes ({@code AddedVocabulary::simple_id_to_token}): the decoder is given the normalized form, so the blank that the
     * normalizer made a part of the token comes back.
     */
    @Test
    void normalizedAddedTokensKeepTheirBlank() throws IOException {
        ObjectNode json = empty();
        ObjectNode vocabulary = json.putObject("model")
                .put("type", "WordLevel")
                .put("unk_token", "<unk>")
                .putObject("vocab");
        List.of("<unk>", "▁Arthur", "▁met", "▁today", ".").forEach(token -> vocabulary.put(token, vocabulary.size()));
        for (String content : List.of("Deniz", "</s>", "raw")) {
            json.withArray("added_tokens")
                    .addObject()
                    .put("content", content)
                    .put("id", vocabulary.size() + json.path("added_tokens").size() - 1)
                    .put("single_word", false)
                    .put("lstrip", false)
                    .put("rstrip", false)
                    .put("normalized", !content.equals("raw"))
                    .put("special", content.equals("</s>"));
        }
        json.set(
                "normalizer",
                object("{'type':'Sequence','normalizers':[{'type':'Prepend','prepend':'▁'},"
                        + "{'type':'Replace','pattern':{'String':' '},'content':'▁'}]}"));
        write(
                json,
                "decoder",
                "{'type':'Sequence','decoders':[{'type':'Replace','pattern':{'String':'▁'},'content':' '},{'type':'Fuse'},"
                        + "{'type':'Strip','content':' ','start':1,'stop':0}]}");
        Tokenizer tokenizer = Tokenizer.read(folder);
        assertThat(tokenizer.decode(new int[] {1, 2, 5, 3, 4}, false)).isEqualTo("Arthur met Deniz today.");
        assertThat(tokenizer.decode(new int[] {5, 7, 5, 6}, false)).isEqualTo("Denizraw Deniz </s>");
        // Left out by what it is, whatever it is written as.
        assertThat(tokenizer.decode(new int[] {5, 6}, true)).isEqualTo("Deniz");
        assertThat(tokenizer.token(5)).isEqualTo("Deniz");
        assertThat(tokenizer.decode(new int[] {5, 900, 5}, true)).isEqualTo("Deniz Deniz");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{'byte_fallback':true}",
                "{'byte_fallback':true,'unk_token':'<unk>','fuse_unk':true}",
                "{'unk_token':'<unk>','fuse_unk':true}",
                "{'unk_token':'<unk>','fuse_unk':false}",
                "{}",
                "{'ignore_merges':true}",
                "{'continuing_subword_prefix':'','end_of_word_suffix':''}",
                "{'end_of_word_suffix':'</w>','unk_token':'<unk>'}",
                "{'continuing_subword_prefix':'##','unk_token':'<unk>'}",
                "{'dropout':0.0}"
            })
    void bpeOptions(String options) throws IOException {
        ObjectNode json = empty();
        ObjectNode model = json.putObject("model").put("type", "BPE");
        model.setAll(object(options));
        ObjectNode vocabulary = model.putObject("vocab");
        List<String> tokens = List.of(
                "<unk>", "a", "b", "c", "h", "e", "t", "T", " ", "th", "he", "the", "ab", "abc", "bc", "##h", "##e",
                "##b", "##c", "##he", "the</w>", "e</w>", "he</w>", "c</w>", "bc</w>", "日", "日本", "aaaa");
        tokens.forEach(token -> vocabulary.put(token, vocabulary.size()));
        if (options.contains("fallback")) {
            for (int b = 0; b < 250; b++) {
                vocabulary.put(String.format("<0x%02X>", b), vocabulary.size());
            }
        }
        boolean prefix = options.contains("##");
        List<String> merges = prefix
                ? List.of("##h ##e", "t ##he", "a ##b", "ab ##c")
                : List.of("b c", "t h", "h e", "th e", "a bc", "a b", "h e</w>", "t he</w>", "b c</w>", "t h");
        merges.forEach(merge -> model.withArray("merges").add(merge));
        write(json, "pre_tokenizer", "{'type':'WhitespaceSplit'}");
        try (HuggingFace library = new HuggingFace(folder)) {
            Texts.all().forEach(library::check);
            List.of("the abc abcabc thethe", "the日本", "aaaa", "éé ééa", "\uD83D\uDE00 aa", "tha he t")
                    .forEach(library::check);
            library.checkDecodingOfRandomIds(200);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{'type':'ByteLevel','add_prefix_space':true,'trim_offsets':true,'use_regex':true}",
                "{'type':'ByteFallback'}",
                "{'type':'Fuse'}",
                "{'type':'Strip','content':' ','start':1,'stop':0}",
                "{'type':'Strip','content':'a','start':2,'stop':0}",
                "{'type':'Strip','content':'a','start':0,'stop':1}",
                "{'type':'Replace','pattern':{'String':'▁'},'content':' '}",
                "{'type':'Replace','pattern':{'Regex':'a+'},'content':'b'}",
                "{'type':'Metaspace','replacement':'▁','prepend_scheme':'always','split':true}",
                "{'type':'Metaspace','replacement':'▁','prepend_scheme':'never','split':true}",
                "{'type':'Sequence','decoders':[{'type':'Replace','pattern':{'String':'▁'},'content':' '},{'type':'ByteFallback'},{'type':'Fuse'},"
                        + "{'type':'Strip','content':' ','start':1,'stop':0}]}",
                "{'type':'Sequence','decoders':[{'type':'Fuse'},{'type':'Strip','content':'a','start':3,'stop':0},{'type':'Replace',"
                        + "'pattern':{'String':'aa'},"
                        + "'content':'b'}]}",
                "{'type':'Sequence','decoders':[{'type':'ByteFallback'},{'type':'Metaspace','replacement':'▁','prepend_scheme':'first',"
                        + "'split':true}]}"
            })
    void decoders(String decoder) throws IOException {
        ObjectNode json = empty();
        ObjectNode vocabulary = json.putObject("model")
                .put("type", "WordLevel")
                .put("unk_token", "a")
                .putObject("vocab");
        List.of(
                        "a",
                        "aa",
                        " a",
                        "▁",
                        "▁a",
                        "a▁b",
                        " ",
                        "<0xE6>",
                        "<0x97>",
                        "<0xA5>",
                        "<0x41>",
                        "<0xZZ>",
                        "日",
                        "Ġ",
                        "Ã",
                        "©",
                        "x\uD83D\uDE00")
                .forEach(token -> vocabulary.put(token, vocabulary.size()));
        write(json, "decoder", decoder);
        try (HuggingFace library = new HuggingFace(folder)) {
            library.checkDecodingOfRandomIds(1000);
        }
    }

    @Test
    void templates() throws IOException {
        ObjectNode json = bytes();
        json.withArray("added_tokens")
                .addAll(List.of(
                        object("{'id':256,'content':'<s>','special':true,'single_word':false,"
                                + "'lstrip':false,'rstrip':false,"
                                + "'normalized':false}"),
                        object(
                                "{'id':257,'content':'</s>','special':true,'single_word':false,'lstrip':false,'rstrip':false,"
                                        + "'normalized':false}")));
        String template =
                "{'type':'TemplateProcessing','single':[{'SpecialToken':{'id':'<s>','type_id':0}},{'Sequence':{'id':'A',"
                        + "'type_id':0}},"
                        + "{'SpecialToken':{'id':'</s>','type_id':0}}],'pair':[{'Sequence':{'id':'A','type_id':0}},{'Sequence':{'id':'B',"
                        + "'type_id':0}}],"
                        + "'special_tokens':{'<s>':{'id':'<s>','ids':[256],'tokens':['<s>']},'</s>':{'id':'</s>','ids':[257,65],"
                        + "'tokens':['</s>','x']}}}";
        String pair = "'sep':['</s>',257],'cls':['<s>',256]";
        for (String processor : List.of(
                template,
                "{'type':'BertProcessing'," + pair + "}",
                "{'type':'RobertaProcessing'," + pair + ",'trim_offsets':true,'add_prefix_space':true}",
                "{'type':'Sequence','processors':[{'type':'ByteLevel','add_prefix_space':true,'trim_offsets':false,"
                        + "'use_regex':true}," + template + "]}")) {
            write(json, "post_processor", processor);
            try (HuggingFace library = new HuggingFace(folder)) {
                List.of("", "a", "<s>a</s>").forEach(library::check);
            }
        }
    }

    @Test
    @Timeout(60)
    void regularExpressionsOfStrangersEnd() throws IOException {
        for (String regex : List.of("(a+)+b", "(a|a)*b", "(.*)*x", "(a|b)*c", "(?:a?){20}x")) {
            write(
                    bytes(),
                    "pre_tokenizer",
                    "{'type':'Split','pattern':{'Regex':'" + regex + "'},'behavior':'Isolated','invert':false}");
            Tokenizer tokenizer = Tokenizer.read(folder);
            try {
                assertThat(tokenizer.encode("a".repeat(5000))).hasSize(5001);
            } catch (CalmException e) {
                assertThat(e).hasMessageContaining("too many steps");
            }
        }
        write(
                bytes(),
                "pre_tokenizer",
                "{'type':'Split','pattern':{'Regex':'" + "(".repeat(4000) + ")".repeat(4000)
                        + "'},'behavior':'Isolated','invert':false}");
        assertThatThrownBy(() -> Tokenizer.read(folder).encode("a")).isInstanceOf(CalmException.class);
    }

    private void check(String part, String json) throws IOException {
        write(bytes(), part, json);
        try (HuggingFace library = new HuggingFace(folder)) {
            Texts.all().forEach(library::check);
        }
    }

    private void write(ObjectNode json, String part, String value) throws IOException {
        json.set(part, Json.mapper().readTree(value.replace('\'', '"')));
        Files.write(folder.resolve("tokenizer.json"), Json.pretty(json));
    }

    /** Every byte is a token, and one more stands behind each word, so that ids show both what the words are and where they were cut. */
    private static ObjectNode bytes() {
        ObjectNode json = empty();
        ObjectNode model = json.putObject("model")
                .put("type", "BPE")
                .put("byte_fallback", true)
                .put("end_of_word_suffix", "|");
        model.putArray("merges");
        ObjectNode vocabulary = model.putObject("vocab");
        for (int b = 0; b < 256; b++) {
            vocabulary.put(String.format("<0x%02X>", b), b);
        }
        return json;
    }

    private static ObjectNode empty() {
        ObjectNode json = Json.mapper().createObjectNode().put("version", "1.0");
        json.putNull("truncation").putNull("padding").putArray("added_tokens");
        json.putNull("normalizer")
                .putNull("pre_tokenizer")
                .putNull("post_processor")
                .putNull("decoder");
        return json;
    }

    private static ObjectNode object(String json) throws IOException {
        return (ObjectNode) Json.mapper().readTree(json.replace('\'', '"'));
    }
}
