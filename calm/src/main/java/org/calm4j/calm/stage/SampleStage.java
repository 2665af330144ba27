package org.calm4j.calm.stage;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.data.Samples;
import org.calm4j.calm.extract.AnswerExtractor;
import org.calm4j.calm.prompt.PromptTemplates;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.generate.Completion;
import org.calm4j.engine.generate.Generator;
import org.calm4j.engine.generate.Sampling;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.text.Tokenizer;

/** Questions in, for each some responses of the model out, with the answers they decide for. */
public record SampleStage(List<Path> questions, PromptTemplates prompts, Path output, Sampling sampling) {

    public void run(ModelFolder model, Progress progress) {
        Jsonl.write(output, sample(model, read(questions), prompts, sampling, progress, "sample"));
    }

    /** The questions of all files; an id stands once in each language. */
    static List<Question> read(List<Path> files) {
        List<Question> all = new ArrayList<>();
        Set<List<String>> seen = new HashSet<>();
        for (Path file : files) {
            all.addAll(Jsonl.read(file, Question.class, (question, where) -> {
                check(question, where);
                if (!seen.add(List.of(question.id(), question.language()))) {
                    throw CalmException.badInput(where, "a second question with id " + question.id() + " in " + question.language());
                }
                return question;
            }));
        }
        if (all.isEmpty()) {
            throw CalmException.badInput(files.getFirst(), "has no questions");
        }
        return all;
    }

    static void check(Question question, String where) {
        if (question.id() == null || question.language() == null || question.question() == null || question.choices() == null
                || question.choices().size() < 2) {
            throw CalmException.badInput(where, "a question needs id, language, question and two choices or more");
        }
        for (Question.Choice choice : question.choices()) {
            if (choice.label() == null || choice.text() == null) {
                throw CalmException.badInput(where, "a choice needs label and text");
            }
        }
        if (question.answer() != null && question.choices().stream().noneMatch(choice -> choice.label().equals(question.answer()))) {
            throw CalmException.badInput(where, "answer " + question.answer() + " is none of the labels");
        }
    }

    static List<Samples> sample(ModelFolder model, List<Question> questions, PromptTemplates prompts, Sampling sampling, Progress progress,
            String task) {
        Tokenizer tokenizer = model.requireTokenizer();
        List<String> asked = questions.stream().map(prompts::render).toList();
        List<int[]> encoded = asked.stream().map(model::promptIds).toList();
        progress.start(task, questions.size());
        try {
            List<List<Completion>> completions = new Generator(model).generate(encoded, sampling, done -> progress.at(done, ""));
            List<Samples> samples = new ArrayList<>();
            for (int i = 0; i < questions.size(); i++) {
                Question question = questions.get(i);
                samples.add(Samples.of(question, asked.get(i), completions.get(i).stream().map(c -> response(c, question)).toList()));
            }
            return samples;
        } finally {
            progress.end();
        }
    }

    private static Samples.Response response(Completion completion, Question question) {
        String text = completion.text().strip();
        // A response that was cut off has not come to its answer.
        return new Samples.Response(text, completion.ended() ? AnswerExtractor.extract(text, question.choices()) : null,
                completion.logProb(),
                completion.tokens().length);
    }
}
