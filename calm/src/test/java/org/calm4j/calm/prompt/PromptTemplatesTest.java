package org.calm4j.calm.prompt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.calm4j.calm.data.Prompt;
import org.calm4j.calm.data.Question;
import org.calm4j.engine.CalmException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PromptTemplatesTest {
    private static final Question QUESTION = new Question(
            "q",
            "en",
            "Why {choices} $1 ?",
            List.of(new Question.Choice("A", "yes"), new Question.Choice("B", "{text}")),
            null,
            null);
    private static final PromptTemplates TEMPLATES = new PromptTemplates(
            Map.of("en", new PromptTemplate("{question}\n{choices}\nAnswer:", "({label}) {text}", "\n")));

    @Test
    void fillsOnceAndLeavesTheQuestionsOwnBracesAlone() {
        assertThat(TEMPLATES.render(QUESTION)).isEqualTo("Why {choices} $1 ?\n(A) yes\n(B) {text}\nAnswer:");
    }

    @Test
    void comesBackFromItsFile(@TempDir Path folder) throws Exception {
        Path file = folder.resolve(PromptTemplates.FILE);
        TEMPLATES.write(file);
        assertThat(PromptTemplates.read(file)).isEqualTo(TEMPLATES);
    }

    @Test
    void saysWhichLanguageIsMissing() {
        Question german = new Question("q7", "de", "?", List.of(), null, null);
        assertThatThrownBy(() -> TEMPLATES.render(german))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("q7")
                .hasMessageContaining("'de'")
                .hasMessageContaining("[en]");
    }

    /** A model folder's own file may be JSON, which is YAML too. */
    @Test
    void readsYamlWithExamples(@TempDir Path folder) throws Exception {
        Path file = Files.writeString(folder.resolve("p.yaml"), """
                # a comment
                en:
                  prompt: |-
                    {question}
                    {choices}
                    Answer:
                  choice: "({label}) {text}"
                  separator: "\\n"
                  examples:
                    - {question: "Why {choices}?", choices: [so, thus], response: "It is (B)."}
                """);
        assertThat(PromptTemplates.read(file).render(QUESTION))
                .isEqualTo(
                        "Why {choices}?\n(A) so\n(B) thus\nAnswer:\nIt is (B).\n\nWhy {choices} $1 ?\n(A) yes\n(B) {text}\nAnswer:");
        // For a model with a chat template the examples are turns of their own.
        Prompt prompt = PromptTemplates.read(file).ask(QUESTION, true);
        assertThat(prompt.history())
                .containsExactly(List.of("Why {choices}?\n(A) so\n(B) thus\nAnswer:", "It is (B)."));
        assertThat(prompt.text()).isEqualTo("Why {choices} $1 ?\n(A) yes\n(B) {text}\nAnswer:");
        assertThat(PromptTemplates.read(file).ask(QUESTION, false))
                .isEqualTo(new Prompt(PromptTemplates.read(file).render(QUESTION), null));
        PromptTemplates.read(file).write(folder.resolve("q.yaml"));
        assertThat(PromptTemplates.read(folder.resolve("q.yaml"))).isEqualTo(PromptTemplates.read(file));
    }

    @Test
    void asTheCalmAuthorsAsked() {
        Question question = new Question(
                "q",
                "de",
                "Wo?",
                List.of(new Question.Choice("A", "hier"), new Question.Choice("B", "dort")),
                null,
                null);
        assertThat(PromptTemplates.builtIn("xcsqa").render(question))
                .isEqualTo("Beantworten Sie die Multiple-Choice-Frage. Ihre Antwort sollte eine Erklärung und EINE "
                        + "richtige Antwort A oder B oder C oder D enthalten. Halten Sie Ihre Antwort knapp. Verwenden Sie Deutsch, um die Frage "
                        + "zu beantworten. Ausgabeformat:\n"
                        + "Erklärung:<Ihre Erklärung>\nAntwort:<richtige Option>\nWo?\nA. hier\nB. dort");
        assertThat(PromptTemplates.builtIn("medqa").render(question)).endsWith("\nWo?\n(A) hier\n(B) dort");
        for (String task : PromptTemplates.TASKS) {
            assertThat(PromptTemplates.builtIn(task).byLanguage().keySet())
                    .contains("en", "zh", "fr", "de", "it", "ja", "es", "ar", "pt", "ru", "hi", "vi", "sw", "ko");
        }
    }

    @Test
    void aTaskByItsName(@TempDir Path folder) {
        assertThat(PromptTemplates.choose(Path.of("medqa"), folder)).isEqualTo(PromptTemplates.builtIn("medqa"));
        assertThat(PromptTemplates.choose(null, folder)).isEqualTo(PromptTemplates.builtIn("generic"));
        TEMPLATES.write(folder.resolve(PromptTemplates.FILE));
        assertThat(PromptTemplates.choose(null, folder)).isEqualTo(TEMPLATES);
        assertThatThrownBy(() -> PromptTemplates.choose(folder.resolve("medqu"), folder))
                .hasMessageContaining("xcsqa, medqa, generic");
    }

    @Test
    void saysWhereAFileIsBroken(@TempDir Path folder) throws Exception {
        Path file = Files.writeString(folder.resolve("p.json"), "{\n\"en\": {\"prompt\": \"{question}\",\n oops");
        assertThatThrownBy(() -> PromptTemplates.read(file))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("p.json:3");
        Files.writeString(file, "{\"en\": {\"prompt\": \"no place\", \"choice\": \"{text}\", \"separator\": \", \"}}");
        assertThatThrownBy(() -> PromptTemplates.read(file))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("{question}");
        Files.writeString(file, "{\"en\": {\"prompt\": \"{question}\"}}");
        assertThatThrownBy(() -> PromptTemplates.read(file))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("choice");
        Files.writeString(file, "{\"en\": {\"prompt\": null, \"choice\": \"{text}\", \"separator\": \", \"}}");
        assertThatThrownBy(() -> PromptTemplates.read(file))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("prompt");
    }
}
