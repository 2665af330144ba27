package org.calm4j.calm.option;

import java.nio.file.Path;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.calm4j.engine.loss.ConsistencyLoss;
import org.calm4j.engine.loss.PreferenceLoss;
import picocli.CommandLine.Option;

/** The options of dpo. */
public final class PreferenceOptions extends TrainingOptions {
    /** For the shell's completion. */
    static final class LossTypes implements Iterable<String> {
        @Override
        public Iterator<String> iterator() {
            return Stream.concat(PreferenceLoss.NAMES.stream(), Stream.of(ConsistencyLoss.DCO))
                    .iterator();
        }
    }

    /** Null for the loss's own default: 1 for dco, which treats both languages alike with it, 0.1 for the others. */
    @Option(names = "--beta", paramLabel = "X", description = "Default 0.1; with dco 1.")
    public Double beta;

    @Option(
            names = "--loss-type",
            paramLabel = "NAMES",
            split = ",",
            defaultValue = "sigmoid",
            completionCandidates = LossTypes.class,
            description =
                    "sigmoid (DPO, default), sft (mean negative log-likelihood of the chosen), or both: sigmoid,sft; robust, hinge, "
                            + "ipo, sppo_hard, nca_pair, apo_zero, apo_down as in TRL; dco (Direct Consistency Optimization, on pairs in two languages).")
    public List<String> lossType = List.of("sigmoid");

    @Option(
            names = "--loss-weights",
            paramLabel = "X,…",
            split = ",",
            description = "One for each of --loss-type; default 1 each.")
    public List<Double> lossWeights = List.of();

    @Option(
            names = "--label-smoothing",
            paramLabel = "X",
            defaultValue = "0",
            description = "Share of pairs believed to be the wrong way round; default ${DEFAULT-VALUE}.")
    public double labelSmoothing;

    @Option(
            names = "--reference-model",
            paramLabel = "DIR",
            description = "Default: the starting model, without its adapter.")
    public Path referenceModel;

    @Option(
            names = "--reference-adapter",
            paramLabel = "DIR",
            description =
                    "A PEFT folder on the reference. With the folder of --adapter the reference is the model that training starts "
                            + "from, as in a later round of iterative DPO.")
    public Path referenceAdapter;

    @Override
    public void check() {
        super.check();
        check(beta() > 0, "--beta must be above 0");
        check(labelSmoothing >= 0 && labelSmoothing < 0.5, "--label-smoothing must be from 0 to below 0.5");
        loss();
        consistencyLoss();
    }

    public double beta() {
        return beta != null ? beta : twoLanguages() ? 1 : 0.1;
    }

    /** Whether a line of data has a question in two languages. */
    public boolean twoLanguages() {
        return lossType.contains(ConsistencyLoss.DCO);
    }

    @Override
    public Map<String, Object> inForce(int steps) {
        Map<String, Object> inForce = super.inForce(steps);
        inForce.put("beta", beta());
        inForce.put("loss_weights", weights().isEmpty() ? Collections.nCopies(lossType.size(), 1.0) : lossWeights);
        return inForce;
    }

    private List<Double> weights() {
        return lossWeights == null ? List.of() : lossWeights;
    }

    @Override
    PreferenceLoss loss() {
        return twoLanguages() ? null : PreferenceLoss.of(lossType, weights(), beta(), labelSmoothing);
    }

    @Override
    ConsistencyLoss consistencyLoss() {
        return twoLanguages() ? ConsistencyLoss.of(lossType, weights(), beta(), labelSmoothing) : null;
    }

    @Override
    double rewardScale() {
        return beta();
    }
}
