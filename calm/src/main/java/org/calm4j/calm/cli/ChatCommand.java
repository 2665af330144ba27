package org.calm4j.calm.cli;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.regex.Pattern;
import org.calm4j.calm.option.ChatOptions;
import org.calm4j.calm.tool.ChatStage;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.generate.Completion;
import org.calm4j.engine.generate.SamplingDefaults;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.op.Backend;
import org.jline.utils.Signals;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code calm chat}. */
@Command(
        name = "chat",
        sortOptions = false,
        description = {
            "Chats with a model, one message per line.",
            ChatCommand.COMMANDS + " Sampling options default to the model's generation_config.json."
        },
        footer = {"", "Example: calm chat --model Qwen2.5-0.5B-Instruct --system \"Answer in one sentence.\""})
final class ChatCommand extends CalmCommand {
    static final String COMMANDS = "/reset starts over, /exit or Ctrl-D ends; Ctrl-C stops an answer.";
    /** Input for the program and not for the model. */
    private static final Pattern COMMAND = Pattern.compile("/[a-z?]+");

    private static final int INTERRUPTED = 130;

    @Mixin
    private ModelOptions model = new ModelOptions();

    @Option(names = "--system", paramLabel = "TEXT", description = "The system message.")
    private String system;

    @Mixin
    private final Given<ChatOptions> options = new Given<>(ChatOptions.class);

    @Mixin
    private SeedOption seed = new SeedOption();

    @Mixin
    private DeviceOptions device = new DeviceOptions();

    private volatile boolean answering;
    private volatile boolean interrupted;

    @Override
    void run() {
        ChatOptions given = options.get();
        try (Backend backend = device.open(this);
                ModelFolder folder = model.open(this, backend);
                ChatStage chat = new ChatStage(
                        folder,
                        system,
                        given.contextLength(),
                        given.sampling(SamplingDefaults.read(model.model), seed.seed))) {
            if (!chat.hasTemplate()) {
                say("The model has no chat template: it continues the text, line by line.");
            }
            Object before = Signals.register("INT", this::interrupt);
            try {
                talk(chat, new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8)));
            } catch (IOException e) {
                throw CalmException.failed("reading the messages failed: " + e.getMessage(), e);
            } finally {
                Signals.unregister("INT", before);
            }
        }
    }

    /** The first Ctrl-C stops the answer; without an answer, or a second time, it ends the program. */
    private void interrupt() {
        if (!answering || interrupted) {
            Runtime.getRuntime().halt(INTERRUPTED);
        }
        interrupted = true;
    }

    private void talk(ChatStage chat, BufferedReader in) throws IOException {
        boolean terminal = System.console() != null && System.console().isTerminal() && !isJson();
        while (true) {
            print(terminal ? "> " : "");
            String line = in.readLine();
            if (line == null || line.strip().equals("/exit")) {
                print(terminal && line == null ? System.lineSeparator() : "");
                return;
            }
            if (line.strip().equals("/reset")) {
                chat.reset();
            } else if (terminal && COMMAND.matcher(line.strip()).matches()) {
                out().println(COMMANDS);
                out().flush();
            } else if (!line.isBlank()) {
                answer(chat, line, terminal);
            }
        }
    }

    private void answer(ChatStage chat, String message, boolean terminal) {
        interrupted = false;
        answering = true;
        try {
            Completion completion = chat.answer(message, piece -> {
                print(isJson() ? "" : piece);
                return !interrupted;
            });
            print((isJson() ? Json.compact(ChatStage.json(completion)) : "") + System.lineSeparator());
        } catch (CalmException e) {
            if (!terminal) {
                throw e;
            }
            err().println(e.message(Setting::flag) + "; /reset starts over");
            err().flush();
        } finally {
            answering = false;
        }
    }

    private void print(String text) {
        out().print(text);
        out().flush();
    }
}
