package org.calm4j.engine.model;

import java.util.ArrayList;
import java.util.List;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.tensor.Tensor;

/** Keys and values of all layers for a number of rows, one row per token; sized in advance. The owners of rows: {@link CachePages}. */
public final class KvCache implements AutoCloseable {
    private final Backend backend;
    private final Slab memory;
    private final List<Tensor> keys = new ArrayList<>();
    private final List<Tensor> values = new ArrayList<>();
    private final int rows;

    public KvCache(Backend backend, ModelConfig config, int rows) {
        this(backend, config, rows, 0);
    }

    /** @param spare more rows, for {@link DecodeBatch#pad}, which no sequence gets */
    public KvCache(Backend backend, ModelConfig config, int rows, int spare) {
        this.backend = backend;
        this.rows = rows;
        int g = config.attention().keyValueHeads();
        int d = config.attention().headDim();
        DType type = backend.cacheType(config.attention().headDim());
        Slab.Plan plan = new Slab.Plan();
        for (int l = 0; l < config.layers(); l++) {
            plan.add("key." + l, type, rows + spare, g, d).add("value." + l, type, rows + spare, g, d);
        }
        memory = plan.allocate(backend::allocate);
        for (int l = 0; l < config.layers(); l++) {
            keys.add(memory.get("key." + l));
            values.add(memory.get("value." + l));
        }
    }

    /** Bytes of one row. */
    public static long bytesPerRow(ModelConfig config, Backend backend) {
        return 2L
                * config.layers()
                * config.attention().keyValueHeads()
                * config.attention().headDim()
                * backend.cacheType(config.attention().headDim()).bytes();
    }

    /** The number of rows without the spare ones, which come after them. */
    public int rows() {
        return rows;
    }

    /** (S,G,D), after writing new ones (T,G,D) into some of its rows. */
    Tensor keys(int layer, Tensor added, Tensor index) {
        return write(keys.get(layer), added, index);
    }

    /** (S,G,D), after writing new ones (T,G,D) into some of its rows. */
    Tensor values(int layer, Tensor added, Tensor index) {
        return write(values.get(layer), added, index);
    }

    private Tensor write(Tensor cached, Tensor added, Tensor index) {
        backend.scatter(cached.asRows(cached.rowSize()), added, index);
        return cached;
    }

    @Override
    public void close() {
        memory.close();
    }
}
