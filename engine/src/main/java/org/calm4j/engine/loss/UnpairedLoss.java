package org.calm4j.engine.loss;

import java.util.List;
import java.util.function.Function;

/** A loss on single completions, each desirable or not, over those of an optimizer step. */
public interface UnpairedLoss {
    /** A loss by its name in TRL's KTOTrainer. */
    record Named(String name, Function<Parameters, UnpairedLoss> made) {}

    /** All of them. */
    List<Named> ALL = List.of(new Named("kto", Kto::new), new Named("apo_zero_unpaired", ApoZeroUnpaired::new));

    List<String> NAMES = ALL.stream().map(Named::name).toList();

    /**
     * @param desirableWeight a factor on the losses of desirable completions, λ_D of KTO
     * @param undesirableWeight the same of undesirable ones, λ_U
     */
    record Parameters(double beta, double desirableWeight, double undesirableWeight) {
        double weight(boolean desirable) {
            return desirable ? desirableWeight : undesirableWeight;
        }
    }

    /**
     * @param logRatio {@code log π − log π_ref} of the completion
     * @param mismatched the same of another line's completion after this one's prompt
     */
    record Completion(double logRatio, double mismatched, boolean desirable) {}

    /** Values in the order of the completions; a gradient is with respect to the completion's log-probability, as that of a chosen one. */
    List<PreferenceLoss.Value> of(List<Completion> step);

    /** Whether {@link Completion#mismatched} matters, and with it the other completions of the step. */
    boolean readsMismatched();

    /** @param name of {@link #NAMES} */
    static UnpairedLoss of(String name, Parameters parameters) {
        return ALL.stream()
                .filter(each -> each.name.equals(name))
                .findFirst()
                .orElseThrow()
                .made
                .apply(parameters);
    }

    /**
     * The estimate of KTO's reference point: {@code z₀ = max(0, mean log-ratio)} of completions that do not belong to their prompts
     * (Ethayarajh et al. 2024, section 4.1), which is not differentiated.
     *
     * @param sum of the log-ratios
     */
    static double divergence(double sum, int completions) {
        return Math.max(0, sum / completions);
    }

    /**
     * {@code λ_D·(1 − σ(β·(r − z₀)))} of a desirable completion and {@code λ_U·(1 − σ(β·(z₀ − r)))} of an undesirable one: KTO (Ethayarajh et al.
     * 2024, eq. 8).
     */
    record Kto(Parameters with) implements UnpairedLoss {
        @Override
        public List<PreferenceLoss.Value> of(List<Completion> step) {
            double sum = step.stream().mapToDouble(Completion::mismatched).reduce(0, Double::sum);
            double z = divergence(sum, step.size());
            return step.stream().map(each -> value(each, z)).toList();
        }

        private PreferenceLoss.Value value(Completion each, double z) {
            double sign = each.desirable() ? 1 : -1;
            double p = PreferenceLoss.sigmoid(sign * with.beta() * (each.logRatio() - z));
            double weight = with.weight(each.desirable());
            return new PreferenceLoss.Value(weight * (1 - p), -sign * weight * with.beta() * p * (1 - p), 0);
        }

        @Override
        public boolean readsMismatched() {
            return true;
        }
    }

    /** {@code 1 − σ(β·r)} of a desirable completion and {@code σ(β·r)} of an undesirable one: {@code apo_zero} without pairs, as TRL has it. */
    record ApoZeroUnpaired(Parameters with) implements UnpairedLoss {
        @Override
        public List<PreferenceLoss.Value> of(List<Completion> step) {
            return step.stream().map(this::value).toList();
        }

        private PreferenceLoss.Value value(Completion each) {
            double p = PreferenceLoss.sigmoid(with.beta() * each.logRatio());
            double weight = with.weight(each.desirable());
            double slope = weight * with.beta() * p * (1 - p);
            return each.desirable()
                    ? new PreferenceLoss.Value(weight * (1 - p), -slope, 0)
                    : new PreferenceLoss.Value(weight * p, slope, 0);
        }

        @Override
        public boolean readsMismatched() {
            return false;
        }
    }
}
