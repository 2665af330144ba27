package org.calm4j.calm.watch;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.OptionalLong;
import org.calm4j.calm.run.Progress;
import org.calm4j.calm.run.TimeLeft;

/** Passes progress on, and keeps the last of it for whoever looks. */
final class LiveProgress implements Progress {
    /**
     * What is being done.
     *
     * @param secondsLeft null while it is unknown
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    record Task(
            String name,
            long total,
            long done,
            String note,
            @JsonProperty("seconds_left") Double secondsLeft) {}

    private final Progress next;
    private String name;
    private long total;
    private long done;
    private String note = "";
    private TimeLeft left;

    LiveProgress(Progress next) {
        this.next = next;
    }

    /** Null between tasks. */
    synchronized Task task() {
        if (name == null) {
            return null;
        }
        OptionalLong nanos = left.of(total);
        return new Task(name, total, done, note, nanos.isPresent() ? nanos.getAsLong() * 1e-9 : null);
    }

    @Override
    public void start(String task, long parts, long before) {
        synchronized (this) {
            name = task;
            total = parts;
            done = before;
            note = "";
            left = new TimeLeft();
            left.at(System.nanoTime(), before);
        }
        next.start(task, parts, before);
    }

    @Override
    public void at(long parts, String text) {
        synchronized (this) {
            done = parts;
            note = text;
            if (left != null) {
                left.at(System.nanoTime(), parts);
            }
        }
        next.at(parts, text);
    }

    @Override
    public void end() {
        synchronized (this) {
            name = null;
        }
        next.end();
    }

    @Override
    public void say(String line) {
        next.say(line);
    }

    @Override
    public boolean wantsToStop() {
        return next.wantsToStop();
    }
}
