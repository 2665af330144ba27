package org.calm4j.calm.experiment;

import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/**
 * One stage of an experiment: its inputs, settings and outputs.
 *
 * @param settings everything that decides its output, as JSON
 * @param inputs files, or folders with a model; the outputs of other stages come after these
 * @param output a file, or a folder of the stage alone
 * @param besides what it also writes
 * @param byAll whether all ranks take part, of which rank 0 writes; otherwise it is rank 0's alone
 */
record Stage(
        String name, Object settings, List<Path> inputs, Path output, List<Path> besides, boolean byAll, Work work) {
    Stage(String name, Object settings, List<Path> inputs, Path output, Work work) {
        this(name, settings, inputs, output, List.of(), false, work);
    }

    /** The same, made by all ranks. */
    Stage madeByAll() {
        return new Stage(name, settings, inputs, output, besides, true, work);
    }

    /** The same with other work. */
    Stage with(Work other) {
        return new Stage(name, settings, inputs, output, besides, byAll, other);
    }

    /** Everything that it may write. */
    List<Path> outputs() {
        return Stream.concat(Stream.of(output), besides.stream()).toList();
    }

    /** The work of a stage; receives whether to continue where the same stage was stopped. */
    @FunctionalInterface
    interface Work {
        void run(boolean resume);
    }
}
