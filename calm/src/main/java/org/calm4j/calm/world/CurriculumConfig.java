package org.calm4j.calm.world;

import org.calm4j.engine.CalmException;

/**
 * What an epoch of pretraining is made of.
 *
 * @param statementCopies how often each known statement is told in an epoch
 * @param asked share of the known facts of a language that are also practised as questions
 * @param fictional questions about a place that is none, where any option is the answer: only copying helps
 * @param repeats random words, said twice
 * @param warmupFictional share of the fictional questions among the warm-up texts; the others are repeats
 * @param dictionary names of one thing to translate between the language that knows most and another
 * @param translations questions put into the language that knows most, and statements of random values out of it, half and half
 * @param detours practised questions whose answer recalls the fact in the language that knows most first; only of facts known in both
 */
public record CurriculumConfig(int statementCopies, double asked, int fictional, int repeats, double warmupFictional, int dictionary,
        int translations, int detours) {
    /** Two copies, 60 % asked, 400 fictional, 300 repeats, a quarter fictional in the warm-up, nothing that crosses languages. */
    public static final CurriculumConfig DEFAULT = new CurriculumConfig(2, 0.6, 400, 300, 0.25, 0, 0, 0);

    public CurriculumConfig {
        if (statementCopies < 0 || !(asked >= 0 && asked <= 1) || fictional < 0 || repeats < 0
                || !(warmupFictional >= 0 && warmupFictional <= 1) || dictionary < 0 || translations < 0
                || detours < 0) {
            throw CalmException.usage("these numbers make no curriculum: statement copies " + statementCopies + ", asked " + asked
                    + ", fictional " + fictional + ", repeats " + repeats + ", warm-up fictional " + warmupFictional + ", dictionary "
                    + dictionary + ", translations " + translations + ", detours " + detours);
        }
        if (statementCopies == 0 && fictional == 0 && repeats == 0) {
            throw CalmException.usage("an epoch without statements, fictional questions and repeats could be empty");
        }
    }
}
