package org.calm4j.calm.translate;

import java.text.Normalizer;
import java.util.List;
import java.util.regex.Pattern;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.data.Samples;
import org.calm4j.calm.extract.AnswerExtractor;
import org.calm4j.calm.extract.Extraction;
import org.calm4j.calm.translate.Languages.Sign;

/**
 * Whether a response answers in the language of its question. Its answer decides: the sentence that states it, without one the last
 * sentence, and where that tells nothing ("B") the sentences before it. What another language says on the way there, or in quotes, does not
 * count.
 */
public final class AnswerLanguage {
    // "X = Y": the right side is what comes out.
    private static final Pattern EQUATION = Pattern.compile("\\s[=→⇒]\\s|[→⇒]");
    private static final Pattern QUOTED =
            Pattern.compile("\"[^\"]*\"|“[^”]*”|«[^»]*»|„[^“”]*[“”]|「[^」]*」|『[^』]*』|《[^》]*》|\\([^()]*\\)|（[^（）]*）");

    private final String language;
    private final List<Question.Choice> choices;
    private AnswerExtractor extractor;

    public AnswerLanguage(Samples line) {
        language = line.language();
        choices = line.choices();
    }

    /** True also where nothing tells. */
    public boolean isOwn(String response) {
        if (!Languages.isKnown(language)) {
            return true;
        }
        extractor = extractor == null ? new AnswerExtractor(choices) : extractor;
        Extraction extraction = extractor.extract(response);
        String text = Normalizer.normalize(response, Normalizer.Form.NFC);
        List<String> sentences = AnswerExtractor.sentences(text);
        int stated = extraction.from() < 0
                ? sentences.size() - 1
                : sentenceAt(
                        sentences, text, extraction.from() + extraction.span().length() - 1);
        for (int i = stated; i >= 0; i--) {
            Sign sign = sign(sentences.get(i), i == stated);
            if (sign != Sign.NONE) {
                return sign == Sign.OWN;
            }
        }
        for (int i = stated + 1; i < sentences.size(); i++) {
            Sign sign = sign(sentences.get(i), false);
            if (sign != Sign.NONE) {
                return sign == Sign.OWN;
            }
        }
        return Languages.plausible(response, language);
    }

    private Sign sign(String sentence, boolean states) {
        String[] sides = EQUATION.split(sentence);
        String said = sides[sides.length - 1];
        if (states) {
            for (Question.Choice choice : choices) {
                String option = Normalizer.normalize(choice.text(), Normalizer.Form.NFC);
                if (option.codePointCount(0, option.length()) > 1 && said.contains(option)) {
                    // The options are in the question's language; only the words around one may tell otherwise.
                    return Languages.wordSign(unquoted(said.replace(option, " ")), language) == Sign.OTHER
                            ? Sign.OTHER
                            : Sign.OWN;
                }
            }
        }
        Sign sign = Languages.sign(unquoted(said), language);
        // What comes out of an equation is the answer, even where a name tells nothing.
        return sign == Sign.NONE && sides.length > 1 && states ? Sign.OWN : sign;
    }

    private static String unquoted(String text) {
        return QUOTED.matcher(text).replaceAll(" ");
    }

    private static int sentenceAt(List<String> sentences, String text, int index) {
        int from = 0;
        for (int i = 0; i < sentences.size(); i++) {
            from = text.indexOf(sentences.get(i), from) + sentences.get(i).length();
            if (index < from) {
                return i;
            }
        }
        return sentences.size() - 1;
    }
}
