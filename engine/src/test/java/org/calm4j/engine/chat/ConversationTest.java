package org.calm4j.engine.chat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.text.BpeTrainer;
import org.calm4j.engine.text.Tokenizer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Where an assistant's turn ends, whatever it says. */
final class ConversationTest {
    private static final String CHATML =
            "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
                    + "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
    private static final List<String> TOKENS =
            List.of("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<call>", "</call>", "</s>");
    private static final List<Map<String, Object>> ASKED = List.of(ChatTemplate.message("user", "end?"));

    @TempDir
    private Path folder;

    /** A tokenizer of bytes and the tokens above. */
    private Tokenizer tokenizer(String template, String end, boolean special, boolean normalized) throws IOException {
        return tokenizer(folder, TOKENS, template, end, special, normalized);
    }

    /** Saved with a template. */
    static Tokenizer tokenizer(
            Path folder, List<String> tokens, String template, String end, boolean special, boolean normalized)
            throws IOException {
        ObjectNode json = Json.mapper().createObjectNode();
        ArrayNode added = json.putArray("added_tokens");
        ObjectNode model = json.putObject("model");
        model.put("type", "BPE").putArray("merges");
        ObjectNode ids = model.putObject("vocab");
        Tokenizer bytes = BpeTrainer.train(List.of(), 257, "none");
        for (int i = 0; i < 256; i++) {
            ids.put(bytes.token(i + 1), i);
        }
        for (String token : tokens) {
            boolean ends = token.equals(end);
            added.addObject()
                    .put("id", 256 + added.size())
                    .put("content", token)
                    .put("single_word", false)
                    .put("lstrip", false)
                    .put("rstrip", false)
                    .put("normalized", ends && normalized)
                    .put("special", !ends || special);
        }
        json.putObject("pre_tokenizer")
                .put("type", "ByteLevel")
                .put("add_prefix_space", false)
                .put("use_regex", false);
        json.putObject("decoder").put("type", "ByteLevel");
        Files.writeString(folder.resolve("tokenizer.json"), json.toString());
        ObjectNode config = Json.mapper().createObjectNode().put("chat_template", template);
        Files.writeString(
                folder.resolve("tokenizer_config.json"),
                (end == null ? config : config.put("eos_token", end)).toString());
        return Tokenizer.read(folder);
    }

    private String completion(Tokenizer tokenizer, Object... answers) {
        return tokenizer.decode(
                new Conversation(tokenizer, ChatTemplate.read(folder), ASKED).completion(messages(answers)), false);
    }

    @SuppressWarnings("unchecked")
    private static List<Map<String, Object>> messages(Object... answers) {
        List<Map<String, Object>> messages = new ArrayList<>();
        for (Object answer : answers) {
            messages.add(
                    answer instanceof Map<?, ?> map
                            ? (Map<String, Object>) map
                            : ChatTemplate.message("assistant", (String) answer));
        }
        return messages;
    }

    @ParameterizedTest
    @CsvSource({"true, false", "true, true", "false, false", "false, true"})
    void chatMl(boolean special, boolean normalized) throws IOException {
        Tokenizer tokenizer = tokenizer(CHATML, "<|im_end|>", special, normalized);
        for (String answer : List.of(
                "e",
                "d",
                "i",
                "end",
                "im_end",
                "<|im_end",
                "",
                " ",
                "\n",
                " a ",
                "x",
                "y",
                "xx",
                "a<|im_end|>b",
                "<|im_start|>a",
                "Grüße 👋",
                "<|im_end|>\n")) {
            assertThat(completion(tokenizer, answer)).as(answer).isEqualTo(answer + "<|im_end|>");
        }
        // Data that already says its end has one, not two.
        assertThat(completion(tokenizer, "<|im_end|>")).isEqualTo("<|im_end|>");
        assertThat(completion(tokenizer, "yes<|im_end|>")).isEqualTo("yes<|im_end|>");
        assertThat(completion(tokenizer, "a", ChatTemplate.message("user", "b"), "end"))
                .isEqualTo("a<|im_end|>\n<|im_start|>user\nb<|im_end|>\n<|im_start|>assistant\nend<|im_end|>");
    }

    @Test
    void templatesThatStripWriteNothingOrMore() throws IOException {
        String head = "{% for m in messages %}{{ '[' + m.role + ']' }}";
        String prompt = "{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}";
        Tokenizer strips = tokenizer(head + "{{ m.content | trim }}{{ eos_token }}\n\n" + prompt, "</s>", true, false);
        assertThat(completion(strips, "  a \n")).isEqualTo("a</s>");
        assertThat(completion(strips, " \n")).isEqualTo("</s>");
        Tokenizer nothing = tokenizer(head + "{{ m.content }}\n" + prompt, "</s>", true, false);
        assertThat(completion(nothing, "a")).isEqualTo("a\n</s>");
        Tokenizer bare = tokenizer(head + "{{ m.content }}" + prompt, "</s>", true, false);
        assertThat(completion(bare, "a</s>")).isEqualTo("a</s>");
        Tokenizer noEnd = tokenizer(CHATML, null, true, false);
        assertThat(completion(noEnd, "e")).isEqualTo("e<|im_end|>");
        // The turn's end comes before that of the text, as in Phi 3.
        Tokenizer both = tokenizer(
                CHATML + "{% if not add_generation_prompt %}{{ eos_token }}{% endif %}", "<|endoftext|>", true, false);
        assertThat(completion(both, "a")).isEqualTo("a<|im_end|>");
        // Only the beginning of an answer is written.
        Tokenizer cuts = tokenizer(head + "{{ m.content[:3] }}{{ eos_token }}" + prompt, "</s>", true, false);
        assertThat(completion(cuts, "</s>")).isEqualTo("</s</s>");
    }

    @Test
    void thoughtsAreCut() throws IOException {
        Tokenizer tokenizer = tokenizer(
                "{% for m in messages %}{{ '[' + m.role + ']' + m.content.split('</think>')[-1] + eos_token }}{% endfor %}"
                        + "{% if add_generation_prompt %}[assistant]{% endif %}",
                "</s>", true, false);
        assertThat(completion(tokenizer, "<think>s</think>end")).isEqualTo("end</s>");
        assertThat(completion(tokenizer, "<think></s></think>")).isEqualTo("</s>");
    }

    @Test
    void callsOfTools() throws IOException {
        Tokenizer tokenizer = tokenizer(
                "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content if m.content }}{% for c in m.tool_calls %}<call>"
                        + "{{ c.name }} {{ c.arguments | tojson }}</call>{% endfor %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}"
                        + "<|im_start|>assistant\n{% endif %}",
                "<|im_end|>", true, false);
        Map<String, Object> call = new LinkedHashMap<>();
        call.put("role", "assistant");
        call.put("content", null);
        call.put(
                "tool_calls",
                List.of(Map.of("type", "function", "id", "1", "name", "f", "arguments", Map.of("e", "<|im_end|>d"))));
        assertThat(completion(tokenizer, call)).isEqualTo("<call>f {\"e\": \"<|im_end|>d\"}</call><|im_end|>");
        call.put("content", "so");
        call.put(
                "tool_calls",
                List.of(Map.of("name", "f", "arguments", Map.of()), Map.of("name", "g", "arguments", Map.of("n", 1))));
        assertThat(completion(tokenizer, call)).isEqualTo("so<call>f {}</call><call>g {\"n\": 1}</call><|im_end|>");
    }

    @Test
    void templatesThatWriteThePromptAnew() throws IOException {
        Tokenizer turns = tokenizer("{{ messages | length }}" + CHATML, "<|im_end|>", true, false);
        assertThatThrownBy(() -> completion(turns, "a"))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("writes the prompt differently");
        Tokenizer begins = tokenizer(CHATML.replace("assistant\n", "assistant\n<think>\n"), "<|im_end|>", true, false);
        assertThatThrownBy(() -> completion(begins, "a"))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("beginning of an answer");
        assertThat(completion(begins, "<think>\nb</think>a")).isEqualTo("b</think>a<|im_end|>");
    }

    @Test
    void optionsReachTheTemplate() throws IOException {
        Tokenizer tokenizer = tokenizer(
                "{{ tools | tojson }}{{ 'n' if enable_thinking is false }}" + CHATML, "<|im_end|>", true, false);
        Map<String, Object> options = new LinkedHashMap<>();
        options.put("tools", List.of(Map.of("name", "f")));
        options.put("enable_thinking", false);
        Conversation conversation = new Conversation(tokenizer, ChatTemplate.read(folder), ASKED, options);
        assertThat(tokenizer.decode(conversation.prompt(), false)).startsWith("[{\"name\": \"f\"}]n<|im_start|>user");
        assertThat(Arrays.copyOf(conversation.encode(false), 3))
                .containsExactly(
                        conversation.prompt()[0],
                        conversation.prompt()[1],
                        conversation.prompt()[2]);
        assertThat(tokenizer.decode(conversation.completion(messages("end")), false))
                .isEqualTo("end<|im_end|>");
        // A list of parts where the template wants text.
        Tokenizer adds =
                tokenizer(CHATML.replace("{{ m.content }}", "{{ '' + m.content }}"), "<|im_end|>", true, false);
        List<Map<String, Object>> parts =
                List.of(Map.of("role", "user", "content", List.of(Map.of("type", "text", "text", "hi"))));
        assertThatThrownBy(() -> new Conversation(adds, ChatTemplate.read(folder), parts).prompt())
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("text + a list");
    }
}
