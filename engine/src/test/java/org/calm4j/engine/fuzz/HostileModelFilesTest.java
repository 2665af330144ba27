package org.calm4j.engine.fuzz;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.calm4j.engine.chat.ChatTemplate;
import org.calm4j.engine.generate.Generator;
import org.calm4j.engine.generate.Sampling;
import org.calm4j.engine.generate.SamplingDefaults;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Safetensors;
import org.calm4j.engine.io.Shards;
import org.calm4j.engine.io.StoredType;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.Lora;
import org.calm4j.engine.model.LoraSettings;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.model.OracleModel;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.simd.SimdBackend;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.engine.text.Tokenizer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Every file of a model folder and of an adapter, broken in many ways. */
@Tag("slow")
final class HostileModelFilesTest {
    private static final int FEW = Fuzz.files(150);
    private static final String TEMPLATE = "{% for m in messages %}"
            + "{{ '<s>' + m['role'] }}: {{ m.content | trim }}{{ eos_token }}\n{% endfor %}"
            + "{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}";

    private static final String PARTS = """
            {"version":"1.0","truncation":null,"padding":null,
            "added_tokens":[{"id":9,"content":"<s>","single_word":false,"lstrip":true,"rstrip":false,"normalized":false,"special":true},
            {"id":10,"content":"x y","single_word":true,"lstrip":false,"rstrip":true,"normalized":true,"special":false}],
            "normalizer":{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Replace","pattern":{"Regex":" +"},"content":"▁"},
            {"type":"Prepend","prepend":"▁"},{"type":"Strip","strip_left":true,"strip_right":true}]},
            "pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split",
            "pattern":{"Regex":"\\\\s+(?!\\\\S)|a{1,3}"},"behavior":"Isolated",
            "invert":false},{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":true},
            {"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}]},
            "post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},
            {"Sequence":{"id":"A","type_id":0}}],
            "special_tokens":{"<s>":{"id":"<s>","ids":[9],"tokens":["<s>"]}}},
            "decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},
            {"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0},{"type":"ByteLevel"}]},
            "model":{"type":"BPE","dropout":null,"unk_token":"u","continuing_subword_prefix":null,"end_of_word_suffix":"","fuse_unk":true,
            "byte_fallback":true,"ignore_merges":false,"vocab":{"u":0,"a":1,"b":2,"ab":3,"Ġ":4,"Ġa":5,"<0x41>":6,"aa":7,"aab":8},
            "merges":["a b",["Ġ","a"],"a a","aa b"]}}""";

    private final Backend backend = new SimdBackend(1);

    @TempDir
    private Path folder;

    @BeforeEach
    void model() throws IOException {
        try (Stream<Path> files = Files.list(OracleModel.folder("llama-tied"))) {
            for (Path file : (Iterable<Path>) files::iterator) {
                if (Files.isRegularFile(file)) {
                    Files.copy(file, folder.resolve(file.getFileName().toString()));
                }
            }
        }
        int vocabulary = Json.read(folder.resolve("config.json"), ObjectNode.class)
                .get("vocab_size")
                .asInt();
        List<String> words = new ArrayList<>();
        for (int i = 2; i < vocabulary; i++) {
            words.add("w" + i);
        }
        Tokenizer.wordLevel(words, "<unk>", "</s>").save(folder);
        ObjectNode config = Json.read(folder.resolve("tokenizer_config.json"), ObjectNode.class);
        config.put("chat_template", TEMPLATE)
                .putObject("bos_token")
                .put("content", "<s>")
                .put("lstrip", false);
        Json.write(folder.resolve("tokenizer_config.json"), config);
        Json.write(
                folder.resolve("special_tokens_map.json"),
                Json.mapper()
                        .createObjectNode()
                        .put("unk_token", "<unk>")
                        .set("eos_token", Json.mapper().createObjectNode().put("content", "</s>")));
        Files.writeString(
                folder.resolve("generation_config.json"),
                "{\"eos_token_id\":[1,2],\"do_sample\":true,\"temperature\":0.7,\"top_k\":5,"
                        + "\"top_p\":0.9,\"min_p\":0.1,\"repetition_penalty\":1.1}");
    }

    @AfterEach
    void close() {
        backend.close();
    }

    private void fuzz(String file, Mutator.Kind kind, Fuzz.Work work) throws IOException, InterruptedException {
        new Fuzz(file, folder.resolve(file), kind, Fuzz.of(work)).run(FEW);
    }

    private void open() {
        open(null);
    }

    private void open(Path adapter) {
        try (ModelFolder model = ModelFolder.open(backend, folder, adapter)) {
            CausalLm network = model.model();
            if (network.config().vocabulary().size() > 10) {
                new Generator(model)
                        .generate(List.of(new int[] {3, 4}), new Sampling(2, 0, 0, 1, 0, 1, true, 1), done -> {});
            }
        }
    }

    @Test
    void weights() throws Exception {
        fuzz("model.safetensors", Mutator.Kind.SAFETENSORS, this::open);
    }

    @Test
    void index() throws Exception {
        try (Safetensors file = Safetensors.openFolder(folder)) {
            Shards.write(folder, new ArrayList<>(file.tensors().values()), StoredType.KEPT, 2000);
        }
        fuzz("model.safetensors.index.json", Mutator.Kind.JSON, this::open);
    }

    @Test
    void config() throws Exception {
        fuzz("config.json", Mutator.Kind.JSON, this::open);
    }

    @Test
    void generationConfig() throws Exception {
        fuzz("generation_config.json", Mutator.Kind.JSON, () -> {
            SamplingDefaults.read(folder);
            open();
        });
    }

    private void tokenize() {
        Tokenizer tokenizer = Tokenizer.read(folder);
        for (String text : List.of("", "w3 w4 </s> \u65e5\uD83D\uDE00", "w5 aab b ▁".repeat(1000))) {
            tokenizer.decode(tokenizer.encode(text), false);
        }
        tokenizer.eosId();
        ChatTemplate template = ChatTemplate.read(folder);
        if (template != null) {
            template.render(List.of(ChatTemplate.message("user", "hi"), ChatTemplate.message("assistant", "ho")), true);
        }
    }

    @Test
    void tokenizer() throws Exception {
        fuzz("tokenizer.json", Mutator.Kind.JSON, this::tokenize);
    }

    @Test
    void tokenizerOfAllParts() throws Exception {
        Files.writeString(folder.resolve("tokenizer.json"), PARTS);
        new Fuzz(
                        "tokenizer.json of all parts",
                        folder.resolve("tokenizer.json"),
                        Mutator.Kind.JSON,
                        Fuzz.of(this::tokenize))
                .run(2 * FEW);
    }

    @Test
    void tokenizerConfig() throws Exception {
        fuzz("tokenizer_config.json", Mutator.Kind.JSON, this::tokenize);
    }

    @Test
    void specialTokens() throws Exception {
        fuzz("special_tokens_map.json", Mutator.Kind.JSON, this::tokenize);
    }

    @Test
    void template() throws Exception {
        Files.writeString(folder.resolve("chat_template.jinja"), TEMPLATE);
        fuzz("chat_template.jinja", Mutator.Kind.TEMPLATE, this::tokenize);
    }

    private Path adapter() throws IOException {
        Path adapter = Files.createDirectory(folder.resolve("adapter"));
        try (ModelFolder model = ModelFolder.open(backend, folder, null)) {
            var settings = new LoraSettings(
                    2, 4, 0, false, model.model().config().layout().projections());
            try (Lora lora = Lora.random(backend, model.model().config(), settings, 5)) {
                lora.save(adapter, "base");
            }
        }
        ObjectNode config = Json.read(adapter.resolve("adapter_config.json"), ObjectNode.class);
        config.putObject("rank_pattern").put("q_proj", 2);
        config.putObject("alpha_pattern").put("k_proj", 4);
        Json.write(adapter.resolve("adapter_config.json"), config);
        return adapter;
    }

    @Test
    void adapterConfig() throws Exception {
        Path adapter = adapter();
        new Fuzz(
                        "adapter_config.json",
                        adapter.resolve("adapter_config.json"),
                        Mutator.Kind.JSON,
                        Fuzz.of(() -> open(adapter)))
                .run(FEW);
    }

    @Test
    void adapterWeights() throws Exception {
        Path adapter = adapter();
        new Fuzz(
                        "adapter_model.safetensors",
                        adapter.resolve("adapter_model.safetensors"),
                        Mutator.Kind.SAFETENSORS,
                        Fuzz.of(() -> open(adapter)))
                .run(FEW);
    }

    @Test
    void tensors() throws Exception {
        Path file = folder.resolve("optimizer.safetensors");
        try (Safetensors weights = Safetensors.openFolder(folder)) {
            Safetensors.write(file, weights.tensors().values(), Map.of("format", "pt"));
        }
        fuzz("optimizer.safetensors", Mutator.Kind.SAFETENSORS, () -> {
            try (Safetensors read = Safetensors.open(file)) {
                for (Tensor tensor : read.tensors().values()) {
                    for (long e = 0; e < tensor.size(); e++) {
                        tensor.get(e);
                    }
                }
            }
        });
    }
}
