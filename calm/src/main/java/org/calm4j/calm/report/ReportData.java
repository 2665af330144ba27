package org.calm4j.calm.report;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import java.util.List;
import java.util.Map;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.data.Vote;
import org.calm4j.calm.metric.Comparison;
import org.calm4j.calm.metric.Evaluation;
import org.calm4j.calm.metric.Interval;
import org.calm4j.calm.metric.ResponseKind;
import org.calm4j.calm.metric.VoteReliability;

/**
 * All data of the report of one CALM experiment. What is null or empty is left out of the page.
 *
 * @param title of the page
 * @param languages ISO 639-1, in the order of tables and plots
 * @param seeds of the experiment
 * @param eval the main evaluation set
 * @param heldOut questions that CALM never trained on; null without them
 * @param training the runs in their order, such as pretrain and dpo
 * @param vote null where no truth is known
 * @param flips answers that differ between before and after, wrong turns included; the page shows {@link Flips#MOST_SHOWN} of each kind
 * @param knowledge accuracies (shares) of kinds of questions, such as facts that the pretraining texts did or did not state in the language
 * @param perplexity of kinds of texts, such as known statements
 * @param settings name to value, in the order they are shown
 * @param seconds stage to wall-clock seconds
 * @param command that repeats the experiment
 * @param versions of what took part: calm4j, JDK, device …
 * @param curve by number of voting languages, from none; may be empty
 * @param examples questions with all responses to them; may be empty
 * @param extraction language to what became of its sampled responses
 * @param pairs language to what became of its questions
 * @param ways null where the experiment has no patterns
 * @param trained whether the main set asks what CALM was trained on
 * @param arms name to its difference from CALM, in words
 * @param inside null where nothing was looked at
 * @param notes what a reader should keep in mind, one sentence or two each
 */
@JsonInclude(JsonInclude.Include.NON_EMPTY)
public record ReportData(
        String title,
        List<String> languages,
        List<Long> seeds,
        Outcome eval,
        @JsonProperty("held_out") Outcome heldOut,
        List<TrainingLog> training,
        VoteReliability vote,
        List<Flip> flips,
        List<Shift> knowledge,
        List<Shift> perplexity,
        Map<String, Object> settings,
        Map<String, Double> seconds,
        String command,
        Map<String, String> versions,
        List<String> notes,
        List<CurvePoint> curve,
        List<Example> examples,
        Map<String, Extracted> extraction,
        Map<String, Paired> pairs,
        Ways ways,
        boolean trained,
        Map<String, String> arms,
        Inside inside) {

    /**
     * How the responses come to their answers, by the experiment's patterns. Ways whose names begin with "through " lead through another
     * language; to take one is the habit. Habit, flows, turns and changed are of the held-out questions, without them of the main set.
     *
     * @param sampled kinds of the responses that voted
     * @param eval model (before, after, or an arm) to its kinds on the main set
     * @param heldOut the same on the held-out set; empty without one
     * @param known by what is known of a question: held-out first
     * @param habit model to how often it goes through another language; empty without such ways
     * @param flows who asks whom
     * @param turns how many questions changed their way, by change
     * @param changed some of each change
     */
    @JsonInclude(JsonInclude.Include.NON_EMPTY)
    public record Ways(
            Map<String, ResponseKind> sampled,
            Map<String, Map<String, ResponseKind>> eval,
            @JsonProperty("held_out") Map<String, Map<String, ResponseKind>> heldOut,
            List<Known> known,
            Map<String, Habit> habit,
            List<Flow> flows,
            List<Turn> turns,
            List<Changed> changed) {}

    /**
     * @param share of the responses that go through another language
     * @param change since the model before; null for that
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Habit(double share, Interval interval, Comparison.Change change) {}

    /**
     * Who asks whom.
     *
     * @param relation kind of question; null for all
     * @param before the same for {@code after}: language that is asked in, to the way taken, to how many responses took it
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Flow(
            String relation, Map<String, Map<String, Integer>> before, Map<String, Map<String, Integer>> after) {}

    /**
     * @param n questions, in all their languages, that took the one way before and the other after
     * @param gained those of them that became right
     */
    public record Turn(
            @JsonProperty("way_before") String wayBefore,
            @JsonProperty("way_after") String wayAfter,
            int n,
            int gained,
            int lost) {}

    /**
     * Questions of which the same is known.
     *
     * @param language whether the texts of the question's language state the fact
     * @param hub whether those of another language do that it may ask
     * @param before share of right answers
     * @param gained questions that became right
     * @param lost questions that were right and no longer are
     * @param overridden those of the lost that go through another language now
     * @param unansweredBefore share without an answer
     * @param waysBefore kind to its share
     */
    @JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
    public record Known(
            boolean heldOut,
            boolean language,
            boolean hub,
            int n,
            double before,
            double after,
            int gained,
            int lost,
            int overridden,
            double unansweredBefore,
            double unansweredAfter,
            Map<String, Double> waysBefore,
            Map<String, Double> waysAfter) {}

    /**
     * @param wayBefore kind of the response before
     * @param english the same question in English; null where it is in English or there is none
     * @param englishChoices may be empty
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    @JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
    public record Changed(
            String id,
            String language,
            String relation,
            String question,
            List<Question.Choice> choices,
            String truth,
            String wayBefore,
            Said before,
            String wayAfter,
            Said after,
            String english,
            List<Question.Choice> englishChoices) {}

    /**
     * One set of questions, answered by the model before and after CALM and by the baselines.
     *
     * @param change after against before; null where the predictions are not at hand
     * @param baselines name, as shown, to evaluation on the same questions; may be empty
     * @param against baseline to CALM's gain over it; may be empty
     * @param gains baseline to its gain over the model before; may be empty
     * @param facts how many things are asked: questions of one group count as one
     */
    @JsonInclude(JsonInclude.Include.NON_EMPTY)
    public record Outcome(
            Evaluation before,
            Evaluation after,
            Comparison change,
            Map<String, Evaluation> baselines,
            Map<String, Comparison> against,
            Map<String, Comparison> gains,
            int facts) {}

    /**
     * One question in one language whose answer changed.
     *
     * @param truth label; null where it is not known
     * @param vote null for a question that was not voted on
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Flip(
            String id,
            String language,
            String question,
            List<Question.Choice> choices,
            String truth,
            Said before,
            Said after,
            Vote vote) {}

    /** @param answer label; null without a valid one */
    public record Said(String text, String answer) {}

    /**
     * One row of a table before against after.
     *
     * @param n how many questions or texts it is computed from; null to leave it out
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Shift(String name, Integer n, double before, double after) {}

    /**
     * The effect of training on the vote of some languages.
     *
     * @param voting the languages that vote; none for the model before
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record CurvePoint(
            int languages,
            List<String> voting,
            Evaluation eval,
            @JsonProperty("held_out") Evaluation heldOut) {}

    /**
     * One question in all its languages.
     *
     * @param truth label; null where it is not known
     * @param vote null where it was not voted on
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Example(String id, String truth, Vote vote, List<Asked> asked) {}

    /**
     * A question in one language.
     *
     * @param before what the model answered before; null where it was not asked
     * @param responses those that were sampled for the vote, equal ones once; may be empty
     * @param pair null without one
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Asked(
            String language,
            String question,
            List<Question.Choice> choices,
            Said before,
            Said after,
            List<Sampled> responses,
            ShownPair pair) {}

    /**
     * Sampled responses.
     *
     * @param answered those with an answer
     * @param rules what decided, or why there is no answer, to how many responses
     * @param againstText answers whose label was followed by another option's text; the label counts
     */
    public record Extracted(
            int responses,
            int answered,
            Map<String, Integer> rules,
            @JsonProperty("against_text") int againstText) {}

    /**
     * Questions and their preference pairs.
     *
     * @param withPair questions that gave a pair or more
     * @param sources where the chosen response comes from, to pairs
     * @param skipped why a question gave no pair, to questions
     * @param responses to the questions that have a winner; 0 where an earlier version of the program made the pairs
     * @param dropped those of them that were left out, on the side of the chosen and of the rejected alike, by the rule; null where none were
     * @param offLanguage those of them that answer in another language
     */
    public record Paired(
            int questions,
            @JsonProperty("with_pair") int withPair,
            int pairs,
            Map<String, Integer> sources,
            Map<String, Integer> skipped,
            int responses,
            Map<String, Integer> dropped,
            @JsonProperty("off_language") int offLanguage) {}

    /** @param count how many responses said so */
    public record Sampled(String text, String answer, int count) {}

    /** @param source where the chosen one comes from */
    public record ShownPair(String chosen, String rejected, String source) {}
}
