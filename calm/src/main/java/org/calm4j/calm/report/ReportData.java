package org.calm4j.calm.report;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;
import java.util.Map;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.data.Vote;
import org.calm4j.calm.metric.Comparison;
import org.calm4j.calm.metric.Evaluation;
import org.calm4j.calm.metric.VoteReliability;

/**
 * All that the report of one CALM experiment tells. What is null or empty is left out of the page.
 *
 * @param title of the page
 * @param languages ISO 639-1, in the order of tables and plots
 * @param seeds of the experiment
 * @param eval the main evaluation set
 * @param heldOut questions that CALM never trained on; null without them
 * @param training the runs in their order, such as pretrain and dpo
 * @param vote null where no truth is known
 * @param flips answers that differ between before and after, wrong turns included; the page shows {@link Flips#MOST} of each kind
 * @param knowledge accuracies (shares) of kinds of questions, such as facts that the pretraining texts did or did not state in the language
 * @param perplexity of kinds of texts, such as known statements
 * @param settings name to value, in the order they are shown
 * @param seconds stage to wall-clock seconds
 * @param command that repeats the experiment
 * @param versions of what took part: calm4j, JDK, device …
 * @param notes what a reader should keep in mind, one sentence or two each
 */
@JsonInclude(JsonInclude.Include.NON_EMPTY)
public record ReportData(String title, List<String> languages, List<Long> seeds, Outcome eval,
        @JsonProperty("held_out") Outcome heldOut, List<TrainingLog> training, VoteReliability vote, List<Flip> flips,
        List<Shift> knowledge, List<Shift> perplexity, Map<String, Object> settings, Map<String, Double> seconds, String command,
        Map<String, String> versions, List<String> notes) {

    /**
     * One set of questions, answered by the model before and after CALM and by the baselines.
     *
     * @param change after against before; null where the predictions are not at hand
     * @param baselines name, as shown, to evaluation on the same questions; may be empty
     */
    @JsonInclude(JsonInclude.Include.NON_EMPTY)
    public record Outcome(Evaluation before, Evaluation after, Comparison change, Map<String, Evaluation> baselines) {
    }

    /**
     * One question in one language whose answer changed.
     *
     * @param truth label; null where it is not known
     * @param vote null for a question that was not voted on
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Flip(String id, String language, String question, List<Question.Choice> choices, String truth, Said before, Said after,
            Vote vote) {
    }

    /** @param answer label; null without a valid one */
    public record Said(String text, String answer) {
    }

    /**
     * One row of a table before against after.
     *
     * @param n how many questions or texts are behind it; null to say nothing
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Shift(String name, Integer n, double before, double after) {
    }
}
