package org.calm4j.calm.tool;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.nio.file.Path;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.calm4j.calm.data.OptionsText;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.data.Samples;
import org.calm4j.calm.extract.AnswerExtractor;
import org.calm4j.calm.extract.Extraction;
import org.calm4j.calm.importer.ImportReport;
import org.calm4j.calm.importer.Imported;
import org.calm4j.calm.importer.Layout;
import org.calm4j.calm.importer.Parallel;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.io.Jsonl;

/**
 * Files of other formats in, ours out. Their layout is recognised by their content, see {@link Layout}; questions become questions, sampled
 * responses become samples with their answers extracted, other texts become training lines. Problems are counted and shown, nothing is dropped
 * silently; a file without any readable item is bad input.
 *
 * @param language of all items; null if they state it
 * @param answersFrom meaning of numeric answers: {@code 0}, {@code 1} or {@code text}; null if the items show it
 * @param parallel imported files of another language, to compare ids, answers and options with; may be empty
 * @param align whether ids are taken from there, see {@link Parallel#align}
 * @param output questions, samples, or lines with {@code prompt} and {@code completion} or {@code messages}
 * @param report file of all problems, not only the first ones; may be null
 */
public record ImportStage(
        List<Path> files,
        String language,
        String answersFrom,
        List<Path> parallel,
        boolean align,
        Path output,
        Path report) {
    public ImportStage(
            List<Path> files, String language, List<Path> parallel, boolean align, Path output, Path report) {
        this(files, language, null, parallel, align, output, report);
    }

    /**
     * @param items that are in the output
     * @param skipped items that are not, because they could not be read or were there twice
     * @param problems how many of each kind
     * @param examples the first of each kind
     * @param notes how answers were read, where that is not obvious, and whether there are any
     * @param answered share of the responses in which an answer was found; null without responses
     * @param againstText answers whose label was followed by another option's text; null without responses
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Summary(
            Layout layout,
            String language,
            int items,
            int skipped,
            Map<String, Integer> problems,
            List<ImportReport.Problem> examples,
            List<String> notes,
            Double answered,
            @JsonProperty("against_text") Integer againstText,
            Path output) {}

    private record Filled(Object line, int responses, int answered, int against) {}

    /** @throws CalmException wrong usage: no such language; bad input: an unknown layout, or items of two layouts */
    public Summary run() {
        if (align && parallel.size() != 1) {
            throw CalmException.usage(
                    Setting.of("align"), " needs one ", Setting.of("parallel"), " file to take the ids from");
        }
        Imported imported = Imported.read(files, language, answersFrom);
        for (Path file : parallel) {
            Parallel other = new Parallel(questions(file));
            if (align) {
                other.align(imported);
            }
            other.compare(imported);
        }
        List<Filled> filled =
                imported.lines().parallelStream().map(ImportStage::filled).toList();
        List<Object> lines = filled.stream().map(Filled::line).toList();
        int responses = filled.stream().mapToInt(Filled::responses).sum();
        int answered = filled.stream().mapToInt(Filled::answered).sum();
        int against = filled.stream().mapToInt(Filled::against).sum();
        Jsonl.write(output, lines);
        ImportReport found = imported.report();
        if (report != null) {
            Jsonl.write(report, found.all());
        }
        return new Summary(
                imported.layout(),
                imported.language(),
                lines.size(),
                found.leftOut(),
                found.counts(),
                found.examples(),
                imported.notes(),
                responses == 0 ? null : (double) answered / responses,
                responses == 0 ? null : against,
                output);
    }

    /** A line with the answers of its responses, if it has any. */
    private static Filled filled(Object line) {
        if (!(line instanceof Samples samples)) {
            return new Filled(line, 0, 0, 0);
        }
        // If the model saw other labels, its responses use them.
        OptionsText asked = samples.prompt() == null ? null : OptionsText.parse(samples.prompt());
        boolean relabelled =
                asked != null && !asked.hasLetters() && asked.choices().equals(samples.choices());
        List<Question.Choice> seen = new ArrayList<>();
        for (int i = 0; i < samples.choices().size(); i++) {
            Question.Choice choice = samples.choices().get(i);
            seen.add(
                    relabelled
                            ? new Question.Choice(
                                    Normalizer.normalize(asked.written().get(i), Normalizer.Form.NFKC), choice.text())
                            : choice);
        }
        AnswerExtractor extractor = new AnswerExtractor(seen);
        List<Samples.Response> responses = new ArrayList<>();
        int answered = 0;
        int against = 0;
        for (Samples.Response response : samples.responses()) {
            Extraction found = extractor.extract(response.text());
            answered += found.label() == null ? 0 : 1;
            against += found.againstText() ? 1 : 0;
            String label = seen.stream()
                    .filter(choice -> choice.label().equals(found.label()))
                    .findFirst()
                    .map(choice -> samples.choices().get(seen.indexOf(choice)).label())
                    .orElse(null);
            responses.add(new Samples.Response(response.text(), label, response.logprob(), response.numTokens()));
        }
        return new Filled(samples.with(responses), responses.size(), answered, against);
    }

    private static List<Question> questions(Path file) {
        Set<String> seen = new HashSet<>();
        return Jsonl.read(file, Question.class, (question, where) -> {
            question.check(where);
            if (!seen.add(question.id())) {
                throw CalmException.badInput(where, "a second line for id " + question.id());
            }
            return question;
        });
    }
}
