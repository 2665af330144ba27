package org.calm4j.kernels;

import java.util.List;
import jcuda.CudaException;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.BackendProvider;
import org.calm4j.engine.op.Precision;

/** Offers {@link CudaBackend} to the engine. */
public final class CudaBackendProvider implements BackendProvider {
    @Override
    public List<String> missing() {
        return CudaProbe.whatIsMissing();
    }

    @Override
    public Backend open(int ordinal, Precision precision) {
        CudaProbe probe = CudaProbe.run();
        if (!probe.usable()) {
            throw CalmException.failed(
                    "--device cuda: " + String.join("; ", probe.missing()) + "; --device cpu runs without", null);
        }
        if (ordinal >= probe.devices().size()) {
            throw CalmException.failed(
                    "--device cuda:" + ordinal + ": there are only "
                            + probe.devices().size() + " devices, from 0; --device cpu runs without",
                    null);
        }
        CudaNatives.loadCublas();
        try {
            return new CudaBackend(
                    ordinal, precision == null ? probe.devices().get(ordinal).precision() : precision);
        } catch (CudaException e) {
            throw CalmException.failed(
                    "--device cuda:" + ordinal + ": the GPU cannot be opened (" + e.getMessage()
                            + "); nvidia-smi says who uses it; --device cpu runs without",
                    e);
        }
    }
}
