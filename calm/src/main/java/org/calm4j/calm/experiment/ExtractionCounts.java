package org.calm4j.calm.experiment;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.calm4j.calm.data.Samples;
import org.calm4j.calm.extract.AnswerExtractor;
import org.calm4j.calm.extract.Extraction;
import org.calm4j.calm.report.ReportData;

/** Counts what became of sampled responses, by language. */
final class ExtractionCounts {
    private final Map<String, Integer> rules = new TreeMap<>();
    private int responses;
    private int answered;
    private int againstText;

    private ExtractionCounts() {}

    static Map<String, ReportData.Extracted> of(List<Samples> lines) {
        Map<String, ExtractionCounts> counts = new LinkedHashMap<>();
        for (Samples line : lines) {
            AnswerExtractor extractor = new AnswerExtractor(line.choices());
            ExtractionCounts own = counts.computeIfAbsent(line.language(), language -> new ExtractionCounts());
            line.responses().forEach(response -> own.add(response, extractor.extract(response.text())));
        }
        Map<String, ReportData.Extracted> extracted = new LinkedHashMap<>();
        counts.forEach((language, own) -> extracted.put(
                language, new ReportData.Extracted(own.responses, own.answered, own.rules, own.againstText)));
        return extracted;
    }

    private void add(Samples.Response response, Extraction found) {
        // A response that was cut off at the token limit has no answer, whatever it contains.
        Extraction.Rule rule = response.answer() == null && found.label() != null ? Extraction.Rule.CUT : found.rule();
        responses++;
        answered += response.answer() == null ? 0 : 1;
        againstText += response.answer() != null && found.againstText() ? 1 : 0;
        rules.merge(rule.text(), 1, Integer::sum);
    }
}
