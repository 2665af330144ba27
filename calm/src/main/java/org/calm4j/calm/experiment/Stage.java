package org.calm4j.calm.experiment;

import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/**
 * One stage of an experiment: what it makes out of what.
 *
 * @param settings whatever decides what it makes, as JSON
 * @param inputs files, or folders with a model; those that other stages make come later than these
 * @param output a file, or a folder that is the stage's own
 * @param besides what it also writes
 */
record Stage(String name, Object settings, List<Path> inputs, Path output, List<Path> besides, Work work) {
    Stage(String name, Object settings, List<Path> inputs, Path output, Work work) {
        this(name, settings, inputs, output, List.of(), work);
    }

    /** All that it may write. */
    List<Path> outputs() {
        return Stream.concat(Stream.of(output), besides.stream()).toList();
    }

    /** What a stage does; told whether it goes on from where the same stage was stopped. */
    @FunctionalInterface
    interface Work {
        void run(boolean resume);
    }
}
