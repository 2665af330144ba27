package org.calm4j.calm.vote;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonUnwrapped;
import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.data.Samples;
import org.calm4j.calm.extract.AnswerExtractor;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Jsonl;

/** Samples files of one or more languages, read and checked together. */
public final class SampleFiles {
    private SampleFiles() {}

    // A raw line: an absent answer was never extracted, a null one was looked for and not found.
    private record Line(
            @JsonUnwrapped Question asked, String prompt, List<List<String>> history, List<RawResponse> responses) {}

    private record Placed(Samples samples, String where) {}

    private record RawResponse(
            String text,
            JsonNode answer,
            Double logprob,
            @JsonProperty("num_tokens") Integer numTokens) {
        String label() {
            return answer == null || answer.isNull() ? null : answer.asText();
        }
    }

    /**
     * All lines of all files, in order; absent answers are extracted.
     *
     * @throws CalmException bad input: a broken line, or a question that appears twice in one language
     */
    public static List<Samples> read(List<Path> files) {
        List<List<Placed>> each = files.parallelStream()
                .map(file -> Jsonl.read(file, Line.class, (line, where) -> new Placed(samples(line, where), where)))
                .toList();
        List<Samples> all = new ArrayList<>();
        Set<List<String>> seen = new HashSet<>();
        each.forEach(file -> file.forEach(line -> {
            if (!seen.add(List.of(line.samples.id(), line.samples.language()))) {
                throw CalmException.badInput(
                        line.where, "a second line for id " + line.samples.id() + " in " + line.samples.language());
            }
            all.add(line.samples);
        }));
        if (all.isEmpty()) {
            throw CalmException.badInput(files.getFirst(), "has no samples");
        }
        return all;
    }

    private static Samples samples(Line line, String where) {
        line.asked.check(where);
        List<Question.Choice> choices = line.asked.choices();
        if (line.responses == null) {
            throw CalmException.badInput(where, "responses are missing");
        }
        boolean answered = line.responses.stream().allMatch(raw -> raw != null && raw.answer != null);
        AnswerExtractor extractor = answered ? null : new AnswerExtractor(choices);
        List<Samples.Response> responses = new ArrayList<>();
        for (RawResponse raw : line.responses) {
            if (raw == null || raw.text == null) {
                throw CalmException.badInput(where, "a response has no text");
            }
            String answer = raw.answer == null ? extractor.extract(raw.text).label() : raw.label();
            if (answer != null
                    && choices.stream().noneMatch(choice -> choice.label().equals(answer))) {
                throw CalmException.badInput(
                        where, "a response's answer is '" + answer + "', which is not one of the labels");
            }
            responses.add(new Samples.Response(raw.text, answer, raw.logprob, raw.numTokens));
        }
        return new Samples(line.asked, line.prompt, line.history, responses);
    }
}
