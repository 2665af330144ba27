package org.calm4j.calm.run;

/** How long-running work reports its progress, and hears that it is to stop. */
public interface Progress {
    /** Says nothing. */
    Progress NONE = new Progress() {
        @Override
        public void start(String task, long total, long before) {
            // Nothing to say.
        }

        @Override
        public void at(long done, String note) {
            // Nothing to say.
        }

        @Override
        public void end() {
            // Nothing to say.
        }

        @Override
        public void say(String line) {
            // Nothing to say.
        }
    };

    default void start(String task, long total) {
        start(task, total, 0);
    }

    /** @param before parts that an earlier run did, which do not count for the time left */
    void start(String task, long total, long before);

    /** @param note text beside the bar, such as the loss; may be empty */
    void at(long done, String note);

    void end();

    /** A line of its own. */
    void say(String line);

    /** Whether the user wants the work to be left at the next place from which it can go on. */
    default boolean wantsToStop() {
        return false;
    }

    /**
     * Called at such a place.
     *
     * @throws Stopped if the user wants it
     */
    default void mayStop(String where) {
        if (wantsToStop()) {
            throw new Stopped(where);
        }
    }
}
