package org.calm4j.calm.extract;

import java.util.Set;

/**
 * What a text says about the answer at one place.
 *
 * @param choices the options that it speaks of
 * @param from where it begins
 * @param to where it ends; what follows is read anew
 * @param againstText whether the label is followed by another option's text
 * @param weight how much it counts
 */
record Statement(Kind kind, Set<Integer> choices, int from, int to, boolean againstText, Weight weight) {
    enum Kind {
        /** It is this option. */
        OPTION,
        /** It is two or more. */
        SEVERAL,
        /** It is none of them. */
        NONE,
        /** It is none of these; where no other is the answer, there is none. */
        NEITHER,
        /** It is not these. */
        WRONG,
        /** It is not what was said before. */
        DENIAL,
        /** It can't be told. Counts where nothing else is said. */
        DECLINED,
        /** "Answer:" and no more. */
        UNFINISHED,
        /** Words that say nothing about the answer, though parts of them would. */
        NOTHING
    }

    enum Weight {
        /** Said outright. */
        PLAIN,
        /** The same, as a mark in a list: "B (√)". */
        MARKED,
        /** Said under a condition, or as what others say; counts where nothing is said outright. */
        ASIDE,
        /** Mentioned in passing: "answer B would …"; so too. */
        MENTION
    }

    static Statement of(Kind kind, int from, int to) {
        return new Statement(kind, Set.of(), from, to, false, Weight.PLAIN);
    }

    static Statement of(Kind kind, Set<Integer> choices, int from, int to) {
        return new Statement(kind, choices, from, to, false, Weight.PLAIN);
    }

    static Statement of(Kind kind, int choice, int from, int to) {
        return of(kind, Set.of(choice), from, to);
    }

    Statement with(Weight other) {
        return new Statement(kind, choices, from, to, againstText, other);
    }

    boolean is(Kind what) {
        return kind == what;
    }

    /** The option that is meant; -1 where it is none or several. */
    int choice() {
        return choices.size() == 1 ? choices.iterator().next() : -1;
    }
}
