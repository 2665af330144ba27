package org.calm4j.calm.cli;

import java.io.PrintWriter;
import org.calm4j.calm.run.Progress;
import org.jline.utils.Signals;

/** Ctrl-C and SIGTERM: the first one lets the work reach a place from which it can go on, the second one ends the program at once. */
final class StopSignals {
    private static final int INTERRUPT = 2;
    private static final int TERMINATE = 15;
    /** A shell's exit code of a program that a signal ended is this and the signal's number. */
    private static final int SIGNALLED = 128;

    private final PrintWriter err;
    /** 0 before the first one. */
    private volatile int first;

    private StopSignals(PrintWriter err) {
        this.err = err;
    }

    static StopSignals listen(PrintWriter err) {
        StopSignals signals = new StopSignals(err);
        Signals.register("INT", () -> signals.received(INTERRUPT));
        Signals.register("TERM", () -> signals.received(TERMINATE));
        return signals;
    }

    private synchronized void received(int signal) {
        if (first != 0) {
            Runtime.getRuntime().halt(SIGNALLED + signal);
        }
        first = signal;
        err.println("calm: stops at the next place from which it can go on; a second signal ends it at once");
        err.flush();
    }

    /** Of a program that stopped for the first signal. */
    int exitCode() {
        return SIGNALLED + first;
    }

    /** The same progress, which also says when the work is to stop. */
    Progress on(Progress progress) {
        return new Progress() {
            @Override
            public void start(String task, long total, long before) {
                progress.start(task, total, before);
            }

            @Override
            public void at(long done, String note) {
                progress.at(done, note);
            }

            @Override
            public void end() {
                progress.end();
            }

            @Override
            public void say(String line) {
                progress.say(line);
            }

            @Override
            public boolean wantsToStop() {
                return first != 0;
            }
        };
    }
}
