package org.calm4j.calm.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.calm4j.calm.experiment.ModelOnDisk;
import org.calm4j.engine.fuzz.Fuzz;
import org.calm4j.engine.fuzz.Mutator.Kind;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.text.Tokenizer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every file that a command reads, broken in many ways: exit code 0 or 3, and a message that is no defect of the program. */
@Tag("slow")
final class HostileInputsTest {
    private static final int FEW = Fuzz.files(40);
    private static final String CHOICES =
            "\"choices\":[{\"label\":\"A\",\"text\":\"w1\"},{\"label\":\"B\",\"text\":\"w2\"}]";
    private static final String QUESTION =
            "{\"id\":\"1\",\"language\":\"en\",\"question\":\"w1 w2?\"," + CHOICES + ",\"answer\":\"A\"}\n"
                    + "{\"id\":\"1\",\"language\":\"fr\",\"question\":\"w1 w3?\"," + CHOICES + ",\"answer\":\"A\"}\n";
    private static final String SAMPLES =
            sample("en", "The answer is A.", "B. w2", "A: w1") + sample("fr", "A", "B", "A. w1, \\\\boxed{A}");
    private static final String VOTES = "{\"id\":\"1\",\"answer\":\"A\",\"votes\":{\"A\":4,\"B\":2},"
            + "\"by_language\":{\"en\":{\"A\":2,\"B\":1},\"fr\":{\"A\":2,\"B\":1}},\"agreement\":0.67,\"tie\":false}\n";
    private static final String MESSAGES = "[{\"role\":\"user\",\"content\":\"w1 w2\"}]";

    /** @param arguments of the command; MODEL, OUT and the names of files are below the folder */
    private record Case(String name, String file, Kind kind, String content, List<String> arguments) {
        static Case of(String name, String file, Kind kind, String content, String arguments) {
            return new Case(name, file, kind, content, List.of(arguments.split(" ")));
        }

        @Override
        public String toString() {
            return name;
        }
    }

    @TempDir
    private Path folder;

    private static String sample(String language, String... responses) {
        List<String> all = new ArrayList<>();
        for (String response : responses) {
            all.add("{\"text\":\"" + response + "\",\"logprob\":-1.5,\"num_tokens\":3}");
        }
        return "{\"id\":\"1\",\"language\":\"" + language + "\",\"question\":\"w1?\"," + CHOICES
                + ",\"answer\":\"A\",\"prompt\":\"w1?\",\"responses\":"
                + all + "}\n";
    }

    static List<Case> cases() {
        String train = " --model model --output out --max-steps 1 --batch-size 2";
        return List.of(
                Case.of(
                        "score",
                        "in.jsonl",
                        Kind.JSON_LINES,
                        "{\"id\":1,\"input_ids\":[3,4,5],\"completion_start\":1}\n"
                                + "{\"id\":\"b\",\"prompt\":\"w1\",\"completion\":\"w2\"}\n{\"id\":2,\"prompt\":"
                                + MESSAGES
                                + ",\"completion\":\"w3\"}\n",
                        "score --model model --input in.jsonl --output out.jsonl"),
                Case.of(
                        "generate",
                        "in.jsonl",
                        Kind.JSON_LINES,
                        "{\"id\":1,\"input_ids\":[3,4,5]}\n{\"id\":\"b\",\"prompt\":\"w1\"}\n{\"id\":2,\"messages\":"
                                + MESSAGES + "}\n",
                        "generate --model model --input in.jsonl --output out.jsonl --max-new-tokens 2"),
                Case.of(
                        "tokenize",
                        "in.jsonl",
                        Kind.JSON_LINES,
                        "{\"id\":1,\"text\":\"w1 w2\"}\n{\"id\":2,\"messages\":" + MESSAGES
                                + ",\"add_generation_prompt\":true}\n",
                        "tokenize --model model --input in.jsonl --output out.jsonl"),
                Case.of(
                        "sample",
                        "in.jsonl",
                        Kind.JSON_LINES,
                        QUESTION,
                        "sample --model model --data in.jsonl --output out.jsonl --max-new-tokens 2"),
                Case.of("vote", "in.jsonl", Kind.JSON_LINES, SAMPLES, "vote --samples in.jsonl --output out.jsonl"),
                Case.of(
                        "extract",
                        "in.jsonl",
                        Kind.JSON_LINES,
                        SAMPLES,
                        "vote --extract-only --explain --samples in.jsonl --output out.jsonl"),
                Case.of(
                        "votes",
                        "votes.jsonl",
                        Kind.JSON_LINES,
                        VOTES,
                        "pairs --samples samples.jsonl --votes votes.jsonl --output out.jsonl"),
                Case.of(
                        "weights of votes",
                        "votes.jsonl",
                        Kind.JSON_LINES,
                        VOTES,
                        "pairs --samples samples.jsonl --votes votes.jsonl --output out.jsonl --margin-weights"),
                Case.of(
                        "translations",
                        "t.jsonl",
                        Kind.JSON_LINES,
                        "{\"source\":\"en\",\"target\":\"fr\",\"text\":\"B. w2\",\"translation\":\"A. w1\"}\n",
                        "pairs --samples samples.jsonl --votes votes.jsonl --output out.jsonl --translator file --translations t.jsonl"),
                Case.of(
                        "prompt templates",
                        "p.yaml",
                        Kind.YAML,
                        "en:\n  prompt: \"Q: {question}\\n{choices}\"\n  choice: \"({label}) {text}\"\n"
                                + "  separator: \"\\n\"\n  examples:\n  - question: w1\n    choices: [w1, w2]\n    response: A\n"
                                + "fr: &f\n  prompt: \"{question} {choices}\"\n"
                                + "  choice: \"{text}\"\n  separator: \" \"\n",
                        "sample --model model --data questions.jsonl --output out.jsonl --max-new-tokens 2 --prompts p.yaml"),
                Case.of(
                        "predictions",
                        "in.jsonl",
                        Kind.JSON_LINES,
                        "{\"id\":\"1\",\"language\":\"en\",\"answer\":\"A\",\"prediction\":\"A\",\"confidence\":0.5}\n"
                                + "{\"id\":\"1\",\"language\":\"fr\",\"answer\":\"A\",\"prediction\":null}\n",
                        "evaluate --predictions in.jsonl --output out"),
                Case.of(
                        "questions to rank",
                        "in.jsonl",
                        Kind.JSON_LINES,
                        QUESTION,
                        "evaluate --model model --data in.jsonl --output out --method rank"),
                Case.of(
                        "passages",
                        "in.jsonl",
                        Kind.JSON_LINES,
                        "{\"id\":\"1\",\"language\":\"en\",\"text\":\"w1 w2\"}\n",
                        "evaluate --model model --data questions.jsonl --output out --max-new-tokens 2 "
                                + "--passages in.jsonl --index out.index"),
                Case.of(
                        "pairs",
                        "in.jsonl",
                        Kind.JSON_LINES,
                        "{\"prompt\":\"w1\",\"chosen\":\"w2\",\"rejected\":\"w3\",\"weight\":0.5}\n{\"prompt\":"
                                + MESSAGES
                                + ",\"chosen\":[{\"role\":\"assistant\",\"content\":\"w1\"}],\"rejected\":\"w3\"}\n"
                                + "{\"prompt_input_ids\":[3],\"chosen_input_ids\":[4,1],"
                                + "\"rejected_input_ids\":[5,1]}\n",
                        "dpo --data in.jsonl" + train),
                Case.of(
                        "ranking list",
                        "in.json",
                        Kind.JSON,
                        "[{\"instruction\":\"w1\",\"input\":\"w2\",\"chosen\":\"w2\",\"rejected\":\"w3\"}]",
                        "dpo --data in.json" + train),
                Case.of(
                        "two languages",
                        "in.jsonl",
                        Kind.JSON_LINES,
                        "{\"prompt_1\":\"w1\",\"chosen_1\":\"w2\",\"rejected_1\":\"w3\",\"prompt_2\":\"w1\","
                                + "\"chosen_2\":\"w2\",\"rejected_2\":\"w3\"}\n",
                        "dpo --loss-type dco --data in.jsonl" + train),
                Case.of(
                        "documents",
                        "in.jsonl",
                        Kind.JSON_LINES,
                        "{\"text\":\"w1 w2\"}\n{\"messages\":[{\"role\":\"user\",\"content\":\"w1\"},"
                                + "{\"role\":\"assistant\",\"content\":\"w2\"}]}\n{\"prompt\":\"w1\",\"completion\":\"w2\"}\n{\"input_ids\":[3,4],"
                                + "\"completion_start\":1}\n{\"instruction\":\"w1\",\"input\":\"\",\"output\":\"w3\"}\n",
                        "sft --data in.jsonl" + train),
                Case.of(
                        "table to train on",
                        "in.csv",
                        Kind.TABLE,
                        "prompt,completion\nw1,w2\n\"w1, w2\",w3\n",
                        "sft --data in.csv" + train),
                Case.of(
                        "config of pretraining",
                        "model/config.json",
                        Kind.JSON,
                        null,
                        "pretrain --config model/config.json --data documents.jsonl --output out --max-steps 1 --batch-size 2"),
                Case.of(
                        "import a table",
                        "in.csv",
                        Kind.TABLE,
                        "question,A,B,C,D,answer\nw1?,a,\"b, c\",d,e,B\nw2?,a,b,c,d,A\n",
                        "import in.csv --language en --output out.jsonl"),
                Case.of(
                        "import tabs",
                        "in.tsv",
                        Kind.TABLE,
                        "Prompt\tAns\tCandidate Ans\nw <mask>\ta\ta, b, c\n",
                        "import in.tsv --language en --output out.jsonl"),
                Case.of(
                        "import a list",
                        "in.json",
                        Kind.JSON,
                        "[{\"instruction\":\"Answer\",\"input\":\"w1?\\nA. a\\nB. b\",\"output\":\"A\",\"pred\":[\"A\",\"B\"]}]",
                        "import in.json --language en --output out.jsonl"),
                Case.of(
                        "import questions",
                        "in.jsonl",
                        Kind.JSON_LINES,
                        "{\"id\":\"1\",\"lang\":\"en\",\"question\":{\"stem\":\"w?\",\"choices\":[{\"label\":\"A\","
                                + "\"text\":\"a\"},{\"label\":\"B\",\"text\":\"b\"}]},\"answerKey\":\"A\"}\n",
                        "import in.jsonl --output out.jsonl"),
                Case.of(
                        "import options",
                        "in.jsonl",
                        Kind.JSON_LINES,
                        "{\"question\":\"w?\",\"options\":{\"A\":\"a\",\"B\":\"b\"},\"answer_idx\":\"A\","
                                + "\"answer\":\"a\"}\n",
                        "import in.jsonl --language en --output out.jsonl"),
                Case.of(
                        "import conversations",
                        "in.json",
                        Kind.JSON,
                        "[{\"conversations\":[{\"from\":\"human\",\"value\":\"a\"},{\"from\":\"gpt\",\"value\":\"b\"}]}]",
                        "import in.json --language en --output out.jsonl"),
                Case.of(
                        "parallel",
                        "other.jsonl",
                        Kind.JSON_LINES,
                        QUESTION.lines().skip(1).findFirst().orElseThrow().replace("\"1\"", "\"0\"") + "\n",
                        "import table.csv --language en --output out.jsonl --parallel other.jsonl --align"),
                Case.of(
                        "experiment",
                        "e.yaml",
                        Kind.YAML,
                        "model: model\nquestions: [questions.jsonl]\noutput: out\nseed: 3\nsample: {responses: 2, top_p: 0.9}\n"
                                + "vote:\n  tie: abstain\npairs: {pairs_per_question: 2}\n"
                                + "dpo:\n  max_steps: 3\n  learning_rate: 1e-3\nbaselines: [sft]\n",
                        "run e.yaml --dry-run"),
                Case.of(
                        "ledger",
                        "done/.stages/sample.json",
                        Kind.JSON,
                        "{\"settings\":{\"seed\":3},\"inputs\":[\"a\"],\"seconds\":2.5,\"devices\":[\"cpu\"]}",
                        "run done.yaml --dry-run"));
    }

    @BeforeEach
    void files() throws IOException {
        Path model = folder.resolve("model");
        ModelOnDisk.write(model);
        Tokenizer.wordLevel(List.of("user", "assistant", "w1", "w2", "w3"), "<unk>", "<eos>")
                .save(model);
        ObjectNode config = Json.read(model.resolve("tokenizer_config.json"), ObjectNode.class);
        Json.write(
                model.resolve("tokenizer_config.json"),
                config.put(
                        "chat_template",
                        "{% for m in messages %}{{ m.role }} {{ m.content }} <eos>{% endfor %}"
                                + "{% if add_generation_prompt %}assistant {% endif %}"));
        Files.writeString(folder.resolve("questions.jsonl"), QUESTION);
        Files.writeString(folder.resolve("samples.jsonl"), SAMPLES);
        Files.writeString(folder.resolve("votes.jsonl"), VOTES);
        Files.writeString(folder.resolve("documents.jsonl"), "{\"text\":\"w1 w2\"}\n");
        Files.writeString(folder.resolve("table.csv"), "question,A,B,answer\nw1?,a,b,B\n");
        Files.createDirectories(folder.resolve("done/.stages"));
        Files.writeString(
                folder.resolve("done.yaml"),
                "model: " + model + "\nquestions: [" + folder.resolve("questions.jsonl")
                        + "]\noutput: "
                        + folder.resolve("done") + "\n");
    }

    private boolean calm(Case each) throws IOException {
        List<String> arguments = new ArrayList<>();
        for (String argument : each.arguments) {
            boolean path = argument.startsWith("out")
                    || argument.equals("model")
                    || argument.matches("[\\w/]+\\.(json|jsonl|yaml|csv|tsv|index|bin)");
            arguments.add(path ? folder.resolve(argument).toString() : argument);
        }
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.filter(file -> file.getFileName().toString().matches("\\.?out.*"))
                    .toList()) {
                delete(file);
            }
        }
        if (each.arguments.contains("--model")
                && !List.of("tokenize", "convert").contains(each.arguments.getFirst())) {
            arguments.addAll(List.of("--threads", "1"));
        }
        StringWriter err = new StringWriter();
        int code = Calm.execute(
                new PrintWriter(new StringWriter()), new PrintWriter(err), arguments.toArray(String[]::new));
        if (code == 0) {
            return true;
        }
        String said = err.toString();
        // An option may be what is missing, or what does not go with such a file.
        boolean option = code == 2 && said.matches("(?s)calm \\w+: --.*");
        if (code != 3 && !option || said.contains("defect of the program")) {
            throw new AssertionError("exit code " + code + ": " + said);
        }
        if (System.getProperty("calm4j.fuzz.say") != null) {
            System.out.println(said.strip());
        }
        Fuzz.check(said.lines().reduce((first, second) -> second).orElse(""));
        return false;
    }

    private static void delete(Path file) throws IOException {
        try (Stream<Path> all = Files.walk(file)) {
            for (Path each : all.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(each);
            }
        }
    }

    private void fuzz(Case each) throws IOException, InterruptedException {
        new Fuzz(each.name, folder.resolve(each.file), each.kind, () -> calm(each)).run(FEW);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void everyReader(Case each) throws Exception {
        if (each.content != null) {
            Files.writeString(
                    folder.resolve(each.file),
                    each.content.replaceAll("(model|questions\\.jsonl|out)(?=[]\n])", folder + "/$1"));
        }
        fuzz(each);
    }

    /** A checkpoint of {@code --resume}. */
    @Test
    void checkpoints() throws Exception {
        Files.writeString(folder.resolve("pairs.jsonl"), "{\"prompt\":\"w1\",\"chosen\":\"w2\",\"rejected\":\"w3\"}\n");
        String dpo = "dpo --data pairs.jsonl --model model --output run --batch-size 1 --save-steps 1 --max-steps 1";
        List<String> arguments = Stream.of(dpo.split(" "))
                .map(a -> a.matches("pairs.jsonl|model|run") ? folder.resolve(a).toString() : a)
                .toList();
        Calm.execute(
                new PrintWriter(new StringWriter()),
                new PrintWriter(new StringWriter()),
                arguments.toArray(String[]::new));
        List<String> resumed = new ArrayList<>(arguments);
        resumed.add("--resume");
        Path checkpoint = folder.resolve("run/checkpoint-1");
        for (String file :
                List.of("trainer_state.json", "optimizer.safetensors", "model.safetensors", "../metrics.jsonl")) {
            Kind kind = file.endsWith("safetensors")
                    ? Kind.SAFETENSORS
                    : file.endsWith("jsonl") ? Kind.JSON_LINES : Kind.JSON;
            Case each = new Case("checkpoint " + file, file, kind, null, resumed);
            byte[] metrics = Files.readAllBytes(folder.resolve("run/metrics.jsonl"));
            new Fuzz(each.name, checkpoint.resolve(file).normalize(), kind, () -> {
                        if (!file.contains("metrics")) {
                            Files.write(folder.resolve("run/metrics.jsonl"), metrics);
                        }
                        return calm(each);
                    })
                    .run(FEW);
        }
    }

    /** A model and a tokenizer of llama2.c. */
    @Test
    void llama2() throws Exception {
        int vocabulary = 262;
        ByteBuffer model = ByteBuffer.allocate(28 + 4 * (vocabulary * 8 + 2 * 8 + 2 * 64 + 2 * 32 + 3 * 64 + 8 + 4 * 4))
                .order(ByteOrder.LITTLE_ENDIAN);
        for (int each : new int[] {8, 8, 1, 2, 1, vocabulary, 4}) {
            model.putInt(each);
        }
        Path bin = Files.write(folder.resolve("m.bin"), model.array());
        ByteBuffer tokens =
                ByteBuffer.allocate(1 << 16).order(ByteOrder.LITTLE_ENDIAN).putInt(6);
        for (int id = 0; id < vocabulary; id++) {
            byte[] piece = (id < 3
                            ? "<" + id + ">"
                            : id < 259
                                    ? String.format("<0x%02X>", id - 3)
                                    : "ab".substring(0, id == 261 ? 2 : 1).replace("a", id == 260 ? "b" : "a"))
                    .getBytes(StandardCharsets.UTF_8);
            tokens.putFloat(-id).putInt(piece.length).put(piece);
        }
        Path ids = Files.write(folder.resolve("t.bin"), java.util.Arrays.copyOf(tokens.array(), tokens.position()));
        for (Path file : List.of(bin, ids)) {
            fuzz(new Case(
                    "llama2.c " + file.getFileName(),
                    file.getFileName().toString(),
                    Kind.INTEGERS,
                    null,
                    List.of("convert", "--model", bin.toString(), "--tokenizer", ids.toString(), "--output", "out")));
        }
    }
}
