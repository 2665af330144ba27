package org.calm4j.calm.vote;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.calm4j.calm.data.Samples;
import org.calm4j.calm.extract.AnswerExtractor;
import org.calm4j.calm.extract.Extraction;
import org.calm4j.engine.io.Jsonl;

/** Samples in; the same samples out, the answer of each response replaced by the one the extractor finds. */
public record ExtractStage(List<Path> samples, Path output) {

    /** How the answer of one response was found. */
    public record Explained(String id, String language, int response, Extraction extraction) {
        /** One line: which response, its label, the rule, the deciding words. */
        public String text() {
            String span = extraction.span() == null
                    ? ""
                    : " \"" + extraction.span().replaceAll("\\s+", " ").strip() + "\"";
            return String.format(
                    Locale.ROOT,
                    "%s %s #%d: %s by %s%s%s",
                    id,
                    language,
                    response,
                    extraction.label() == null ? "-" : extraction.label(),
                    extraction.rule().text(),
                    span,
                    extraction.againstText() ? ", against the text of another option" : "");
        }
    }

    /**
     * @param rules the number of responses that each rule decided
     * @param againstText answers whose label is followed by the text of another option; the label counts
     */
    public record Summary(
            int responses,
            int answered,
            Map<String, Integer> rules,
            @JsonProperty("against_text") int againstText,
            Path output) {
        public String text() {
            return String.format(
                    Locale.ROOT,
                    "%d responses, %d with an answer (%d against the text beside the label): %s. In %s",
                    responses,
                    answered,
                    againstText,
                    rules,
                    output);
        }
    }

    /** @param explained receives each response, in order */
    public Summary run(Consumer<Explained> explained) {
        List<Samples> filled = new ArrayList<>();
        Map<String, Integer> rules = new TreeMap<>();
        int answered = 0;
        int against = 0;
        for (Samples line : SampleFiles.read(samples)) {
            AnswerExtractor extractor = new AnswerExtractor(line.choices());
            List<Samples.Response> responses = new ArrayList<>();
            for (Samples.Response response : line.responses()) {
                Extraction found = extractor.extract(response.text());
                explained.accept(new Explained(line.id(), line.language(), responses.size(), found));
                rules.merge(found.rule().text(), 1, Integer::sum);
                answered += found.label() == null ? 0 : 1;
                against += found.againstText() ? 1 : 0;
                responses.add(
                        new Samples.Response(response.text(), found.label(), response.logprob(), response.numTokens()));
            }
            filled.add(line.with(responses));
        }
        Jsonl.write(output, filled);
        return new Summary(rules.values().stream().mapToInt(Integer::intValue).sum(), answered, rules, against, output);
    }
}
