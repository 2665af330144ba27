package org.calm4j.calm.option;

import java.nio.file.Path;
import java.util.Collections;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.calm4j.engine.Setting;
import org.calm4j.engine.loss.ConsistencyLoss;
import org.calm4j.engine.loss.PreferenceLoss;

/**
 * How dpo learns from a pair.
 *
 * @param beta null for the loss's own default: 1 for dco, which treats both languages alike with it, 0.1 for the others
 */
@OptionRecord
public record PreferenceOptions(
        @Option(value = "Default 0.1; with dco 1.", label = "X")
        Double beta,

        @Option(
                value =
                        "One or more of ${COMPLETION-CANDIDATES}; sigmoid (default) is DPO, sft the mean negative log-likelihood of "
                                + "the chosen, dco Direct Consistency Optimization, on pairs in two languages; all others as in TRL.",
                label = "NAME,…",
                standard = "sigmoid",
                choices = PreferenceOptions.LossTypes.class)
        List<String> lossType,

        @Option(value = "One for each of {loss_type}; default 1 each.", label = "X,…", standard = "")
        List<Double> lossWeights,

        @Option(
                value = "Share of pairs assumed to be the wrong way round; default ${DEFAULT-VALUE}.",
                label = "X",
                standard = "0")
        double labelSmoothing,

        @Option(value = "Default: the starting model, without its adapter.", label = "DIR")
        Path referenceModel,

        @Option(
                value =
                        "A PEFT folder on the reference. With the folder of {adapter} the reference is the model that training starts "
                                + "from, as in a later round of iterative DPO.",
                label = "DIR")
        Path referenceAdapter) {
    /** All that {@code loss_type} may name. */
    static final class LossTypes implements Iterable<String> {
        @Override
        public Iterator<String> iterator() {
            return Stream.concat(PreferenceLoss.NAMES.stream(), Stream.of(ConsistencyLoss.DCO))
                    .iterator();
        }
    }

    public PreferenceOptions {
        lossType = List.copyOf(lossType);
        lossWeights = List.copyOf(lossWeights);
        double strength = strength(beta, lossType);
        Setting.of("beta").check(strength > 0, "must be above 0");
        Setting.of("label_smoothing").check(labelSmoothing >= 0 && labelSmoothing < 0.5, "must be from 0 to below 0.5");
        // Unknown names, and weights that are not theirs.
        if (lossType.contains(ConsistencyLoss.DCO)) {
            ConsistencyLoss.of(lossType, lossWeights, strength, labelSmoothing);
        } else {
            PreferenceLoss.of(lossType, lossWeights, strength, labelSmoothing);
        }
    }

    private static double strength(Double beta, List<String> lossType) {
        return beta != null ? beta : lossType.contains(ConsistencyLoss.DCO) ? 1 : 0.1;
    }

    /** The β in force. */
    public double strength() {
        return strength(beta, lossType);
    }

    /** Whether a line of data has a question in two languages. */
    public boolean twoLanguages() {
        return lossType.contains(ConsistencyLoss.DCO);
    }

    /** The same with a reference that has this adapter. */
    public PreferenceOptions against(Path adapter) {
        return new PreferenceOptions(beta, lossType, lossWeights, labelSmoothing, referenceModel, adapter);
    }

    /** By name, the value in force of an option that was not given. */
    public Map<String, Object> inForce() {
        Map<String, Object> inForce = new HashMap<>();
        inForce.put("beta", strength());
        inForce.put("loss_weights", lossWeights.isEmpty() ? Collections.nCopies(lossType.size(), 1.0) : lossWeights);
        return inForce;
    }

    /** The loss on pairs; null if they are in two languages. */
    PreferenceLoss loss() {
        return twoLanguages() ? null : PreferenceLoss.of(lossType, lossWeights, strength(), labelSmoothing);
    }

    /** The loss on pairs in two languages; null if they are in one. */
    ConsistencyLoss consistencyLoss() {
        return twoLanguages() ? ConsistencyLoss.of(lossType, lossWeights, strength(), labelSmoothing) : null;
    }
}
