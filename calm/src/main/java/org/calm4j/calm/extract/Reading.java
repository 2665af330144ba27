package org.calm4j.calm.extract;

import java.util.HashSet;
import java.util.Set;
import org.calm4j.calm.extract.Extraction.Rule;
import org.calm4j.calm.extract.Statement.Kind;
import org.calm4j.calm.extract.Statement.Weight;

/** The statements of a text, each one seen in the light of those before. */
final class Reading {
    private final Choices choices;
    private final ParsedResponse passage;
    private final Set<Integer> wrong = new HashSet<>();
    private Statement decided;
    private Rule rule;
    private boolean unfinished;
    private boolean declined;

    Reading(Choices choices, ParsedResponse passage) {
        this.choices = choices;
        this.passage = passage;
        StatementReader reader = new StatementReader(choices, passage);
        Statement verdict = null;
        int at = 0;
        while (at < passage.text.length()) {
            Statement statement = reader.at(at);
            if (statement == null) {
                at++;
                continue;
            }
            boolean listed = verdict != null
                    && statement.is(Kind.OPTION)
                    && statement.choice() != verdict.choice()
                    && passage.labels.at(statement.from()) == statement.choice()
                    && sideBySide(verdict.to(), statement.from());
            take(listed ? Statement.of(Kind.SEVERAL, verdict.from(), statement.to()) : statement);
            verdict = statement.is(Kind.OPTION) && statement.weight() != Weight.MENTION ? statement : null;
            boolean passing = statement.weight() == Weight.MENTION || statement.is(Kind.UNFINISHED);
            at = passing ? at + 1 : Math.max(at + 1, statement.to());
        }
    }

    // "D (correct) E (correct)": a list of verdicts.
    private boolean sideBySide(int end, int start) {
        return start >= end
                && passage.text
                        .substring(end, start)
                        .chars()
                        .noneMatch(c -> c == '\n' || c == '.' || c == '。' || CharClass.word((char) c));
    }

    private void take(Statement statement) {
        unfinished = false;
        boolean weak = statement.weight() == Weight.ASIDE || statement.weight() == Weight.MENTION;
        boolean stronger = decided != null
                && decided.weight() != Weight.MENTION
                && (decided.weight() != Weight.ASIDE || statement.weight() == Weight.MENTION);
        if (weak && stronger) {
            return;
        }
        switch (statement.kind()) {
            case OPTION -> {
                boolean second = decided != null
                        && decided.is(Kind.OPTION)
                        && decided.choice() != statement.choice()
                        && decided.weight() == statement.weight()
                        && (weak ? statement.weight() == Weight.ASIDE : statement.weight() == Weight.MARKED);
                decide(
                        second
                                ? Statement.of(Kind.SEVERAL, decided.from(), statement.to())
                                        .with(statement.weight())
                                : statement,
                        second ? Rule.SEVERAL : Rule.STATEMENT);
            }
            case SEVERAL -> decide(statement, Rule.SEVERAL);
            case NONE -> decide(statement, Rule.NONE);
            case NEITHER -> {
                wrong.addAll(statement.choices());
                if (decided == null
                        || decided.choice() < 0
                        || statement.choices().contains(decided.choice())) {
                    decide(statement, Rule.NONE);
                }
            }
            case WRONG -> {
                if (decided != null
                        && decided.is(Kind.OPTION)
                        && statement.choices().contains(decided.choice())) {
                    decide(statement, Rule.WITHDRAWN);
                } else {
                    wrong.addAll(statement.choices());
                }
            }
            case DENIAL -> {
                if (decided != null && decided.is(Kind.OPTION)) {
                    decide(statement, Rule.WITHDRAWN);
                }
            }
            case DECLINED -> declined = true;
            case UNFINISHED -> unfinished = true;
            case NOTHING -> {}
        }
    }

    private void decide(Statement statement, Rule why) {
        decided = statement;
        rule = why;
    }

    /** Whether a statement decides. */
    boolean decides() {
        return decided != null && !(declined && decided.weight() == Weight.MENTION);
    }

    /** Whether it ends with "Answer:" and no more. */
    boolean unfinished() {
        return unfinished;
    }

    /** Whether it says that it can't be told. */
    boolean declined() {
        return declined;
    }

    /** Whether an option is called wrong without having been the answer. */
    boolean wrong(int choice) {
        return wrong.contains(choice);
    }

    Extraction extraction() {
        if (decided.weight() == Weight.MENTION && unfinished) {
            return Extraction.nothing(Rule.CUT);
        }
        String label = rule == Rule.STATEMENT ? choices.label(decided.choice()) : null;
        return passage.extraction(label, rule, decided.from(), decided.to(), label != null && decided.againstText());
    }
}
