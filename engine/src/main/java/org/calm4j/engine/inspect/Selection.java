package org.calm4j.engine.inspect;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.IntPredicate;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.model.HookPoint;
import org.calm4j.engine.tensor.DType;

/**
 * What a run keeps.
 *
 * @param points in the order of the forward pass
 * @param rows positions whose values are kept, in order; null for all; of {@code hook_pattern} they are the queries
 * @param gradients whether gradients are kept beside values
 * @param maxBytes of all that is kept together
 */
public record Selection(List<HookPoint.At> points, int[] rows, boolean gradients, long maxBytes) {
    public static final long DEFAULT_BYTES = 1L << 30;

    /** Names or patterns of {@link HookNames}, all positions, values alone. */
    public static Selection of(ModelConfig config, String... patterns) {
        return of(config, List.of(patterns));
    }

    public static Selection of(ModelConfig config, Collection<String> patterns) {
        Set<HookPoint.At> named = new LinkedHashSet<>();
        patterns.forEach(pattern -> named.addAll(HookNames.matching(config, pattern)));
        List<HookPoint.At> inOrder = new ArrayList<>(HookPoint.all(config));
        inOrder.retainAll(named);
        return new Selection(inOrder, null, false, DEFAULT_BYTES);
    }

    public Selection withGradients() {
        return new Selection(points, rows, true, maxBytes);
    }

    public Selection layers(IntPredicate wanted) {
        return new Selection(
                points.stream()
                        .filter(at -> !at.point().isOfLayer() || wanted.test(at.layer()))
                        .toList(),
                rows,
                gradients,
                maxBytes);
    }

    public Selection positions(int... rows) {
        return new Selection(points, rows, gradients, maxBytes);
    }

    public Selection within(long maxBytes) {
        return new Selection(points, rows, gradients, maxBytes);
    }

    /** The shape of the values kept of a point. */
    long[] shape(HookPoint point, ModelConfig config, int tokens) {
        long[] shape = point.shape(config, tokens);
        if (rows != null) {
            shape[point == HookPoint.PATTERN ? 1 : 0] = rows.length;
        }
        return shape;
    }

    /** Bytes of the values kept of a text. */
    public long bytes(ModelConfig config, DType type, int tokens) {
        return points.stream()
                .mapToLong(at -> bytes(at.point(), config, type, tokens))
                .sum();
    }

    private long bytes(HookPoint point, ModelConfig config, DType type, int tokens) {
        long size = type.bytes();
        for (long length : shape(point, config, tokens)) {
            size = Math.multiplyExact(size, length);
        }
        return gradients && point != HookPoint.LOGITS ? 2 * size : size;
    }

    /** @throws CalmException failed: more than the limit; names the largest part and how many tokens would fit */
    public void check(ModelConfig config, DType type, int tokens) {
        long bytes = bytes(config, type, tokens);
        if (bytes > maxBytes) {
            HookPoint most = points.stream()
                    .map(HookPoint.At::point)
                    .distinct()
                    .max(Comparator.comparingLong(point -> ofPoint(point, config, type, tokens)))
                    .orElseThrow();
            int fits = tokens;
            while (fits > 0 && bytes(config, type, fits) > maxBytes) {
                fits /= 2;
            }
            throw CalmException.failed(
                    String.format(
                            java.util.Locale.ROOT,
                            "values at %d hook points of %d tokens take %.1f MB of the %.1f MB allowed, %.1f MB of it %s; %s",
                            points.size(),
                            tokens,
                            bytes / 1e6,
                            maxBytes / 1e6,
                            ofPoint(most, config, type, tokens) / 1e6,
                            most.name(0).replace(".0.", ".*."),
                            fits == 0
                                    ? "choose fewer points, layers or positions"
                                    : fits + " tokens would fit; or choose fewer points, layers or positions"),
                    null);
        }
    }

    private long ofPoint(HookPoint point, ModelConfig config, DType type, int tokens) {
        return points.stream().filter(at -> at.point() == point).count() * bytes(point, config, type, tokens);
    }
}
