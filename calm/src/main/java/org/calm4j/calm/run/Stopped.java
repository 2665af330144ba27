package org.calm4j.calm.run;

/** The user stopped the work, and it was left where it can go on. */
public final class Stopped extends RuntimeException {
    private static final long serialVersionUID = 1;

    /** @param where it was left, such as {@code stopped after step 3} */
    public Stopped(String where) {
        super(where);
    }
}
