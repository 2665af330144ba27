package org.calm4j.calm.stage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.data.Question.Choice;
import org.calm4j.calm.data.Samples;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Jsonl;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ImportStageTest {
    @TempDir
    private Path folder;

    private ImportStage.Summary imported(String language, String... contents) throws IOException {
        List<Path> files = new ArrayList<>();
        for (String content : contents) {
            files.add(Files.writeString(folder.resolve("in" + files.size()), content));
        }
        return new ImportStage(files, language, folder.resolve("out.jsonl")).run();
    }

    private <T> List<T> out(Class<T> type) {
        return Jsonl.read(folder.resolve("out.jsonl"), type);
    }

    @Test
    void questionsOfTheCalmAuthors() throws IOException {
        ImportStage.Summary summary = imported("cn", """
                [{"instruction": "回答", "input": "问题:牙科诊所接待了患者？\\nA. 镇\\nB. 密歇根州\\nC. 医院\\n\\n答案:", "output": "C"},
                 {"instruction": "Answer", "input": "Type A. or type B?\\nWhich:\\n(A) one\\n  and a half\\n(B) two\\n", "output": "(B) two"},
                 {"instruction": "Answer", "input": "Broken\\n(UNE) UNE\\n(B)B\\n(C)C", "output": "(C)C"},
                 {"instruction": "Answer", "input": "Q\\n(A) x\\n(B) y", "output": "(E) z"}]""");
        assertThat(summary.format()).isEqualTo(ImportStage.Format.CALM_QUESTIONS);
        assertThat(summary.items()).isEqualTo(2);
        assertThat(summary.skipped()).isEqualTo(2);
        assertThat(summary.problems().get(0)).contains("in0[2]").contains("options");
        assertThat(summary.problems().get(1)).contains("in0[3]").contains("(E) z");
        assertThat(out(Question.class)).containsExactly(
                new Question("0", "zh", "牙科诊所接待了患者？", List.of(new Choice("A", "镇"), new Choice("B", "密歇根州"), new Choice("C", "医院")), "C", null),
                new Question("1", "zh", "Type A. or type B?\nWhich:", List.of(new Choice("A", "one\n  and a half"), new Choice("B", "two")), "B", null));
    }

    @Test
    void sampledResponsesOfTheCalmAuthors() throws IOException {
        ImportStage.Summary summary = imported("fr", """
                [{"instruction": "Répondez.", "input": "Où ?\\nA. ici\\nB. là", "output": "A",
                  "pred": ["Réponse: B", "Réponse : A ou B", "c'est ici."]}]""");
        assertThat(summary.format()).isEqualTo(ImportStage.Format.CALM_SAMPLES);
        assertThat(summary.answered()).isEqualTo(2.0 / 3);
        Samples samples = out(Samples.class).getFirst();
        assertThat(samples.prompt()).isEqualTo("Répondez.\nOù ?\nA. ici\nB. là");
        assertThat(samples.responses().stream().map(Samples.Response::answer)).containsExactly("B", null, "A");
    }

    @Test
    void commonsenseAndMedicalQuestions() throws IOException {
        imported("en", "{\"id\":\"q7\",\"lang\":\"en\",\"question\":{\"stem\":\"Where?\",\"choices\":[{\"label\":\"A\",\"text\":\"x\"},{\"label\":\"B\","
                + "\"text\":\"y\"}]},\"answerKey\":\"B\"}\n");
        assertThat(out(Question.class)).containsExactly(
                new Question("q7", "en", "Where?", List.of(new Choice("A", "x"), new Choice("B", "y")), "B", null));
        imported("en", "{\"question\":\"What?\",\"answer\":\"y\",\"options\":{\"A\":\"x\",\"B\":\"y\"},\"answer_idx\":\"B\"}\n",
                "{\"question\":\"Which?\",\"answer\":\"x\",\"options\":{\"A\":\"x\",\"B\":\"y\"}}\n");
        assertThat(out(Question.class)).containsExactly(
                new Question("0", "en", "What?", List.of(new Choice("A", "x"), new Choice("B", "y")), "B", null),
                new Question("1", "en", "Which?", List.of(new Choice("A", "x"), new Choice("B", "y")), "A", null));
    }

    @Test
    void trainingTexts() throws IOException {
        imported("en", "[{\"instruction\":\"Translate\",\"input\":\"chat\",\"output\":\"cat\"}]");
        JsonNode alpaca = out(JsonNode.class).getFirst();
        assertThat(alpaca.path("prompt").asText()).isEqualTo("Translate\nchat");
        assertThat(alpaca.path("completion").asText()).isEqualTo("cat");
        imported("en", "[{\"conversations\":[{\"from\":\"human\",\"value\":\"hi\"},{\"from\":\"gpt\",\"value\":\"hello\"}]}]");
        JsonNode chat = out(JsonNode.class).getFirst();
        assertThat(chat.path("messages").findValuesAsText("role")).containsExactly("user", "assistant");
    }

    @Test
    void whatIsUnknownOrMixedIsAnError() {
        assertThatThrownBy(() -> imported("en", "[{\"a\":1}]")).isInstanceOf(CalmException.class).hasMessageContaining("in0[0]");
        assertThatThrownBy(() -> imported("en", "[]")).isInstanceOf(CalmException.class).hasMessageContaining("no items");
        assertThatThrownBy(() -> imported("klingon", "[]")).isInstanceOf(CalmException.class).hasMessageContaining("ISO 639-1");
        assertThatThrownBy(() -> imported("en", "[{\"conversations\":[]}]")).isInstanceOf(CalmException.class).hasMessageContaining("without turns");
        assertThatThrownBy(() -> imported("en", "[{\"instruction\":\"a\",\"output\":\"b\"},{\"question\":\"?\",\"options\":{\"A\":\"x\"}}]"))
                .isInstanceOf(CalmException.class).hasMessageContaining("in0[1]");
        assertThat(folder.resolve("out.jsonl")).doesNotExist();
    }
}
