package org.calm4j.calm.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.lang.reflect.Constructor;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.calm4j.calm.hub.Tilde;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.ranks.Launcher;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.TypeConversionException;

/** The program: {@code calm COMMAND …}. Exit codes: 0 done, 1 failed while running, 2 wrong usage, 3 bad input. */
@Command(
        name = "calm",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        scope = ScopeType.LOCAL,
        description =
                "Trains and runs language models, and aligns what they know across languages by their own majority vote (CALM).",
        synopsisSubcommandLabel = "COMMAND",
        footer = {"", "calm COMMAND --help describes a command. Start with: calm demo"})
public final class Calm implements Runnable {
    private static final List<Class<? extends CalmCommand>> COMMANDS = List.of(
            DemoCommand.class,
            RunCommand.class,
            SampleCommand.class,
            VoteCommand.class,
            PairsCommand.class,
            DpoCommand.class,
            SftCommand.class,
            EvaluateCommand.class,
            ReportCommand.class,
            WatchCommand.class,
            PretrainCommand.class,
            GenerateCommand.class,
            ChatCommand.class,
            ScoreCommand.class,
            TokenizeCommand.class,
            TokenizerCommand.class,
            ImportCommand.class,
            ConvertCommand.class,
            DownloadCommand.class,
            BenchCommand.class,
            InspectCommand.class,
            DoctorCommand.class,
            CompletionCommand.class);

    @CommandLine.Spec
    private CommandSpec spec;

    @Override
    public void run() {
        throw new CommandLine.ParameterException(spec.commandLine(), "no command given");
    }

    /**
     * The program. Parsing every command's options is slow. If the first argument names a command, only that one is built;
     * otherwise commands are stubs with a description.
     */
    static CommandLine line(List<String> arguments) {
        CommandLine line = new CommandLine(new Calm());
        List<Class<? extends CalmCommand>> first = COMMANDS.stream()
                .filter(type -> !arguments.isEmpty()
                        && type.getAnnotation(Command.class).name().equals(arguments.getFirst()))
                .toList();
        boolean completion = first.contains(CompletionCommand.class);
        for (Class<? extends CalmCommand> type : first.isEmpty() || completion ? COMMANDS : first) {
            line.addSubcommand(
                    completion || first.contains(type)
                            ? new CommandLine(type)
                            : new CommandLine(named(type.getAnnotation(Command.class))));
        }
        // The shell does not expand a ~ in quotes or after a comma.
        line.registerConverter(Path.class, Calm::path);
        return line;
    }

    /** What somebody has typed. */
    static Path path(String text) {
        return Path.of(Files.exists(Path.of(text)) ? text : Tilde.home(text, System.getenv()));
    }

    private static CommandSpec named(Command command) {
        CommandSpec spec = CommandSpec.create().name(command.name());
        spec.usageMessage().description(command.description());
        return spec;
    }

    // Without this, an enum's names are accepted besides the words that we print, and an error lists both.
    private static void spellChoices(CommandLine command) {
        command.getCommandSpec().options().stream()
                .flatMap(option -> Arrays.stream(option.auxiliaryTypes()))
                .distinct()
                .filter(Class::isEnum)
                .forEach(type -> spell(command, type));
    }

    private static <E> void spell(CommandLine command, Class<E> choices) {
        List<E> all = List.of(choices.getEnumConstants());
        command.registerConverter(choices, value -> all.stream()
                .filter(each -> each.toString().equalsIgnoreCase(value))
                .findFirst()
                .orElseThrow(() -> new TypeConversionException("'" + value + "' is not one of "
                        + all.stream().map(E::toString).collect(Collectors.joining(", ")))));
    }

    // After --help picocli accepts any argument, even an unknown command.
    private static String[] known(CommandLine line, String... arguments) {
        boolean unknown = arguments.length > 0
                && !arguments[0].startsWith("-")
                && !line.getSubcommands().containsKey(arguments[0]);
        return unknown ? new String[] {arguments[0]} : arguments;
    }

    /** Flags of training as TRL's scripts spell them, such as {@code --learning_rate}, with dashes. */
    private static String[] withDashes(String... arguments) {
        boolean trains = trains(arguments);
        return Arrays.stream(arguments)
                .map(argument -> {
                    int end = argument.indexOf('=') < 0 ? argument.length() : argument.indexOf('=');
                    return trains && argument.startsWith("--")
                            ? argument.substring(0, end).replace('_', '-') + argument.substring(end)
                            : argument;
                })
                .toArray(String[]::new);
    }

    /** With our flags in the place of a YAML recipe and of other programs' flags. */
    private static String[] withRecipe(CommandLine line, Failures failures, PrintWriter err, String... arguments) {
        if (!trains(arguments)) {
            return arguments;
        }
        List<String> others = new ArrayList<>(List.of(arguments));
        Path recipe = null;
        for (int i = 1; i < others.size(); i++) {
            String argument = others.get(i);
            String value = argument.startsWith(Recipe.FLAG + "=")
                    ? argument.substring(Recipe.FLAG.length() + 1)
                    : argument.equals(Recipe.FLAG) && i + 1 < others.size() ? others.get(i + 1) : "";
            if (Recipe.isRecipe(value)) {
                recipe = Path.of(value);
                others.subList(i, argument.equals(Recipe.FLAG) ? i + 2 : i + 1).clear();
                i--;
            }
        }
        CommandSpec command = line.getSubcommands().get(arguments[0]).getCommandSpec();
        Recipe read = Recipe.read(recipe, command, others.subList(1, others.size()));
        failures.blame(read);
        if (!others.contains("--quiet")) {
            read.said().forEach(err::println);
        }
        return Stream.concat(Stream.of(arguments[0]), read.arguments().stream()).toArray(String[]::new);
    }

    private static boolean trains(String... arguments) {
        return arguments.length > 0 && List.of("dpo", "sft", "pretrain").contains(arguments[0]);
    }

    /** Runs one command; results go to {@code out}, all else to {@code err}. Returns the exit code. */
    static int execute(PrintWriter out, PrintWriter err, String... arguments) {
        Failures failures = new Failures();
        CommandLine line = line(List.of(arguments))
                .setOut(out)
                .setErr(err)
                .setUsageHelpAutoWidth(false)
                .setUsageHelpWidth(100)
                .setAbbreviatedOptionsAllowed(false)
                .setOverwrittenOptionsAllowed(true)
                .setParameterExceptionHandler(failures)
                .setExecutionExceptionHandler(failures);
        line.getHelpSectionMap().put(CommandLine.Model.UsageMessageSpec.SECTION_KEY_OPTION_LIST, new OptionSections());
        line.setHelpSectionMap(line.getHelpSectionMap());
        line.getSubcommands().values().forEach(Calm::spellChoices);
        line.getSubcommands().values().stream()
                .flatMap(each -> each.getSubcommands().values().stream())
                .forEach(Calm::spellChoices);
        try {
            String[] all = known(line, withDashes(arguments));
            try {
                all = withRecipe(line, failures, err, all);
            } catch (CalmException e) {
                return failures.ofCommand(line, arguments[0], e);
            }
            return line.execute(all);
        } catch (OutOfMemoryError e) {
            return failures.outOfMemory(err, e);
        } catch (InternalError e) {
            return failures.cutOff(err, e);
        } finally {
            out.flush();
            err.flush();
        }
    }

    /** @param arguments a command and its options */
    public static void main(String[] arguments) {
        if (Integer.getInteger("calm.stderr") != null) {
            System.setErr(new PrintStream(
                    new FileOutputStream(descriptor(Integer.getInteger("calm.stderr"))), true, StandardCharsets.UTF_8));
        }
        PrintWriter err = new PrintWriter(System.err, true, StandardCharsets.UTF_8);
        if (!Arrays.asList(arguments).contains("--help")) {
            // Loading the JSON library takes a tenth of a second; it runs while options are read.
            Thread.ofPlatform().daemon().start(() -> Json.mapper().valueToTree(Map.of("ready", 1)));
        }
        OutputStream results = new FileOutputStream(FileDescriptor.out);
        Launcher launcher = Launcher.of(System.getenv());
        System.exit(launcher == null ? run(results, err, arguments) : OneOfMany.run(launcher, results, err, arguments));
    }

    /** The program with its results on a stream; losing them there is a failure, too. Returns the exit code. */
    static int run(OutputStream results, PrintWriter err, String... arguments) {
        StandardOutput stdout = new StandardOutput(results);
        // Results are UTF-8 in every locale.
        System.setOut(new PrintStream(stdout, true, StandardCharsets.UTF_8));
        int code = execute(new PrintWriter(System.out, true, StandardCharsets.UTF_8), err, arguments);
        System.out.flush();
        if (code == 0 && stdout.failure() != null) {
            err.println("calm: writing to standard output failed (" + stdout.failure() + ")");
            return Failures.FAILED;
        }
        return code;
    }

    // The launcher opens java.base/java.io for this one use.
    private static FileDescriptor descriptor(int number) {
        try {
            Constructor<FileDescriptor> constructor = FileDescriptor.class.getDeclaredConstructor(int.class);
            constructor.setAccessible(true);
            return constructor.newInstance(number);
        } catch (ReflectiveOperationException | RuntimeException e) {
            return FileDescriptor.err;
        }
    }
}
