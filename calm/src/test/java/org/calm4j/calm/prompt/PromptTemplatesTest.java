package org.calm4j.calm.prompt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.calm4j.calm.data.Question;
import org.calm4j.engine.CalmException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PromptTemplatesTest {
    private static final Question QUESTION = new Question("q", "en", "Why {choices} $1 ?",
            List.of(new Question.Choice("A", "yes"), new Question.Choice("B", "{text}")), null, null);
    private static final PromptTemplates TEMPLATES =
            new PromptTemplates(Map.of("en", new PromptTemplate("{question}\n{choices}\nAnswer:", "({label}) {text}", "\n")));

    @Test
    void fillsOnceAndLeavesTheQuestionsOwnBracesAlone() {
        assertThat(TEMPLATES.render(QUESTION)).isEqualTo("Why {choices} $1 ?\n(A) yes\n(B) {text}\nAnswer:");
    }

    @Test
    void comesBackFromItsFile(@TempDir Path folder) throws Exception {
        Path file = folder.resolve("prompts.json");
        TEMPLATES.write(file);
        assertThat(PromptTemplates.read(file)).isEqualTo(TEMPLATES);
    }

    @Test
    void saysWhichLanguageIsMissing() {
        Question german = new Question("q7", "de", "?", List.of(), null, null);
        assertThatThrownBy(() -> TEMPLATES.render(german)).isInstanceOf(CalmException.class).hasMessageContaining("q7")
                .hasMessageContaining("'de'").hasMessageContaining("[en]");
    }

    @Test
    void saysWhereAFileIsBroken(@TempDir Path folder) throws Exception {
        Path file = Files.writeString(folder.resolve("p.json"), "{\n\"en\": {\"prompt\": \"{question}\",\n oops");
        assertThatThrownBy(() -> PromptTemplates.read(file)).isInstanceOf(CalmException.class).hasMessageContaining("p.json:3");
        Files.writeString(file, "{\"en\": {\"prompt\": \"no place\", \"choice\": \"{text}\", \"separator\": \", \"}}");
        assertThatThrownBy(() -> PromptTemplates.read(file)).isInstanceOf(CalmException.class).hasMessageContaining("{question}");
        Files.writeString(file, "{\"en\": {\"prompt\": \"{question}\"}}");
        assertThatThrownBy(() -> PromptTemplates.read(file)).isInstanceOf(CalmException.class).hasMessageContaining("choice");
        Files.writeString(file, "{\"en\": {\"prompt\": null, \"choice\": \"{text}\", \"separator\": \", \"}}");
        assertThatThrownBy(() -> PromptTemplates.read(file)).isInstanceOf(CalmException.class).hasMessageContaining("prompt");
    }
}
