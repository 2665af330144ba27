package org.calm4j.calm.report;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;
import java.util.Map;
import org.calm4j.calm.metric.SeedSummary;

/**
 * The data of the report of one experiment with several seeds.
 *
 * @param main the main questions
 * @param heldOut questions that CALM never trained on; null without them
 * @param vote accuracy of the vote; null where no truth is known
 * @param curve by number of voting languages, from none; may be empty
 * @param arms name to its difference from CALM, in words
 * @param ways how answers are found, of the held-out questions, without them of the main ones; null where an experiment has no patterns
 * @param inside figures of what alignment changed inside; may be empty
 * @param gradients cosines between the languages' gradients while CALM trained; null unless all seeds measured them
 */
@JsonInclude(JsonInclude.Include.NON_EMPTY)
public record SeedReport(
        String title,
        List<String> languages,
        List<Run> runs,
        int questions,
        SeedSummary main,
        @JsonProperty("held_out_questions") int heldOutQuestions,
        @JsonProperty("held_out") SeedSummary heldOut,
        SeedSummary.Spread vote,
        List<CurvePoint> curve,
        Map<String, String> arms,
        Ways ways,
        List<Inside> inside,
        Gradients gradients) {

    /** A share, before and after, of {@link org.calm4j.calm.report.Inside#figures}. */
    public record Inside(String name, SeedSummary.Spread before, SeedSummary.Spread after, SeedSummary.Spread change) {}

    /**
     * Means over steps, as in {@link LanguageGradients}.
     *
     * @param change of the last quarter since the first
     */
    public record Gradients(
            SeedSummary.Spread all, SeedSummary.Spread first, SeedSummary.Spread last, SeedSummary.Spread change) {}

    /** @param report path of its own report, relative to this one; null without one */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Run(long seed, String report) {}

    /**
     * @param habit model to the share of its responses that go through another language
     * @param asked the ways taken, by kind of question
     * @param known by what is known
     */
    @JsonInclude(JsonInclude.Include.NON_EMPTY)
    public record Ways(Map<String, SeedSummary.Spread> habit, List<Asked> asked, List<Known> known) {}

    /**
     * @param relation kind of question; null for all
     * @param before share of the responses to such questions
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Asked(String relation, String way, SeedSummary.Spread before, SeedSummary.Spread after) {}

    /**
     * @param language whether the texts of the question's language state the fact
     * @param hub whether those of another language do that it may ask
     * @param before share of right answers
     * @param unanswered share without an answer, after
     */
    public record Known(
            boolean language,
            boolean hub,
            SeedSummary.Spread before,
            SeedSummary.Spread after,
            SeedSummary.Spread unanswered) {}

    /**
     * @param voting languages that vote; none for the model before
     * @param heldOut null without held-out questions
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record CurvePoint(
            List<String> voting,
            SeedSummary.Figures main,
            @JsonProperty("held_out") SeedSummary.Figures heldOut) {}
}
