package org.calm4j.calm.experiment;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.calm4j.calm.option.DpoOptions;
import org.calm4j.calm.option.Options;
import org.calm4j.calm.option.SavingOptions;
import org.calm4j.calm.option.TrainingOptions;
import org.calm4j.calm.prompt.PromptTemplates;
import org.calm4j.calm.run.Progress;
import org.calm4j.calm.stage.SampleStage;
import org.calm4j.calm.stage.TrainStage;
import org.calm4j.calm.world.Curriculum;
import org.calm4j.calm.world.World;
import org.calm4j.calm.world.WorldConfig;
import org.calm4j.calm.world.WorldFiles;
import org.calm4j.engine.config.Llama;
import org.calm4j.engine.generate.Sampling;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Backends;
import org.calm4j.engine.tensor.DType;

/** Pretraining, sampling and DPO on {@code --device cuda}, so small that the stand-in of the driver can do it; a process of its own. */
public final class MiniatureOnCuda {
    private MiniatureOnCuda() {}

    /** @param arguments the folder to write to; what came out is printed as hashes */
    public static void main(String[] arguments) throws Throwable {
        Path folder = Path.of(arguments[0]);
        Path files = folder.resolve("world");
        World world = World.create(
                new WorldConfig(
                        List.of("en", "fr"),
                        null,
                        4,
                        4,
                        0.1,
                        2,
                        1,
                        1,
                        1,
                        null,
                        WorldConfig.standard().texts().withTokens(300, 100)),
                1);
        Curriculum curriculum = new Curriculum(world);
        WorldFiles.write(world, curriculum, files);
        Path data = files.resolve("pretrain.jsonl");
        Jsonl.write(data, curriculum.documents());
        Path tokenizer = files.resolve(WorldFiles.TOKENIZER);
        Path config = tokenizer.resolve("config.json");
        Json.write(
                config,
                Llama.config(
                                curriculum.tokenizer().size(),
                                16,
                                24,
                                1,
                                2,
                                1,
                                128,
                                curriculum.tokenizer().eosId())
                        .toJson(DType.F32));
        Path base = folder.resolve("base");
        Path samples = folder.resolve("samples.jsonl");
        Path pairs = folder.resolve("pairs.jsonl");
        Path adapter = folder.resolve("dpo");
        try (Backend backend = Backends.open("cuda", 0)) {
            TrainingOptions pretraining = Options.make(TrainingOptions.class, Map.of("batch_size", 2, "max_steps", 2));
            SavingOptions saving = Options.standard(SavingOptions.class);
            new TrainStage("pretrain", null, null, config, data, base, pretraining, null, saving, 1)
                    .run(backend, Progress.NONE);
            try (ModelFolder model = ModelFolder.open(backend, base, null)) {
                Path questions = files.resolve(WorldFiles.HELD_OUT_QUESTIONS);
                PromptTemplates templates = PromptTemplates.choose(files.resolve(WorldFiles.PROMPTS), base);
                new SampleStage(List.of(questions), templates, samples, new Sampling(4, 1.0, 0, 1, 0, 2, false, 1))
                        .run(model, false, Progress.NONE);
            }
            Jsonl.write(
                    pairs,
                    List.of(
                            Map.of("prompt", "Paris", "chosen", " A", "rejected", " B"),
                            Map.of("prompt", "Rome", "chosen", " B", "rejected", " A B")));
            DpoOptions dpo = Options.make(DpoOptions.class, Map.of("batch_size", 2, "max_steps", 2, "lora_rank", 2));
            new TrainStage("dpo", base, null, null, pairs, adapter, dpo.training(), dpo.preference(), saving, 1)
                    .run(backend, Progress.NONE);
        }
        System.out.println("left on the device: " + left());
        for (Path made :
                List.of(base.resolve("model.safetensors"), samples, adapter.resolve("adapter_model.safetensors"))) {
            System.out.println(made.getFileName() + " "
                    + HexFormat.of()
                            .formatHex(MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(made))));
        }
    }

    /** What the stand-in counts as alive: memory of the device and of the host, streams, events, modules, graphs. */
    @SuppressWarnings("restricted")
    private static String left() throws Throwable {
        MethodHandle live = Linker.nativeLinker()
                .downcallHandle(
                        SymbolLookup.libraryLookup("libcuda.so.1", Arena.global())
                                .find("simt_live")
                                .orElseThrow(),
                        FunctionDescriptor.of(ValueLayout.ADDRESS));
        return ((MemorySegment) live.invokeExact()).reinterpret(Long.MAX_VALUE).getString(0);
    }
}
