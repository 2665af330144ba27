package org.calm4j.calm.extract;

/**
 * What a phrase of a language's grammar does in a sentence about an answer. The name in lower case, plural where it is a noun, is its list
 * in the file; a list that a language does not need may be absent.
 */
enum Word {
    /** Names the answer: "answer", "best option". A link and the option follow. */
    ANSWER("answers", false),
    /** Names what is not the answer: "wrong answer". Options follow. */
    MISTAKE("mistakes", false),
    /** Names options beside the one that was answered: "the other options", "none of the others". What is said of them is not the answer. */
    OTHER("others", false),
    /** Commits by itself, "I choose". The option follows. */
    CHOICE("choices", false),
    /** Corrects what came before, "no, wait". A label follows, or an option's text and no more. */
    REVISION("revisions", true),
    /** "so", "donc", "it is": an option alone follows. */
    CONCLUSION("conclusions", true),
    /** "is", "lautet", "应为": joins the two. */
    LINK("links", true),
    /** "could be": joins them too, but commits to nothing where there is an answer already. */
    HEDGE("hedges", true),
    /** "if", "some might say": what follows in the sentence is not the answer where there is one. */
    ASIDE("asides", true),
    /** May stand between them. */
    FILLER("fillers", true),
    /** "this", "which": means what was said just before. */
    THIS("this", true),
    /** Between two answers: such a statement does not answer. */
    OR("or", true),
    /** "A to D". */
    RANGE("ranges", true),
    /** In the place of the option: there is none. */
    NONE("none", false),
    /** Says by itself that no option is the answer. */
    ABSENT("absent", false),
    /** "not in the list": there is no answer where it is said of the answer. */
    UNLISTED("unlisted", false),
    /** Declines to decide: "it depends", "there is no definitive answer". */
    DECLINE("declines", false),
    /** After an option, or an option and a link: it is the answer. */
    CORRECT("corrects", false),
    /** The contrary. */
    WRONG("wrongs", false),
    /** Takes back by itself what was answered: "this is incorrect". */
    DENIAL("denials", false),
    NOT("nots", true),
    /** "not B but C". */
    BUT("buts", true),
    /** "because", "for": what comes before is not an article. */
    REASON("reasons", true),
    /** How a response begins that declines. */
    REFUSAL("refusals", false),
    /** Words by which a text's language is known. */
    MARK("marks", false);

    /** The name of its list in a grammar file. */
    final String list;
    /** Whether it is a short word that may be another one in another language, so that only those of the text's own languages count. */
    final boolean own;

    Word(String list, boolean own) {
        this.list = list;
        this.own = own;
    }
}
