package org.calm4j.calm.stage;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.calm4j.calm.data.Pair;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.data.Samples;
import org.calm4j.calm.data.Vote;
import org.calm4j.calm.extract.AnswerExtractor;
import org.calm4j.calm.extract.Extraction;
import org.calm4j.calm.prompt.PromptTemplates;
import org.calm4j.engine.io.Jsonl;

/**
 * Samples and votes in, preference pairs out: a response that agrees with the vote is chosen, one that does not is rejected, in the same
 * language. The most frequent response of each kind is taken, the first of equal ones.
 *
 * <p>Where a language never sampled the voted answer, one of its responses is rewritten to state it ({@code chosen_source} is
 * {@code template}): the text of the option that the response states is replaced by the voted option's. A response that argues for a label is
 * left alone: its argument would not fit another answer.
 *
 * @param prompts how the questions were put, for samples that do not carry their prompt
 * @param most pairs of a question in a language, at most
 */
public record PairsStage(List<Path> samples, Path votes, PromptTemplates prompts, Path output, int most) {

    /**
     * @param sources pairs by {@code chosen_source}
     * @param skipped questions in a language that gave no pair, by the reason
     */
    public record Counts(int pairs, Map<String, Integer> sources, Map<String, Integer> skipped) {
    }

    public Counts run() {
        Map<String, Vote> byId = new LinkedHashMap<>();
        Jsonl.read(votes, Vote.class).forEach(vote -> byId.put(vote.id(), vote));
        List<Pair> pairs = new ArrayList<>();
        Map<String, Integer> skipped = new TreeMap<>();
        for (Samples line : SampleFiles.read(samples, false)) {
            Vote vote = byId.get(line.id());
            if (vote == null || vote.answer() == null) {
                skipped.merge("no winner", 1, Integer::sum);
                continue;
            }
            int before = pairs.size();
            String problem = add(pairs, line, vote.answer());
            if (pairs.size() == before) {
                skipped.merge(problem, 1, Integer::sum);
            }
        }
        Jsonl.write(output, pairs);
        Map<String, Integer> sources = new TreeMap<>();
        pairs.forEach(pair -> sources.merge(pair.chosenSource(), 1, Integer::sum));
        return new Counts(pairs.size(), sources, skipped);
    }

    /** Returns why there is no pair, where there is none. */
    private String add(List<Pair> pairs, Samples line, String answer) {
        List<Samples.Response> agree = distinct(line.responses().stream().filter(r -> answer.equals(r.answer())).toList());
        List<Samples.Response> differ = distinct(line.responses().stream().filter(r -> !answer.equals(r.answer())).toList());
        if (differ.isEmpty()) {
            return "all agree";
        }
        boolean sampled = !agree.isEmpty();
        if (!sampled) {
            Samples.Response rewritten = rewritten(differ, line, answer);
            if (rewritten == null) {
                return "no response states an option";
            }
            agree = List.of(rewritten);
        }
        String prompt = line.prompt() != null ? line.prompt() : prompts.render(line.asQuestion());
        for (int i = 0; i < Math.min(most, Math.max(agree.size(), differ.size())); i++) {
            Samples.Response chosen = agree.get(i % agree.size());
            Samples.Response rejected = differ.get(i % differ.size());
            pairs.add(new Pair(line.id(), line.language(), prompt, chosen.text(), rejected.text(), answer, rejected.answer(),
                    sampled ? "sampled" : "template"));
        }
        return null;
    }

    /** Each text once, the most frequent first; those without an answer last. */
    private static List<Samples.Response> distinct(List<Samples.Response> responses) {
        Map<String, Integer> counts = new LinkedHashMap<>();
        Map<String, Samples.Response> byText = new LinkedHashMap<>();
        for (Samples.Response response : responses) {
            if (!response.text().isBlank()) {
                counts.merge(response.text(), 1, Integer::sum);
                byText.putIfAbsent(response.text(), response);
            }
        }
        Comparator<Samples.Response> order = Comparator.comparing((Samples.Response r) -> r.answer() == null)
                .thenComparing(r -> -counts.get(r.text()));
        return byText.values().stream().sorted(order).toList();
    }

    private static Samples.Response rewritten(List<Samples.Response> responses, Samples line, String answer) {
        String voted = text(line.choices(), answer);
        AnswerExtractor extractor = new AnswerExtractor(line.choices());
        for (Samples.Response response : responses) {
            boolean plain = extractor.extract(response.text()).rule() == Extraction.Rule.OPTION_TEXT;
            String stated = !plain || response.answer() == null ? null : text(line.choices(), response.answer());
            int at = stated == null ? -1 : response.text().lastIndexOf(stated);
            if (at >= 0) {
                // The last place: before it the same letters may belong to what was asked.
                String text = response.text().substring(0, at) + voted + response.text().substring(at + stated.length());
                if (answer.equals(extractor.extract(text).label())) {
                    return new Samples.Response(text, answer, null, null);
                }
            }
        }
        return null;
    }

    private static String text(List<Question.Choice> choices, String label) {
        return choices.stream().filter(choice -> choice.label().equals(label)).map(Question.Choice::text).findFirst().orElse(null);
    }
}
