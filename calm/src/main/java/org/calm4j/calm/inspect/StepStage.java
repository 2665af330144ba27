package org.calm4j.calm.inspect;

import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.calm4j.calm.data.DataFile;
import org.calm4j.calm.option.DpoOptions;
import org.calm4j.calm.option.SavingOptions;
import org.calm4j.calm.run.Progress;
import org.calm4j.calm.stage.TrainStage;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.op.Backend;

/**
 * One step of a training run from within: gradients and updates of its tensors, what each language's lines pull at, each line's own gradient,
 * and which lines of the data move the log-probability of given completions.
 *
 * @param step counted from 1
 * @param directions of each tensor's gradient whose subspaces are compared between languages; 0 for none
 * @param questions lines as for {@code score}, whose completions' log-probability is asked about; null for none
 * @param checkpoints steps after which the influence on them is measured; empty for the weights that the step starts from
 * @param maxBytes of the gradients that are kept together
 */
public record StepStage(
        Path output, int step, int directions, Path questions, List<Integer> checkpoints, long maxBytes) {
    public static final long DEFAULT_BYTES = 4L << 30;

    /** The language of a line that names none. */
    private static final String NONE = "none";

    /** Of a finished run. */
    public StepFindings run(Path run, Backend backend, Progress progress) {
        FinishedRun finished = FinishedRun.read(run);
        finished.checkLines();
        return look(finished.stage(finished.data(), null), run, backend, progress);
    }

    /** Of a run of dpo that would start now. */
    public StepFindings run(
            Path model, Path adapter, Path data, DpoOptions options, long seed, Backend backend, Progress progress) {
        TrainStage stage = new TrainStage(
                "dpo",
                model,
                adapter,
                null,
                data,
                null,
                options.training(),
                options.preference(),
                SavingOptions.every(0, false),
                seed);
        return look(stage, null, backend, progress);
    }

    private StepFindings look(TrainStage stage, Path from, Backend backend, Progress progress) {
        StepLook looked = new StepLook(
                this, from, languages(stage.data(), stage.training().data().maxSamples()), progress);
        stage.look(backend, progress, looked);
        StepFindings found = looked.result();
        Jsonl.write(
                output,
                Stream.of(
                                List.of(found.step()),
                                found.norms(),
                                found.languages(),
                                found.cosines(),
                                found.overlaps(),
                                found.lines(),
                                found.influences())
                        .flatMap(List::stream)
                        .toList());
        return found;
    }

    /** Of each line; of a line in two, both. */
    private static List<String> languages(List<Path> data, Integer most) {
        return DataFile.read(data, most).stream()
                .map(item -> {
                    List<String> named = Stream.of("language", "language_1", "language_2")
                            .map(name -> item.json().path(name).asText(null))
                            .filter(Objects::nonNull)
                            .toList();
                    return named.isEmpty() ? NONE : String.join("+", named);
                })
                .toList();
    }
}
