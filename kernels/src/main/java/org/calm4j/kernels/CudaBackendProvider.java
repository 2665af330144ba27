package org.calm4j.kernels;

import java.util.List;
import jcuda.CudaException;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.BackendProvider;
import org.calm4j.engine.op.Precision;
import org.calm4j.kernels.driver.CudaNatives;
import org.calm4j.kernels.driver.CudaProbe;

/** Offers {@link CudaBackend} to the engine. */
public final class CudaBackendProvider implements BackendProvider {
    @Override
    public String name() {
        return "cuda";
    }

    @Override
    public List<String> missing() {
        return CudaProbe.whatIsMissing();
    }

    @Override
    public int devices() {
        return CudaProbe.run().devices().size();
    }

    @Override
    public Backend open(int ordinal, Precision precision) {
        CudaProbe probe = CudaProbe.run();
        if (!probe.usable()) {
            throw CalmException.failed(
                    Setting.of("device").at("cuda"),
                    ": " + String.join("; ", probe.missing()) + "; ",
                    Setting.of("device").at("cpu"),
                    " runs without");
        }
        if (ordinal >= probe.devices().size()) {
            throw CalmException.failed(
                    Setting.of("device").at("cuda:" + ordinal),
                    ": there are only " + probe.devices().size() + " devices, from 0; ",
                    Setting.of("device").at("cpu"),
                    " runs without");
        }
        CudaNatives.loadCublas();
        try {
            return new CudaBackend(
                    ordinal, precision == null ? probe.devices().get(ordinal).precision() : precision);
        } catch (CudaException e) {
            throw CalmException.failed(
                            Setting.of("device").at("cuda:" + ordinal),
                            ": the GPU cannot be opened (" + e.getMessage() + "); nvidia-smi shows its users; ",
                            Setting.of("device").at("cpu"),
                            " runs without")
                    .because(e);
        }
    }
}
