package org.calm4j.calm.cli;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;
import org.calm4j.calm.inspect.Inventory;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.op.Backend;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code calm inspect model}. */
@Command(
        name = "model",
        sortOptions = false,
        description =
                "Lists the tensors of a model, each with its shape, type, memory, norm and largest absolute value.",
        footer = {"", "Example: calm inspect model --model base"})
final class InspectModelCommand extends CalmCommand {
    @Mixin
    private ModelOptions model = new ModelOptions();

    @Mixin
    private DeviceOptions device = new DeviceOptions();

    @Override
    void run() {
        try (Backend backend = device.open(this);
                ModelFolder folder = model.open(this, backend)) {
            Inventory inventory = Inventory.of(folder, progress());
            result(inventory, text(inventory));
        }
    }

    private static String text(Inventory inventory) {
        int width = inventory.tensors().stream()
                .mapToInt(part -> part.name().length())
                .max()
                .orElse(0);
        String line = "%-" + width + "s  %14s  %4s  %12s  %10s  %10s%n";
        String rows = inventory.tensors().stream()
                .map(part -> String.format(
                        Locale.ROOT,
                        line,
                        part.name(),
                        Arrays.stream(part.shape()).mapToObj(Long::toString).collect(Collectors.joining("×")),
                        part.type(),
                        String.format(Locale.ROOT, "%,d", part.bytes()),
                        String.format(Locale.ROOT, "%.4g", part.norm()),
                        String.format(Locale.ROOT, "%.4g", part.largest())))
                .collect(Collectors.joining());
        return String.format(line, "tensor", "shape", "type", "bytes", "norm", "largest")
                + rows
                + String.format(
                        Locale.ROOT,
                        "%s, %d layers: %,d parameters in %,d bytes; keys and values take %,d bytes per token",
                        inventory.modelType(),
                        inventory.layers(),
                        inventory.parameters(),
                        inventory.bytes(),
                        inventory.cacheBytesPerToken());
    }
}
