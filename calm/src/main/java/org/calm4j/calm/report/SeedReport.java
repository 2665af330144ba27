package org.calm4j.calm.report;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;
import org.calm4j.calm.metric.SeedSummary;

/**
 * What the report of one experiment with several seeds tells.
 *
 * @param main the main questions
 * @param heldOut questions that CALM never trained on; null without them
 * @param vote accuracy of the vote; null where no truth is known
 * @param curve by number of voting languages, from none; may be empty
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
        List<CurvePoint> curve) {

    /** @param report where its own report is, as seen from this one; null where that has no place */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Run(long seed, String report) {}

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
