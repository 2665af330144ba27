package org.calm4j.calm.vote;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.calm4j.calm.data.Samples;
import org.calm4j.calm.data.Vote;
import org.calm4j.calm.metric.LanguageReliability;
import org.calm4j.calm.metric.VoteReliability;
import org.calm4j.calm.option.Options;
import org.calm4j.calm.option.VoteOptions;

/**
 * The result of a vote. The true answers, if the samples carry them, are read only after the votes are written.
 *
 * @param questions votes written; if each language votes for itself, one per question and language
 * @param ties votes with two labels in the first place
 * @param tiesResolved those of them that have a winner after all
 * @param belowMinimum votes whose first answer had less than the minimum agreement
 * @param unanswered votes without any answer
 * @param skipped questions left out because of a tie
 * @param contradictory questions whose true labels differ between languages: their options are not parallel
 * @param agreement mean over the votes
 * @param consistency mean over questions of the share of language pairs with the same most frequent answer; null with one language
 * @param languages counts of each language's samples
 * @param graded votes with a known truth
 * @param accuracy of those votes; a vote without a winner counts as wrong; null without known truth
 * @param majority the plain vote of all languages: its accuracy, that of each language alone, without each, and for every choice of languages
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
@JsonInclude(JsonInclude.Include.NON_NULL)
public record VoteSummary(
        int questions,
        int winners,
        int ties,
        int tiesResolved,
        int belowMinimum,
        int unanswered,
        int skipped,
        int contradictory,
        double agreement,
        Double consistency,
        Map<String, LanguageSamples> languages,
        int graded,
        Double accuracy,
        VoteReliability majority,
        LanguageReliability.AgainstMajority dawidSkene) {

    /** @param answered responses with an answer */
    public record LanguageSamples(int questions, int responses, int answered) {}

    /**
     * @param votes those written
     * @param ballots all that was voted on
     */
    static VoteSummary of(List<Vote> votes, List<Ballot> ballots, List<Samples> samples) {
        List<Ballot> questions = Ballot.of(samples, false);
        Map<String, String> truth = new LinkedHashMap<>();
        questions.stream()
                .filter(question -> question.truth() != null)
                .forEach(question -> truth.put(question.id, question.truth()));
        VoteOptions standard = Options.standard(VoteOptions.class);
        List<Vote> plain = questions.stream()
                .map(question -> question.decide(null, standard, List.of()))
                .toList();
        Map<String, String> groups = new HashMap<>();
        samples.forEach(line -> groups.put(line.id(), line.group()));
        VoteReliability majority = truth.isEmpty() ? null : VoteReliability.of(plain, truth, groups);
        VoteReliability asItStands = VoteReliability.of(votes, truth, groups);
        int ties = (int) votes.stream().filter(Vote::tie).count();
        return new VoteSummary(
                votes.size(),
                (int) votes.stream().filter(vote -> vote.answer() != null).count(),
                ties,
                (int) votes.stream()
                        .filter(vote -> vote.tie() && vote.answer() != null)
                        .count(),
                (int) votes.stream()
                        .filter(vote -> vote.answer() == null && !vote.tie() && vote.agreement() > 0)
                        .count(),
                (int) votes.stream()
                        .filter(vote -> vote.answer() == null && vote.agreement() == 0)
                        .count(),
                ballots.size() - votes.size(),
                (int) questions.stream()
                        .filter(question -> question.truths().size() > 1)
                        .count(),
                votes.stream().mapToDouble(Vote::agreement).average().orElse(0),
                VoteReliability.consistency(plain),
                languages(samples),
                asItStands.n(),
                asItStands.accuracy(),
                majority,
                majority == null || majority.alone().size() < 2 ? null : LanguageReliability.compare(plain, truth));
    }

    private static Map<String, LanguageSamples> languages(List<Samples> samples) {
        Map<String, LanguageSamples> languages = new TreeMap<>();
        for (Samples line : samples) {
            int answered = (int) line.responses().stream()
                    .filter(response -> response.answer() != null)
                    .count();
            languages.merge(
                    line.language(),
                    new LanguageSamples(1, line.responses().size(), answered),
                    (a, b) -> new LanguageSamples(
                            a.questions + b.questions, a.responses + b.responses, a.answered + b.answered));
        }
        return languages;
    }

    /** Readable text, without a final line break. */
    public String text() {
        StringBuilder text = new StringBuilder(
                String.format(Locale.ROOT, "%d questions: %d with a winner, %d tied", questions, winners, ties));
        text.append(tiesResolved > 0 ? " (" + tiesResolved + " of them resolved)" : "")
                .append(belowMinimum > 0 ? ", " + belowMinimum + " below the minimum agreement" : "")
                .append(", ")
                .append(unanswered)
                .append(" without an answer")
                .append(skipped > 0 ? ", " + skipped + " left out because of a tie" : "")
                .append(contradictory > 0 ? ", " + contradictory + " with labels that differ between languages" : "")
                .append(percent("; mean agreement %.1f %%.", agreement));
        if (consistency != null) {
            text.append(percent(" Consistency of the languages' own votes %.1f %%.", consistency));
        }
        if (majority != null && accuracy != null) {
            text.append(percent(
                    String.format(
                            Locale.ROOT,
                            "%nAccuracy where the answer is known (%d), ties counted as wrong: the vote %%.1f %%%%",
                            graded),
                    accuracy));
            text.append(shares("; alone", majority.alone()));
            text.append(majority.without().size() < 2 ? "" : shares("; without", majority.without()))
                    .append('.');
        }
        if (dawidSkene != null) {
            text.append(String.format(
                    Locale.ROOT,
                    "%nDawid-Skene %.1f %% against %.1f %% of the plain majority: %d gained, %d lost (%s); it %s.",
                    100 * dawidSkene.accuracy(),
                    100 * dawidSkene.majority(),
                    dawidSkene.flips().gained(),
                    dawidSkene.flips().lost(),
                    dawidSkene.flips().chance(),
                    dawidSkene.better() ? "beats the majority" : "does not beat the majority"));
        }
        return text.toString();
    }

    private static String shares(String title, Map<String, Double> shares) {
        return shares.entrySet().stream()
                .map(entry -> entry.getKey() + percent(" %.1f", entry.getValue()))
                .collect(Collectors.joining(", ", title + " ", ""));
    }

    private static String percent(String format, double share) {
        return String.format(Locale.ROOT, format, 100 * share);
    }
}
