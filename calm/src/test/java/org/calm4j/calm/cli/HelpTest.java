package org.calm4j.calm.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import picocli.CommandLine.Model.CommandSpec;

/** Every command explains itself, with examples that can be given. */
final class HelpTest extends CommandLineFixture {
    static Stream<String> commands() {
        return Calm.line(List.of()).getSubcommands().keySet().stream();
    }

    @ParameterizedTest
    @MethodSource("commands")
    void everyCommandHelpsAndEndsWithAnExample(String command) {
        assertThat(calm(command, "--help")).isZero();
        assertThat(err.toString()).isEmpty();
        List<String> lines = out.toString().strip().lines().toList();
        assertThat(String.join("\n", lines))
                .contains("Usage: calm " + command, "--debug", "--quiet", "--json")
                .containsPattern("\nExample: .*calm " + command);
        assertThat(lines).allMatch(line -> line.length() <= 100);
        assertThat(lines)
                .as("names of files in two")
                .noneMatch(line -> line.matches(" *(jsonl?|yaml|bin|csv|index)\\b.*"));
        assertThat(lines).as("a dot ends a label in the synopsis").noneMatch(line -> line.matches(".*=F\\b.*"));
        CommandSpec spec =
                Calm.line(List.of(command)).getSubcommands().get(command).getCommandSpec();
        // An example that is wrapped can't be copied.
        assertThat(lines).containsAll(List.of(spec.usageMessage().footer()));
        // The help wraps; breaks of our own would leave lines half empty.
        assertThat(spec.args())
                .allSatisfy(arg ->
                        assertThat(arg.description()).as(arg.paramLabel()).hasSize(1));
    }

    /** The options of a record stand together; none is lost by that. */
    @Test
    void optionsStandUnderHeadings() {
        assertThat(calm("dpo", "--help")).isZero();
        List<String> lines = out.toString().lines().toList();
        assertThat(lines.subList(lines.indexOf("Learning rate"), lines.indexOf("Optimizer")))
                .anyMatch(line -> line.contains("--warmup-ratio"))
                .noneMatch(line -> line.contains("--adam-beta1"));
        CommandSpec spec = Calm.line(List.of("dpo")).getSubcommands().get("dpo").getCommandSpec();
        assertThat(spec.options()).allSatisfy(option -> assertThat(lines)
                .anyMatch(line -> line.matches(" .*" + option.longestName() + "\\b.*")));
    }

    @ParameterizedTest
    @MethodSource("commands")
    void everyExampleIsACommandThatCanBeGiven(String command) {
        CommandSpec spec =
                Calm.line(List.of(command)).getSubcommands().get(command).getCommandSpec();
        String[] examples = String.join("\n", spec.usageMessage().footer())
                .replace("\\\n", "")
                .replaceAll("Example: mpirun -n \\d+ ", "Example: ")
                .split("Example: (?=calm )");
        for (String example : List.of(examples).subList(1, examples.length)) {
            String[] words = Pattern.compile("\"([^\"]*)\"|'([^']*)'|(\\S+)")
                    .matcher(example)
                    .results()
                    .map(word -> word.group().replaceAll("[\"']", ""))
                    .skip(1)
                    .toArray(String[]::new);
            assertThat(words[0]).isEqualTo(command);
            assertThat(Calm.line(List.of(words))
                            .setCaseInsensitiveEnumValuesAllowed(true)
                            .parseArgs(words)
                            .unmatched())
                    .isEmpty();
        }
    }

    @Test
    void theCompletionScriptKnowsTheCommands() {
        assertThat(calm("completion")).isZero();
        assertThat(out.toString()).contains("complete").contains("--lora-rank");
    }
}
