package org.calm4j.calm.extract;

import org.calm4j.calm.extract.Extraction.Rule;

/** A response, folded, with all that is found in it once for all: labels, phrases, sentences. */
final class ParsedResponse {
    /** Longer runs of brackets and spaces are not part of an answer; scanning them at each place would not be linear. */
    private static final int LONGEST_RUN = 80;

    final Folded folded;
    final String text;
    /** In lower case. */
    final String lower;

    final Labels labels;
    final Phrases phrases;
    final Sentences sentences;

    ParsedResponse(Choices choices, String response) {
        folded = Folded.response(response);
        text = folded.text();
        lower = CharClass.lower(text);
        labels = new Labels(choices, text, lower);
        phrases = new Phrases(lower);
        sentences = new Sentences(text, labels, choices, lower, phrases);
    }

    /** What stands between two places decides. */
    Extraction extraction(String label, Rule rule, int from, int to, boolean againstText) {
        return new Extraction(label, rule, folded.written(from, to), folded.places()[from], againstText);
    }

    int skip(int from, String characters) {
        int at = from;
        while (at < Math.min(text.length(), from + LONGEST_RUN) && characters.indexOf(text.charAt(at)) >= 0) {
            at++;
        }
        return at;
    }

    int back(int from, String characters) {
        int at = from;
        while (at > Math.max(0, from - LONGEST_RUN) && characters.indexOf(text.charAt(at - 1)) >= 0) {
            at--;
        }
        return at;
    }
}
