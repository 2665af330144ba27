package org.calm4j.engine.inspect;

import java.util.Arrays;
import java.util.List;
import java.util.stream.DoubleStream;
import java.util.stream.Stream;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.config.Projection;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.HookPoint;
import org.calm4j.engine.model.Lora;
import org.calm4j.engine.model.Parameters;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.tensor.Tensor;

/**
 * What each part that writes to the residual stream adds to the difference of two logits after a text, the last norm being taken as linear
 * at this run's own scale (Elhage et al. 2021; TransformerLens' {@code apply_ln_to_stack}): a part is centred where the norm centres, divided
 * by the scale and multiplied by the norm's weight. Together they are the difference, but for rounding.
 *
 * @param difference of the model's own logits
 * @param positionEmbedding 0 if positions are not learned
 * @param heads [layer][head], {@code z·W_O} of each
 * @param attentionBias of each layer's output projection; 0 without one
 * @param feedForward of each layer, with its bias
 * @param normBias of the last norm; 0 without one
 */
public record LogitAttribution(
        double difference,
        double embedding,
        double positionEmbedding,
        double[][] heads,
        double[] attentionBias,
        double[] feedForward,
        double normBias) {
    /**
     * @param answer token whose logit is taken
     * @param wrong token whose logit is taken away
     */
    public static LogitAttribution of(Inspector inspector, int[] tokens, int answer, int wrong) {
        ModelConfig config = inspector.config();
        String stream = HookPoint.RESID_POST.name(config.layers() - 1);
        List<String> names = Stream.concat(
                        Stream.of(stream),
                        Stream.of(
                                        HookPoint.EMBED,
                                        HookPoint.POS_EMBED,
                                        HookPoint.Z,
                                        HookPoint.MLP_OUT,
                                        HookPoint.LOGITS)
                                .filter(point -> point.isIn(config))
                                .map(point -> point.name(0).replace(".0.", ".*.")))
                .toList();
        Selection points = Selection.of(config, names).positions(tokens.length - 1);
        try (Trace trace = inspector.run(tokens, points)) {
            double[] logits = trace.values(HookPoint.LOGITS.name(0));
            return new Terms(inspector.model(), trace, trace.values(stream), answer, wrong)
                    .all(logits[answer] - logits[wrong]);
        }
    }

    /** All terms together. */
    public double sum() {
        return embedding
                + positionEmbedding
                + normBias
                + Arrays.stream(heads).flatMapToDouble(DoubleStream::of).sum()
                + DoubleStream.of(attentionBias).sum()
                + DoubleStream.of(feedForward).sum();
    }

    /** Of one run. */
    private static final class Terms {
        private final CausalLm model;
        private final ModelConfig config;
        private final Trace trace;
        /** (C): how the difference of the logits changes with the stream. */
        private final double[] direction;

        private final double normBias;

        Terms(CausalLm model, Trace trace, double[] stream, int answer, int wrong) {
            this.model = model;
            this.config = model.config();
            this.trace = trace;
            Parameters.Norm norm = model.parameters().norm();
            Tensor head = model.parameters().head();
            double[] difference = read(head.rows(answer, 1));
            double[] other = read(head.rows(wrong, 1));
            Arrays.setAll(difference, i -> difference[i] - other[i]);
            normBias = norm.bias() == null ? 0 : dot(read(norm.bias()), difference);
            direction = read(norm.weight());
            boolean centres = config.norm().kind() == ModelConfig.NormKind.LAYER_NORM;
            double mean = centres ? mean(stream) : 0;
            double scale = Math.sqrt(
                    DoubleStream.of(stream).map(x -> (x - mean) * (x - mean)).sum() / stream.length
                            + config.norm().epsilon());
            Arrays.setAll(direction, i -> direction[i] * difference[i] / scale);
            if (centres) {
                // Centring a part gives the same as centring the vector that it is multiplied by.
                double middle = mean(direction);
                Arrays.setAll(direction, i -> direction[i] - middle);
            }
        }

        LogitAttribution all(double logits) {
            int layers = config.layers();
            double[][] heads = new double[layers][];
            double[] bias = new double[layers];
            double[] feedForward = new double[layers];
            for (int layer = 0; layer < layers; layer++) {
                heads[layer] = heads(layer);
                Tensor own = model.parameters()
                        .layer(layer)
                        .linears()
                        .get(Projection.O)
                        .bias();
                bias[layer] = own == null ? 0 : dot(read(own), direction);
                feedForward[layer] = of(HookPoint.MLP_OUT, layer);
            }
            double positions = HookPoint.POS_EMBED.isIn(config) ? of(HookPoint.POS_EMBED, 0) : 0;
            return new LogitAttribution(logits, of(HookPoint.EMBED, 0), positions, heads, bias, feedForward, normBias);
        }

        private double of(HookPoint point, int layer) {
            return dot(trace.values(point.name(layer)), direction);
        }

        private double[] heads(int layer) {
            double[] back = beforeOutput(layer);
            double[] z = trace.values(HookPoint.Z.name(layer));
            double[] sums = new double[config.attention().heads()];
            for (int i = 0; i < z.length; i++) {
                sums[i / config.attention().headDim()] += z[i] * back[i];
            }
            return sums;
        }

        /** (H·D): the direction as the output projection, its adapter included, reads it. */
        private double[] beforeOutput(int layer) {
            Tensor weight =
                    model.parameters().layer(layer).linears().get(Projection.O).weight();
            Lora.Adapter adapter = model.lora() == null ? null : model.lora().adapter(layer, Projection.O);
            double[] direction = this.direction.clone();
            if (adapter != null && adapter.magnitude() != null) {
                double[] factor = read(adapter.magnitude().factor());
                Arrays.setAll(direction, i -> direction[i] * factor[i]);
            }
            double[] back = times(read(weight), direction, config.layout().transposed());
            if (adapter != null) {
                double[] low = times(read(adapter.b()), direction, false);
                double[] more = times(read(adapter.a()), low, false);
                Arrays.setAll(back, i -> back[i] + adapter.scale() * more[i]);
            }
            return back;
        }

        /** {@code Wᵀx} of a matrix (x's length, columns); {@code Wx} of one (rows, x's length). */
        private static double[] times(double[] matrix, double[] x, boolean byRows) {
            double[] result = new double[matrix.length / x.length];
            for (int i = 0; i < matrix.length; i++) {
                int at = byRows ? i / x.length : i % result.length;
                result[at] += matrix[i] * x[byRows ? i % x.length : i / result.length];
            }
            return result;
        }

        private double[] read(Tensor tensor) {
            Backend backend = model.backend();
            double[] values = new double[Math.toIntExact(tensor.size())];
            backend.read(values, tensor, values.length);
            return values;
        }

        private static double mean(double[] x) {
            return DoubleStream.of(x).sum() / x.length;
        }

        private static double dot(double[] a, double[] b) {
            double sum = 0;
            for (int i = 0; i < a.length; i++) {
                sum += a[i] * b[i];
            }
            return sum;
        }
    }
}
