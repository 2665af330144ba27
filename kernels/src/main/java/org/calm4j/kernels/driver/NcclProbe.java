package org.calm4j.kernels.driver;

import com.fasterxml.jackson.annotation.JsonInclude;
import org.calm4j.engine.CalmException;

/**
 * The NCCL by which ranks with a GPU each would pass tensors, as this machine and its environment have it.
 *
 * @param version null where none is found
 * @param from the folder or file that it was found in; null without
 * @param missing why there is none, and what to do; null where there is one
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record NcclProbe(String version, String from, String missing) {
    /** Loads it, and asks its version; no device is needed. */
    public static NcclProbe run() {
        try {
            Nccl nccl = Nccl.load();
            return nccl == null
                    ? new NcclProbe(null, null, "this machine " + Nccl.absence())
                    : new NcclProbe(nccl.version(), nccl.from(), null);
        } catch (CalmException e) {
            return new NcclProbe(null, null, e.getMessage());
        }
    }
}
