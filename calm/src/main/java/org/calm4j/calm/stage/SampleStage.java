package org.calm4j.calm.stage;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import org.calm4j.calm.data.Messages;
import org.calm4j.calm.data.Prompt;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.data.Questions;
import org.calm4j.calm.data.Samples;
import org.calm4j.calm.extract.AnswerExtractor;
import org.calm4j.calm.prompt.PromptTemplates;
import org.calm4j.calm.run.Fingerprint;
import org.calm4j.calm.run.PartialLines;
import org.calm4j.calm.run.Progress;
import org.calm4j.calm.run.SameOnAll;
import org.calm4j.calm.run.SettledSampling;
import org.calm4j.calm.run.SharedLines;
import org.calm4j.engine.generate.Completion;
import org.calm4j.engine.generate.Generator;
import org.calm4j.engine.generate.Sampling;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.ranks.Ranks;

/**
 * Questions in, some responses of the model to each out, with the answers extracted from them. Responses are on disk as soon as some questions
 * have them; a stopped run continues there, to the same bytes as without the stop.
 */
public record SampleStage(List<Path> questions, PromptTemplates prompts, Path output, Sampling sampling) {
    private static final int FEWEST_LINES = 64;
    private static final int MOST_LINES = 4096;

    /** @param resume whether to continue a stopped run of the same questions, prompts and settings */
    public void run(ModelFolder model, boolean resume, Progress progress) {
        sample(model, Questions.read(questions), question -> question, resume, progress, "sample");
    }

    /**
     * Returns the samples on rank 0, nothing on the others.
     *
     * @param put what is asked in place of a question, such as the question with passages before it
     */
    List<Samples> sample(
            ModelFolder model,
            Questions asked,
            UnaryOperator<Question> put,
            boolean resume,
            Progress progress,
            String task) {
        model.requireTokenizer();
        List<Prompt> texts = asked.stream()
                .map(put)
                .map(question -> prompts.ask(question, model.chatTemplate() != null))
                .toList();
        List<int[]> encoded = IntStream.range(0, texts.size())
                .mapToObj(i -> Messages.at(
                        asked.where(i),
                        () -> model.promptIds(texts.get(i).text(), texts.get(i).history())))
                .toList();
        Generator generator = new Generator(model);
        Sampling settled = SettledSampling.of(generator, encoded, sampling, asked::where, progress);
        int part = PartialLines.part(model.model(), FEWEST_LINES, MOST_LINES) / settled.count() + 1;
        List<Object> all = List.of(asked, texts, settled);
        SameOnAll.check(Ranks.here(), all, model);
        return SharedLines.make(
                Ranks.here(),
                output,
                Samples.class,
                new PartialLines.Plan(Fingerprint.of(all), part, asked.size()),
                resume,
                progress,
                task,
                (first, end, done) -> {
                    List<List<Completion>> completions =
                            generator.generate(encoded.subList(first, end), first, settled, done);
                    List<Samples> samples = new ArrayList<>();
                    for (int i = first; i < end; i++) {
                        Question question = asked.get(i);
                        samples.add(new Samples(
                                question,
                                texts.get(i),
                                completions.get(i - first).stream()
                                        .map(completion -> response(completion, question))
                                        .toList()));
                    }
                    return samples;
                });
    }

    private static Samples.Response response(Completion completion, Question question) {
        String text = completion.text().strip();
        // A response that was cut off did not get to its answer.
        return new Samples.Response(
                text,
                completion.ended() ? AnswerExtractor.extract(text, question.choices()) : null,
                completion.logProb(),
                completion.tokens().length);
    }
}
