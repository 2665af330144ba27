package org.calm4j.engine.model;

import java.util.ArrayList;
import java.util.List;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.tensor.Block;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/** Keys and values of all layers for a number of rows, one row a token; sized in advance. Who owns which rows: {@link CachePages}. */
public final class KvCache implements AutoCloseable {
    private final Block memory;
    private final List<Tensor> keys = new ArrayList<>();
    private final List<Tensor> values = new ArrayList<>();
    private final int rows;

    public KvCache(Backend backend, ModelConfig config, int rows) {
        this(backend, config, rows, 0);
    }

    /** @param spare more rows, which no sequence gets: those of {@link DecodeBatch#pad} */
    public KvCache(Backend backend, ModelConfig config, int rows, int spare) {
        this.rows = rows;
        int width = config.keyValueHeads() * config.headDim();
        DType type = backend.cacheType(config.headDim());
        Block.Plan plan = new Block.Plan();
        for (int l = 0; l < config.layers(); l++) {
            plan.add("key." + l, type, rows + spare, width).add("value." + l, type, rows + spare, width);
        }
        memory = plan.allocate(backend::allocate);
        for (int l = 0; l < config.layers(); l++) {
            keys.add(memory.get("key." + l));
            values.add(memory.get("value." + l));
        }
    }

    /** Bytes one row takes. */
    public static long bytesPerRow(ModelConfig config, Backend backend) {
        return 2L
                * config.layers()
                * config.keyValueHeads()
                * config.headDim()
                * backend.cacheType(config.headDim()).bytes();
    }

    /** Without the spare ones, which come after them. */
    public int rows() {
        return rows;
    }

    /** (S,G·D). */
    Tensor keys(int layer) {
        return keys.get(layer);
    }

    /** (S,G·D). */
    Tensor values(int layer) {
        return values.get(layer);
    }

    @Override
    public void close() {
        memory.close();
    }
}
