package org.calm4j.calm.pair;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.calm4j.calm.data.Pair;
import org.calm4j.calm.data.Prompt;
import org.calm4j.calm.data.Samples;
import org.calm4j.calm.data.TwoLanguagePair;
import org.calm4j.calm.data.Vote;
import org.calm4j.calm.extract.AnswerExtractor;
import org.calm4j.calm.option.PairOptions;
import org.calm4j.calm.prompt.PromptTemplates;
import org.calm4j.calm.translate.Translator;
import org.calm4j.calm.vote.SampleFiles;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.random.CounterRandom;

/**
 * Samples and votes in, preference pairs out: a response that agrees with the vote is chosen, one in the same language that does not is
 * rejected. If a language never sampled the voted answer, the chosen response is translated from another language, or made from one of its
 * own that states another option.
 *
 * @param prompts how questions were asked, for samples that do not carry their prompt
 * @param translator null if nothing is translated
 * @param seed of the random policies
 */
public record PairsStage(
        List<Path> samples,
        Path votes,
        PromptTemplates prompts,
        Path output,
        PairOptions options,
        Translator translator,
        long seed) {
    /** Maximum number of responses of other languages translated for one question in one language. */
    private static final int TRANSLATION_ATTEMPTS = 3;

    /** @param texts one or more, in the order of the policy */
    private record Chosen(List<String> texts, PairOptions.Source source) {}

    private record Text(Prompt prompt, String chosen, String rejected) {}

    public PairCounts run() {
        List<Samples> lines = SampleFiles.read(samples);
        Map<List<String>, Vote> byPlace = new LinkedHashMap<>();
        Jsonl.read(votes, Vote.class, (vote, where) -> {
                    if (vote.id() == null) {
                        throw CalmException.badInput(where, "id is missing");
                    }
                    if (options.marginWeights() && vote.answer() != null && !(vote.share(vote.answer()) > 0)) {
                        Setting margin = Setting.of("margin_weights");
                        throw CalmException.badInput(
                                where,
                                "its answer has no votes or scores, which ",
                                margin,
                                " needs; vote again, or leave it out");
                    }
                    return vote;
                })
                .forEach(vote -> byPlace.put(place(vote.id(), vote.language()), vote));
        List<Responses> all = new ArrayList<>();
        Map<Responses, Vote> winners = new LinkedHashMap<>();
        Set<Responses> unvoted = new HashSet<>();
        long random = CounterRandom.seed(seed, "pairs");
        for (Samples line : lines) {
            Vote vote = byPlace.getOrDefault(place(line.id(), line.language()), byPlace.get(place(line.id(), null)));
            Responses responses = new Responses(line, vote, options, random);
            all.add(responses);
            if (vote == null) {
                unvoted.add(responses);
            } else if (vote.answer() != null) {
                winners.put(responses, vote);
                if (responses.optionText(vote.answer()) == null) {
                    throw CalmException.badInput(
                            votes,
                            "the answer of question " + line.id() + " is '" + vote.answer()
                                    + "', which is not one of its labels in " + line.language());
                }
            }
        }
        return options.twoLanguages() ? twoLanguages(all, winners, unvoted) : oneLanguage(all, winners, unvoted);
    }

    private static List<String> place(String id, String language) {
        return language == null ? List.of(id) : List.of(id, language);
    }

    private PairCounts oneLanguage(List<Responses> all, Map<Responses, Vote> winners, Set<Responses> unvoted) {
        Map<Responses, Chosen> chosen = chosen(winners);
        Map<String, PairCounts.Counter> counters = new LinkedHashMap<>();
        Set<Text> seen = new HashSet<>();
        List<Pair> pairs = new ArrayList<>();
        for (Responses responses : all) {
            PairCounts.Counter counter =
                    counters.computeIfAbsent(responses.line.language(), language -> new PairCounts.Counter());
            Vote vote = winners.get(responses);
            counter.question(
                    vote == null
                            ? undecided(unvoted.contains(responses))
                            : add(pairs, seen, responses, vote, chosen.get(responses), counter));
        }
        PairFormat.write(options.format(), pairs, output);
        return PairCounts.of(counters);
    }

    private static String undecided(boolean unvoted) {
        return unvoted ? "not voted on" : "no winner";
    }

    /** Returns why there is no pair; null if there is one. */
    private String add(
            List<Pair> pairs,
            Set<Text> seen,
            Responses responses,
            Vote vote,
            Chosen chosen,
            PairCounts.Counter counter) {
        List<Samples.Response> differing = responses.differing(vote.answer());
        int offChosen = responses.offLanguage(vote.answer(), true);
        int offRejected = responses.offLanguage(vote.answer(), false);
        counter.left(responses.line.responses().size(), offChosen, offRejected);
        if (differing.isEmpty()) {
            return offRejected > 0
                    ? "only responses in another language differ"
                    : responses.agreeing(vote.answer()).isEmpty() && offChosen == 0 ? "no responses" : "all agree";
        }
        if (chosen == null) {
            return offChosen > 0
                    ? "only responses in another language agree"
                    : translates() ? "no response agrees, no translation keeps the answer" : "no response agrees";
        }
        Samples line = responses.line;
        int before = pairs.size();
        for (int i = 0;
                i < Math.min(options.pairsPerQuestion(), Math.max(chosen.texts.size(), differing.size()));
                i++) {
            Samples.Response rejected = differing.get(i % differing.size());
            var text = new Text(prompt(line), chosen.texts.get(i % chosen.texts.size()), rejected.text());
            if (seen.add(text)) {
                pairs.add(new Pair(
                        line.id(),
                        line.language(),
                        text.prompt.text(),
                        text.chosen,
                        text.rejected,
                        vote.answer(),
                        rejected.answer(),
                        chosen.source.toString(),
                        margin(vote, vote.answer(), rejected.answer()),
                        text.prompt.history()));
                counter.pair(chosen.source.toString());
            }
        }
        return pairs.size() == before ? "a question before has the same pair" : null;
    }

    private boolean translates() {
        return translator != null && options.chosenSources().contains(PairOptions.Source.TRANSLATED);
    }

    private Prompt prompt(Samples line) {
        return line.prompt() != null ? line.fullPrompt() : prompts.ask(line.asked(), false);
    }

    /** ScPO's weight (Prasad et al. 2024, eq. 3): the vote share of the chosen answer minus that of the rejected; null without weights. */
    private Double margin(Vote vote, String chosen, String rejected) {
        return options.marginWeights() ? Math.max(0, vote.share(chosen) - vote.share(rejected)) : null;
    }

    /** The chosen responses of each question; absent if no source has any. */
    private Map<Responses, Chosen> chosen(Map<Responses, Vote> winners) {
        Map<Responses, Chosen> found = new LinkedHashMap<>();
        for (PairOptions.Source source : options.chosenSources()) {
            Map<Responses, String> missing = new LinkedHashMap<>();
            winners.forEach((responses, vote) -> {
                if (!found.containsKey(responses)) {
                    missing.put(responses, vote.answer());
                }
            });
            Map<Responses, String> translated =
                    source == PairOptions.Source.TRANSLATED && translates() ? translations(missing, winners) : Map.of();
            missing.forEach((responses, answer) -> {
                List<String> texts = source == PairOptions.Source.TRANSLATED
                        ? translated.containsKey(responses) ? List.of(translated.get(responses)) : List.of()
                        : stated(responses, answer, source);
                if (!texts.isEmpty()) {
                    found.put(responses, new Chosen(texts, source));
                }
            });
        }
        return found;
    }

    /** The language's own texts that state an answer. */
    private static List<String> stated(Responses responses, String answer, PairOptions.Source source) {
        return switch (source) {
            case SAMPLED ->
                responses.agreeing(answer).stream().map(Samples.Response::text).toList();
            case TEMPLATE -> {
                String text = responses.rewritten(answer);
                yield text == null ? List.of() : List.of(text);
            }
            case OPTION -> List.of(responses.optionText(answer));
            case TRANSLATED -> List.of();
        };
    }

    /** Translated responses of other languages; only those that still give the voted answer. */
    private Map<Responses, String> translations(Map<Responses, String> missing, Map<Responses, Vote> winners) {
        Map<String, List<Responses>> byId = new LinkedHashMap<>();
        winners.keySet().forEach(responses -> byId.computeIfAbsent(responses.line.id(), id -> new ArrayList<>())
                .add(responses));
        Map<Responses, String> translated = new LinkedHashMap<>();
        for (int attempt = 0; attempt < TRANSLATION_ATTEMPTS; attempt++) {
            List<Responses> targets = new ArrayList<>();
            List<Translator.Request> requests = new ArrayList<>();
            for (Map.Entry<Responses, String> each : missing.entrySet()) {
                Responses target = each.getKey();
                List<Translator.Request> candidates = byId.get(target.line.id()).stream()
                        .filter(other -> other != target)
                        .flatMap(other -> other.agreeing(each.getValue()).stream()
                                .limit(1)
                                .map(response -> new Translator.Request(
                                        response.text(), other.line.language(), target.line.language())))
                        .toList();
                if (!translated.containsKey(target)
                        && attempt < candidates.size()
                        && !target.differing(each.getValue()).isEmpty()) {
                    targets.add(target);
                    requests.add(candidates.get(attempt));
                }
            }
            List<String> texts = requests.isEmpty() ? List.of() : translator.translate(requests);
            for (int i = 0; i < texts.size(); i++) {
                Responses target = targets.get(i);
                String label =
                        texts.get(i) == null ? null : AnswerExtractor.extract(texts.get(i), target.line.choices());
                if (missing.get(target).equals(label)
                        && (options.keepOffLanguage() || target.isTranslated(texts.get(i)))) {
                    translated.put(target, texts.get(i));
                }
            }
        }
        return translated;
    }

    private PairCounts twoLanguages(List<Responses> all, Map<Responses, Vote> winners, Set<Responses> unvoted) {
        Map<String, List<Responses>> byId = new LinkedHashMap<>();
        all.forEach(responses -> byId.computeIfAbsent(responses.line.id(), id -> new ArrayList<>())
                .add(responses));
        Map<String, PairCounts.Counter> counters = new LinkedHashMap<>();
        List<TwoLanguagePair> pairs = new ArrayList<>();
        byId.values().forEach(languages -> {
            for (int a = 0; a < languages.size(); a++) {
                for (int b = a + 1; b < languages.size(); b++) {
                    Responses first = languages.get(a);
                    Responses second = languages.get(b);
                    Vote vote = winners.get(first);
                    PairCounts.Counter counter = counters.computeIfAbsent(
                            first.line.language() + "+" + second.line.language(), both -> new PairCounts.Counter());
                    boolean same = vote != null
                            && winners.get(second) != null
                            && vote.answer().equals(winners.get(second).answer());
                    counter.question(
                            !same
                                    ? undecided(unvoted.contains(first) || unvoted.contains(second))
                                    : add(pairs, first, second, vote, counter));
                }
            }
        });
        Jsonl.write(output, pairs);
        return PairCounts.of(counters);
    }

    private String add(
            List<TwoLanguagePair> pairs, Responses first, Responses second, Vote vote, PairCounts.Counter counter) {
        counter.left(
                first.line.responses().size() + second.line.responses().size(),
                first.offLanguage(vote.answer(), true) + second.offLanguage(vote.answer(), true),
                first.offLanguage(vote.answer(), false) + second.offLanguage(vote.answer(), false));
        String chosen1 = statement(first, vote.answer());
        String chosen2 = statement(second, vote.answer());
        if (chosen1 == null || chosen2 == null) {
            return "the vote is not stated in both";
        }
        int before = pairs.size();
        for (String wrong : first.wrongLabels()) {
            String rejected1 = statement(first, wrong);
            String rejected2 = second.optionText(wrong) == null ? null : statement(second, wrong);
            if (rejected1 != null && rejected2 != null && pairs.size() - before < options.pairsPerQuestion()) {
                pairs.add(new TwoLanguagePair(
                        first.line.id(),
                        first.line.language(),
                        prompt(first.line).text(),
                        chosen1,
                        rejected1,
                        second.line.language(),
                        prompt(second.line).text(),
                        chosen2,
                        rejected2,
                        vote.answer(),
                        wrong,
                        margin(vote, vote.answer(), wrong),
                        prompt(first.line).history(),
                        prompt(second.line).history()));
                counter.pair("both");
            }
        }
        return pairs.size() == before ? "no wrong answer is stated in both" : null;
    }

    /** A text of this language that states an answer, from the first source that has one; null if none has. */
    private String statement(Responses responses, String answer) {
        return options.chosenSources().stream()
                .flatMap(source -> stated(responses, answer, source).stream())
                .findFirst()
                .orElse(null);
    }
}
