package org.calm4j.calm.stage;

import static org.calm4j.engine.io.JsonProblem.required;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.data.Questions;
import org.calm4j.calm.retrieve.Passage;
import org.calm4j.calm.retrieve.PassageIndex;
import org.calm4j.calm.retrieve.TextVectors;
import org.calm4j.calm.run.Fingerprint;
import org.calm4j.calm.run.Progress;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.model.Embedder;
import org.calm4j.engine.model.ModelFolder;

/**
 * Questions and passages in, the passages that suit each question out. The index is built once and reused.
 *
 * @param passages JSON Lines with id, language and text
 * @param index a folder for it
 * @param most passages per question
 */
public record RetrieveStage(List<Path> questions, Path passages, Path index, Path output, int most) {
    private record Context(String id, String language, List<Passage> passages) {
        Context {
            required(id, "id");
            required(language, "language");
            required(passages, "passages");
        }
    }

    /** @param model whose hidden states are compared in addition to the terms; null for BM25 alone */
    public void run(ModelFolder model, Progress progress) {
        List<Question> asked = Questions.read(questions);
        TextVectors vectors = model == null ? null : texts -> vectors(model, texts, progress);
        String maker = model == null ? null : Fingerprint.of(model.path());
        progress.start("retrieve", asked.size());
        try (PassageIndex found =
                PassageIndex.open(passages, index, PassageIndex.about(Fingerprint.of(passages), maker), vectors)) {
            List<Context> contexts = new ArrayList<>();
            for (Question question : asked) {
                contexts.add(new Context(
                        question.id(),
                        question.language(),
                        found.search(question.language(), question.question(), most)));
                progress.at(contexts.size(), "");
            }
            Jsonl.write(output, contexts);
        } finally {
            progress.end();
        }
    }

    private static List<float[]> vectors(ModelFolder model, List<String> texts, Progress progress) {
        return new Embedder(model.model().withoutAdapter())
                .embed(texts.stream().map(model.requireTokenizer()::encode).toList(), done -> {
                    if (texts.size() > 1) {
                        progress.at(0, done + " of " + texts.size() + " passages");
                    }
                });
    }

    /**
     * Prepends the passages that were found to the question.
     *
     * @param contexts what {@link #run} wrote; null to leave the questions as they are
     * @throws CalmException bad input, on use: a question that the file lacks
     */
    static UnaryOperator<Question> before(Path contexts) {
        if (contexts == null) {
            return question -> question;
        }
        Map<List<String>, List<Passage>> byPlace = new HashMap<>();
        Jsonl.read(contexts, Context.class)
                .forEach(each -> byPlace.put(List.of(each.id(), each.language()), each.passages()));
        return question -> {
            List<Passage> found = byPlace.get(List.of(question.id(), question.language()));
            if (found == null) {
                throw CalmException.badInput(
                        contexts, "has no line for question " + question.id() + " in " + question.language());
            }
            String text = found.stream().map(passage -> passage.text() + "\n\n").collect(Collectors.joining());
            return new Question(
                    question.id(),
                    question.language(),
                    text + question.question(),
                    question.choices(),
                    question.answer(),
                    question.relation(),
                    question.group());
        };
    }
}
