package org.calm4j.calm.cli;

import picocli.CommandLine.Option;

/** The origin of every random number. */
final class SeedOption {
    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "1",
            description = "Seed of all random numbers (default: ${DEFAULT-VALUE}).")
    long seed;
}
