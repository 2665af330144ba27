package org.calm4j.calm.cli;

import java.io.OutputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.ranks.Launcher;
import org.calm4j.engine.ranks.Ranks;

/** The program as one of several that a launcher started together: rank 0 alone speaks, and whoever fails ends all. */
final class OneOfMany {
    /** What rank 0 gets to say what is wrong, before another rank does: most errors are everybody's. */
    private static final long MILLIS_FOR_THE_FIRST = 2000;

    /** Between the others, most of whom are gone before it is their turn. */
    private static final long MILLIS_FOR_EACH = 50;

    private OneOfMany() {}

    /** Returns the exit code of a rank that cannot join the others, or when all are done; ends all with the code of one that fails. */
    static int run(Launcher launcher, OutputStream results, PrintWriter err, String... arguments) {
        Ranks ranks;
        try {
            ranks = Ranks.here();
        } catch (CalmException e) {
            // A launcher ends all when the first of them ends.
            if (launcher.rank() > 0) {
                sleep(MILLIS_FOR_THE_FIRST);
            } else {
                err.println("calm: " + e.getMessage());
            }
            return e.kind().exitCode();
        }
        StringWriter words = new StringWriter();
        PrintWriter own = ranks.isFirst() ? err : new PrintWriter(words, true);
        int code = Failures.FAILED;
        try {
            code = Calm.run(ranks.isFirst() ? results : OutputStream.nullOutputStream(), own, arguments);
            if (code == 0) {
                ranks.close();
                return 0;
            }
        } catch (RuntimeException | Error e) {
            own.println("calm: failed unexpectedly, " + e);
        }
        if (!ranks.isFirst()) {
            sleep(MILLIS_FOR_THE_FIRST + MILLIS_FOR_EACH * ranks.rank());
            say(words.toString().lines().toList(), ranks.name(), err);
        }
        err.flush();
        ranks.abort(code);
        return code;
    }

    private static void say(List<String> lines, String rank, PrintWriter err) {
        for (int i = 0; i < lines.size(); i++) {
            err.println(
                    i == 0 ? lines.get(i).replaceFirst("(?<=^calm[a-z ]{0,30}): ", ": " + rank + ": ") : lines.get(i));
        }
    }

    private static void sleep(long millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
