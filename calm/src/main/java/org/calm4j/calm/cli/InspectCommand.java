package org.calm4j.calm.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.ParameterException;

/** {@code calm inspect}: its own commands look. */
@Command(
        name = "inspect",
        sortOptions = false,
        synopsisSubcommandLabel = "WHAT",
        subcommands = {
            InspectModelCommand.class,
            InspectCacheCommand.class,
            InspectLensCommand.class,
            InspectTuneLensCommand.class,
            InspectAttributionCommand.class,
            InspectAttentionCommand.class,
            InspectPatchCommand.class,
            InspectSteerCommand.class,
            InspectSimilarityCommand.class,
            InspectDiffCommand.class,
            InspectNeuronsCommand.class,
            InspectStepCommand.class,
            InspectReplayCommand.class
        },
        description = "Looks inside a model: values and gradients, lenses, patching, what training changed.",
        footer = {
            "",
            "calm inspect WHAT --help describes one of them.",
            "",
            "Example: calm inspect lens --model base --input texts.jsonl --output lens.jsonl"
        })
final class InspectCommand extends CalmCommand {
    @Override
    void run() {
        throw new ParameterException(
                spec().commandLine(),
                "what to inspect is missing; one of "
                        + String.join(", ", spec().subcommands().keySet()));
    }
}
