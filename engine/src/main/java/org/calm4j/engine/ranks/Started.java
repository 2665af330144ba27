package org.calm4j.engine.ranks;

import java.util.Map;

/** The ranks of this process, begun when they are first asked for. */
final class Started {
    /** What native libraries must find in the environment when they are loaded: that crashes and signals are Java's, and words go to stderr. */
    private static final Map<String, String> FOR_LIBRARIES = Map.of(
            "UCX_ERROR_SIGNALS", "",
            "IPATH_NO_BACKTRACE", "1",
            "HFI_NO_BACKTRACE", "1",
            "NCCL_DEBUG_FILE", "/dev/stderr");

    private static Ranks ranks;

    private Started() {}

    static synchronized Ranks ranks() {
        if (ranks == null) {
            Launcher launcher = Launcher.of(System.getenv());
            ranks = launcher == null ? Ranks.alone() : begin(launcher);
        }
        return ranks;
    }

    private static Ranks begin(Launcher launcher) {
        prepare();
        return new MpiRanks(launcher, System.getenv());
    }

    /** Before a library is loaded. */
    static void prepare() {
        FOR_LIBRARIES.forEach(Native::setenv);
        // The program's launcher starts Java without stderr, and gives it as another descriptor.
        Integer stderr = Integer.getInteger("calm.stderr");
        if (stderr != null) {
            Native.dup2(stderr, 2);
        }
    }
}
