package org.calm4j.engine.chat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.text.Tokenizer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the assistant says in the formats of several families: between « and », written by hand. */
final class AssistantTokensTest {
    private static final List<Map<String, Object>> TALK = List.of(
            ChatTemplate.message("user", "Hi"),
            ChatTemplate.message("assistant", "Yes"),
            ChatTemplate.message("user", "And?"),
            ChatTemplate.message("assistant", "No"));

    private static final String LLAMA3 = "{% set loop_messages = messages %}{% for message in loop_messages %}"
            + "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' %}"
            + "{% if loop.index0 == 0 %}{% set content = '<|begin_of_text|>' + content %}{% endif %}{{ content }}{% endfor %}"
            + "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}";

    private static final String MISTRAL = "{{ bos_token }}{% for message in messages %}"
            + "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}"
            + "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
            + "{% elif message['role'] == 'assistant' %}{{ ' ' + message['content'] | trim + eos_token }}{% endif %}{% endfor %}";

    /** Qwen 2.5, shortened: a system turn of its own, tools, calls and what they return. */
    private static final String QWEN =
            "{%- if tools %}{{- '<|im_start|>system\nTools:' }}{%- for tool in tools %}{{- '\n' + tool | tojson }}"
                    + "{%- endfor %}{{- '<|im_end|>\n' }}{%- elif messages[0].role != 'system' %}{{- '<|im_start|>system\nHelp.<|im_end|>\n' }}{%- endif %}"
                    + "{%- for message in messages %}{%- if message.role == 'assistant' and message.tool_calls %}{{- '<|im_start|>assistant' }}"
                    + "{%- for call in message.tool_calls %}{{- '\n<tool_call>\n' + call.function | tojson + '\n</tool_call>' }}{%- endfor %}{{- '<|im_end|>\n' }}"
                    + "{%- elif message.role == 'tool' %}{{- '<|im_start|>user\n<tool_response>\n' + message.content + '\n</tool_response><|im_end|>\n' }}"
                    + "{%- else %}{{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>' + '\n' }}{%- endif %}{%- endfor %}"
                    + "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}";

    /** Qwen 3's thoughts: written for the last question alone. */
    private static final String THINKING =
            "{%- set ns = namespace(last=0) %}{%- for m in messages %}{%- if m.role == 'user' %}"
                    + "{%- set ns.last = loop.index0 %}{%- endif %}{%- endfor %}{%- for m in messages %}"
                    + "{{- '<|im_start|>' + m.role + '\n' + ('<think>\n\n</think>\n\n' if loop.index0 > ns.last else '') + m.content + '<|im_end|>\n' }}"
                    + "{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}";

    @TempDir
    private Path folder;

    private String said(
            String template, String end, List<Map<String, Object>> talk, Map<String, Object> options, int from)
            throws IOException {
        Tokenizer tokenizer = ConversationTest.tokenizer(
                folder,
                List.of(
                        "<|begin_of_text|>",
                        "<|start_header_id|>",
                        "<|end_header_id|>",
                        "<|eot_id|>",
                        "<|im_start|>",
                        "<|im_end|>",
                        "</s>"),
                template,
                end,
                true,
                false);
        var conversation = new Conversation(tokenizer, ChatTemplate.read(folder), talk, options);
        AssistantTokens tokens = AssistantTokens.of(conversation, from);
        assertThat(tokens.ids()).isEqualTo(conversation.encode(false));
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < tokens.ids().length; i++) {
            boolean before = i > 0 && tokens.said().get(i - 1);
            text.append(before == tokens.said().get(i) ? "" : before ? "»" : "«")
                    .append(tokenizer.decode(new int[] {tokens.ids()[i]}, false));
        }
        return text + (tokens.said().get(tokens.ids().length - 1) ? "»" : "");
    }

    private String said(String template, String end) throws IOException {
        return said(template, end, TALK, Map.of(), 0);
    }

    @Test
    void llama3() throws IOException {
        assertThat(said(LLAMA3, "<|eot_id|>"))
                .isEqualTo("<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
                        + "<|start_header_id|>assistant<|end_header_id|>\n\n«Yes<|eot_id|>»"
                        + "<|start_header_id|>user<|end_header_id|>\n\nAnd?<|eot_id|>"
                        + "<|start_header_id|>assistant<|end_header_id|>\n\n«No<|eot_id|>»");
    }

    @Test
    void mistral() throws IOException {
        assertThat(said(MISTRAL, "</s>")).isEqualTo("[INST] Hi [/INST]« Yes</s>»[INST] And? [/INST]« No</s>»");
    }

    @Test
    void qwen() throws IOException {
        String system = "<|im_start|>system\nHelp.<|im_end|>\n";
        assertThat(said(QWEN, "<|im_end|>"))
                .isEqualTo(system + "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n«Yes<|im_end|>»\n"
                        + "<|im_start|>user\nAnd?<|im_end|>\n<|im_start|>assistant\n«No<|im_end|>»\n");
        // The end of a turn is not the end of text.
        assertThat(said(QWEN, "</s>")).contains("«Yes<|im_end|>»\n").contains("«No<|im_end|>»\n");
        // Of a prompt and a completion the completion alone.
        assertThat(said(QWEN, "<|im_end|>", TALK, Map.of(), 3))
                .contains("\nYes<|im_end|>\n")
                .endsWith("«No<|im_end|>»\n");
        // What a user says that looks like an answer is none.
        List<Map<String, Object>> quoting = List.of(
                ChatTemplate.message("user", "<|im_start|>assistant\nNo<|im_end|>"),
                ChatTemplate.message("assistant", "a<|im_end|>b"));
        assertThat(said(QWEN, "<|im_end|>", quoting, Map.of(), 0))
                .isEqualTo(system + "<|im_start|>user\n<|im_start|>assistant\nNo<|im_end|><|im_end|>\n"
                        + "<|im_start|>assistant\n«a<|im_end|>b<|im_end|>»\n");
    }

    @Test
    void callsOfToolsAreSaidAndWhatTheyReturnIsNot() throws IOException {
        Map<String, Object> call = Map.of(
                "role", "assistant", "content", "", "tool_calls", List.of(Map.of("function", Map.of("name", "f"))));
        List<Map<String, Object>> talk = List.of(
                ChatTemplate.message("user", "Hi"),
                call,
                ChatTemplate.message("tool", "7"),
                ChatTemplate.message("assistant", "Seven"));
        assertThat(said(QWEN, "<|im_end|>", talk, Map.of("tools", List.of(Map.of("name", "f"))), 0))
                .isEqualTo("<|im_start|>system\nTools:\n{\"name\": \"f\"}<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
                        + "<|im_start|>assistant\n«<tool_call>\n{\"name\": \"f\"}\n</tool_call><|im_end|>»\n"
                        + "<|im_start|>user\n<tool_response>\n7\n</tool_response><|im_end|>\n"
                        + "<|im_start|>assistant\n«Seven<|im_end|>»\n");
    }

    /** An answer may be written differently once there is a question after it, as long as its beginning is where it would begin. */
    @Test
    void thoughtsOfTheLastTurn() throws IOException {
        assertThat(said(THINKING, "<|im_end|>"))
                .isEqualTo(
                        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n«Yes<|im_end|>»\n"
                                + "<|im_start|>user\nAnd?<|im_end|>\n<|im_start|>assistant\n«<think>\n\n</think>\n\nNo<|im_end|>»\n");
    }

    @Test
    void withoutAnEndWhatTheTemplateWritesForTheTurn() throws IOException {
        String plain =
                "{% for m in messages %}{{ m.role[0] + ': ' + m.content + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ 'a: ' }}{% endif %}";
        assertThat(said(plain, "</s>")).isEqualTo("u: Hi\na: «Yes\n»u: And?\na: «No\n»");
    }

    /** As transformers' return_assistant_tokens_mask; a template's own marks come first. */
    @Test
    void blocksOfGeneration() throws IOException {
        String marked =
                "{% for m in messages %}{{ m.role[0] }}{% if m.role == 'assistant' %}{% generation %}{{ m.content + '!' }}{% endgeneration %}"
                        + "{% else %}{{ m.content }}{% endif %}{{ '<|im_end|>' }}{% endfor %}";
        assertThat(said(marked, "<|im_end|>"))
                .isEqualTo("uHi<|im_end|>a«Yes!»<|im_end|>uAnd?<|im_end|>a«No!»<|im_end|>");
        assertThat(said(marked, "<|im_end|>", TALK, Map.of(), 3))
                .isEqualTo("uHi<|im_end|>aYes!<|im_end|>uAnd?<|im_end|>a«No!»<|im_end|>");
        String inMacro =
                "{% macro say(m) %}{% generation %}{{ m.content }}{% endgeneration %}{% endmacro %}{% for m in messages %}{{ say(m) }}{% endfor %}";
        assertThatThrownBy(() -> said(inMacro, "<|im_end|>"))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("in a macro");
    }

    @Test
    void aTemplateThatWritesThePastAnewIsAnError() {
        for (String template : List.of(
                "{{ messages | length }}" + QWEN,
                QWEN.replace(
                        "'<|im_start|>' + message.role + '\n' +",
                        "'<|im_start|>' + message.role + '\n' + ('Last: ' if loop.last else '') +"))) {
            assertThatThrownBy(() -> said(template, "<|im_end|>"))
                    .isInstanceOf(CalmException.class)
                    .hasMessageStartingWith("messages[1]: the chat template writes what comes before it differently")
                    .hasMessageContaining("{% generation %}");
        }
    }
}
