package org.calm4j.engine.jinja;

/**
 * How much one rendering may do and make, so that a hostile template ends soon. One step is about ten nanoseconds: an expression, or the
 * writing of a few characters.
 */
final class Budget {
    /** The budget of the current rendering, for code that cannot be handed it: comparisons, lengths and searches. */
    static final ScopedValue<Budget> CURRENT = ScopedValue.newInstance();

    private static final long STEPS = 20_000_000;
    private static final int LARGEST = 10_000_000;
    private static final int MOST_ITEMS = 1_000_000;
    private static final int CHARACTERS_A_STEP = 8;
    /** Python, too, gives up at a few hundred nested macro calls. */
    private static final int DEEPEST = 400;

    private long steps;
    private int depth;

    void step() {
        step(1);
    }

    void step(long more) {
        steps += more;
        if (steps > STEPS) {
            throw new TemplateFailure("takes more than " + STEPS + " steps");
        }
    }

    /** Counts a text before it is made. */
    void text(long characters) {
        if (characters > LARGEST) {
            throw new TemplateFailure("makes a text of more than " + LARGEST + " characters");
        }
        step(characters / CHARACTERS_A_STEP);
    }

    /** Counts a text that was made. */
    String made(String text) {
        text(text.length());
        return text;
    }

    /** Counts a walk over a text. */
    static void walk(int characters) {
        if (characters > 64) {
            CURRENT.get().step(characters / 16);
        }
    }

    /** Counts a search, whose worst case is the product of both lengths. */
    static void search(int characters, int wanted) {
        CURRENT.get().step((long) characters * Math.max(4, wanted) / 64);
    }

    /** Counts a look at one of many items. */
    static void item() {
        CURRENT.get().step();
    }

    /** Counts a list before it is made. */
    void items(long items) {
        if (items > MOST_ITEMS) {
            throw new TemplateFailure("makes a list of more than " + MOST_ITEMS + " items");
        }
        step(items);
    }

    void enter() {
        step();
        if (++depth > DEEPEST) {
            throw new TemplateFailure("nests deeper than " + DEEPEST + " levels");
        }
    }

    void leave() {
        depth--;
    }
}
