package org.calm4j.calm.extract;

/**
 * What a phrase of a language's grammar does in a sentence about an answer. The name in lower case, plural where it is a noun, is its list
 * in the file.
 */
enum Word {
    /** Names the answer: "answer", "best option". A link and the option follow. */
    ANSWER("answers"),
    /** Commits by itself, "I choose", or corrects what came before, "wait, no". The option follows. */
    CHOICE("choices"),
    /** "so", "donc": an option alone follows. */
    CONCLUSION("conclusions"),
    /** "is", "lautet", "应为": joins the two. */
    LINK("links"),
    /** "could be": joins them too, but "B could be correct" commits to nothing. */
    HEDGE("hedges"),
    /** May stand between them. */
    FILLER("fillers"),
    /** Between two answers: such a statement is no answer. */
    OR("or"),
    /** In the place of the option: there is none. */
    NONE("none"),
    /** Says by itself that the answer is not among the options. */
    ABSENT("absent"),
    /** Behind an option, or an option and a link: it is the answer. */
    CORRECT("corrects"),
    /** The contrary. */
    WRONG("wrongs"),
    /** Takes back by itself what was answered: "this is incorrect". */
    DENIAL("denials"),
    NOT("nots"),
    /** "not B but C". */
    BUT("buts"),
    /** "because": what stands before is no article. */
    REASON("reasons"),
    /** How a response begins that declines. */
    REFUSAL("refusals");

    /** The name of its list in a grammar file. */
    final String list;

    Word(String list) {
        this.list = list;
    }
}
