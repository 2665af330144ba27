package org.calm4j.calm.vote;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.calm4j.calm.data.Samples;
import org.calm4j.calm.data.Vote;
import org.calm4j.calm.metric.LanguageReliability;
import org.calm4j.calm.metric.ResponseKind;
import org.calm4j.calm.metric.ResponsePatterns;
import org.calm4j.calm.option.VoteOptions;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.io.Jsonl;

/**
 * Samples in, one vote per question out. By default all responses of all languages count the same, and the most frequent answer is taken as the
 * truth (self-consistency across languages). If two answers share the first place, neither is: the vote has no winner and {@code tie} is set.
 */
public record VoteStage(List<Path> samples, Path output, VoteOptions options) {

    /** Writes the votes and returns their summary. */
    public VoteSummary run() {
        List<Samples> voting = voting(SampleFiles.read(samples));
        List<Ballot> ballots = Ballot.of(voting, options.voteBy() == VoteOptions.VoteBy.LANGUAGE);
        List<Vote> votes = votes(ballots, List.copyOf(languages(voting)));
        if (options.tie() == VoteOptions.Tie.SKIP) {
            votes = votes.stream().filter(vote -> !vote.tie()).toList();
        }
        Jsonl.write(output, votes);
        return VoteSummary.of(votes, ballots, voting);
    }

    /** The kinds of the responses that voted, by name, compared with the votes in the output. */
    public Map<String, ResponseKind> count(ResponsePatterns patterns) {
        return patterns.count(voting(SampleFiles.read(samples)), Jsonl.read(output, Vote.class));
    }

    private List<Vote> votes(List<Ballot> ballots, List<String> languages) {
        List<String> order = options.languages().isEmpty() ? languages : options.languages();
        if (options.voteBy() == VoteOptions.VoteBy.TRUTH) {
            return ballots.stream()
                    .map(ballot -> instead(ballot, ballot.truth()))
                    .toList();
        }
        if (options.voteBy() == VoteOptions.VoteBy.RANDOM) {
            return ballots.stream()
                    .map(ballot -> instead(ballot, ballot.drawn()))
                    .toList();
        }
        List<Map<String, Double>> scores = options.weighting() != VoteOptions.Weighting.DAWID_SKENE
                ? null
                : LanguageReliability.of(
                                ballots.stream().map(Ballot::byLanguage).toList())
                        .probabilities();
        boolean plain = options.weighting() == VoteOptions.Weighting.COUNT
                && options.languageWeights().isEmpty();
        List<Vote> votes = new ArrayList<>();
        for (int i = 0; i < ballots.size(); i++) {
            Map<String, Double> own = scores != null
                    ? scores.get(i)
                    : plain
                            ? null
                            : ballots.get(i)
                                    .weighed(
                                            options.languageWeights(),
                                            options.weighting() == VoteOptions.Weighting.PROBABILITY);
            votes.add(ballots.get(i).decide(own, options, order));
        }
        return votes;
    }

    /** A vote whose winner is the given label; the counts remain those of the samples. */
    private static Vote instead(Ballot ballot, String label) {
        Map<String, Map<String, Integer>> byLanguage = ballot.byLanguage();
        Vote vote = new Vote(ballot.id, label, Ballot.pooled(byLanguage), byLanguage, 0, false);
        return new Vote(vote.id(), vote.answer(), vote.votes(), byLanguage, vote.share(vote.answer()), false);
    }

    private List<Samples> voting(List<Samples> all) {
        Set<String> known = languages(all);
        known(options.languages(), known, "languages");
        known(options.languageWeights().keySet(), known, "language_weights");
        return options.languages().isEmpty()
                ? all
                : all.stream()
                        .filter(line -> options.languages().contains(line.language()))
                        .toList();
    }

    private static void known(Iterable<String> languages, Set<String> known, String option) {
        for (String language : languages) {
            if (!known.contains(language)) {
                throw CalmException.usage(
                        Setting.of(option), " names '" + language + "', which has no samples; there are " + known);
            }
        }
    }

    private static Set<String> languages(List<Samples> samples) {
        Set<String> languages = new LinkedHashSet<>();
        samples.forEach(line -> languages.add(line.language()));
        return languages;
    }
}
