package org.calm4j.calm.stage;

import java.nio.file.Path;
import java.util.List;

/**
 * One stage of an experiment: what it makes out of what.
 *
 * @param settings whatever decides what it makes, as JSON
 * @param inputs files, or folders with a model; those that other stages make come later than these
 * @param output a file, or a folder that is the stage's own
 */
record Stage(String name, Object settings, List<Path> inputs, Path output, Work work) {

    /** What a stage does; told whether it goes on from where the same stage was stopped. */
    @FunctionalInterface
    interface Work {
        void run(boolean resume);
    }
}
