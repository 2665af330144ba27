package org.calm4j.calm.cli;

import java.io.PrintWriter;
import java.time.Duration;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.LongSupplier;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.calm4j.calm.run.Progress;
import org.calm4j.calm.run.TimeLeft;

/** Progress on stderr: a bar on a terminal, elsewhere a line every ten seconds; both with the time left. */
final class TerminalProgress implements Progress {
    private static final long LINE_EVERY = 10_000_000_000L;
    private static final int NARROWEST = 40;
    private static final int WIDEST = 120;
    private static final int UPDATE_MILLIS = 250;

    private final PrintWriter err;
    /** Columns of the terminal; 0 where there is none. */
    private final int columns;

    private final LongSupplier nanoTime;
    private ProgressBar bar;
    private String task;
    private long total;
    private long start;
    private long nextLine;
    private long last;
    private TimeLeft timeLeft;

    TerminalProgress(PrintWriter err, int columns, LongSupplier nanoTime) {
        this.err = err;
        this.columns = columns;
        this.nanoTime = nanoTime;
    }

    /** The launcher sets {@code calm.terminal} if stderr is a terminal, with its columns where it knows them. */
    static Progress on(PrintWriter err) {
        String told = System.getProperty("calm.terminal");
        int columns = told == null ? 0 : told.matches("[1-9]\\d{0,3}") ? Integer.parseInt(told) : 80;
        return new TerminalProgress(
                err, columns == 0 ? 0 : Math.clamp(columns - 1, NARROWEST, WIDEST), System::nanoTime);
    }

    @Override
    public void start(String name, long parts, long before) {
        end();
        task = name;
        total = parts;
        last = before;
        start = nanoTime.getAsLong();
        timeLeft = new TimeLeft();
        timeLeft.at(start, before);
        nextLine = start + LINE_EVERY;
        if (columns > 0) {
            err.flush();
            bar = new ProgressBarBuilder()
                    .setTaskName(name)
                    .setInitialMax(parts)
                    .startsFrom(before, Duration.ZERO)
                    .setStyle(ProgressBarStyle.UNICODE_BLOCK)
                    .setEtaFunction(state -> left())
                    .setConsumer(new ConsoleProgressBarConsumer(System.err, columns))
                    .setUpdateIntervalMillis(UPDATE_MILLIS)
                    .build();
        }
    }

    @Override
    public void at(long done, String note) {
        last = done;
        long now = nanoTime.getAsLong();
        synchronized (this) {
            timeLeft.at(now, done);
        }
        if (bar != null) {
            bar.stepTo(done);
            bar.setExtraMessage(" " + note);
            return;
        }
        if (now >= nextLine && total > 0) {
            nextLine = now + LINE_EVERY;
            line(String.format(
                    Locale.ROOT,
                    "%s: %d/%d (%d %%)%s%s",
                    task,
                    done,
                    total,
                    100 * done / Math.max(1, total),
                    note.isEmpty() ? "" : " " + note,
                    left().map(time -> ", " + clock(time.toSeconds()) + " left").orElse("")));
        }
    }

    /** Empty while it is unknown; the bar asks for it on its own thread. */
    private synchronized Optional<Duration> left() {
        OptionalLong nanos = timeLeft.of(total);
        return nanos.isPresent() ? Optional.of(Duration.ofNanos(nanos.getAsLong())) : Optional.empty();
    }

    @Override
    public void end() {
        if (bar != null) {
            bar.close();
            bar = null;
        } else if (task != null) {
            line(String.format(
                    Locale.ROOT,
                    "%s: %d/%d in %s",
                    task,
                    last,
                    total,
                    clock((nanoTime.getAsLong() - start) / 1_000_000_000)));
        }
        task = null;
    }

    @Override
    public void say(String text) {
        line(text);
    }

    private void line(String text) {
        err.println(text);
        err.flush();
    }

    private static String clock(long seconds) {
        Duration time = Duration.ofSeconds(seconds);
        return time.toHours() > 0
                ? String.format(Locale.ROOT, "%d:%02d:%02d", time.toHours(), time.toMinutesPart(), time.toSecondsPart())
                : String.format(Locale.ROOT, "%d:%02d", time.toMinutes(), time.toSecondsPart());
    }
}
