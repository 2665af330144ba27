package org.calm4j.calm.extract;

/**
 * What a text says about the answer at one place.
 *
 * @param choice the option that is meant; -1 where it is none or several
 * @param from where it begins
 * @param to where it ends; what follows is read anew
 * @param againstText whether the label is followed by another option's text
 */
record Statement(Kind kind, int choice, int from, int to, boolean againstText) {
    enum Kind {
        /** It is this option. */
        OPTION,
        /** The same, by a mention in passing: "answer B would …". Counts where no statement is plainer. */
        MENTION,
        /** It is two or more. */
        SEVERAL,
        /** It is none of them. */
        NONE,
        /** It is not this option. */
        WRONG,
        /** It is not what was said before. */
        DENIAL,
        /** "Answer:" and no more. */
        UNFINISHED
    }

    static Statement of(Kind kind, int from, int to) {
        return new Statement(kind, -1, from, to, false);
    }

    static Statement of(Kind kind, int choice, int from, int to) {
        return new Statement(kind, choice, from, to, false);
    }
}
